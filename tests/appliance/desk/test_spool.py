"""The print pump tells the truth about paper, whatever the printer does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from appliance.desk import spool
from appliance.desk.spool import PrintPump
from appliance.domain.clock import DAY_MS, MINUTE_MS
from appliance.domain.errors import Invalid
from appliance.domain.paper import Stationery
from appliance.services import door, printing
from appliance.services.booking import Item
from appliance.services.staff_views import PrintJob
from appliance.store import jobs as rows
from drivers.errors import DeviceError
from drivers.printer.api import PrinterStatus
from drivers.printer.model import Receipt
from drivers.printer.server import SimulatedPrinterServer
from drivers.printer.sim import SimPrinter
from drivers.printer.simulator import Fault, SimulatedPrinter
from drivers.printer.tcp import from_url
from drivers.url import parse
from mqtt_bridge.protocol.ids import shown
from tests.support.box import ADULT, BADGE, TestBox
from tests.support.demo import wait_for


def sell(box: TestBox, quantity: int = 1) -> str:
    """Sell tickets at the desk, which queues a receipt and admission stubs; return the first code."""
    order = box.run(lambda unit: door.sell(unit, BADGE, [Item(ADULT, quantity)], "cash", "door"))
    return order.tickets[0].code


def jobs(box: TestBox) -> list[PrintJob]:
    """Every job, oldest first."""
    return box.look(lambda unit: [printing.view(row) for row in reversed(rows.recent(unit.db, 50))])


@pytest.fixture
def running() -> Iterator[Callable[[PrintPump], None]]:
    """Runs a pump in a thread until the test ends."""
    started: list[tuple[threading.Event, PrintPump, threading.Thread]] = []

    def start(pump: PrintPump) -> None:
        stop = threading.Event()
        thread = threading.Thread(target=pump.run, args=(stop,))
        started.append((stop, pump, thread))
        thread.start()

    yield start
    for stop, pump, thread in started:
        stop.set()
        pump.wake()
        thread.join(10)
        assert not thread.is_alive()


def states(box: TestBox) -> list[str]:
    return [job.state for job in jobs(box)]


def pump_for(box: TestBox, simulated: SimulatedPrinter) -> PrintPump:
    return PrintPump(box, SimPrinter(simulated, timeout_s=0.1), write_s=0.3, confirm_s=0.1)


def test_jobs_come_out_in_order_and_are_called_printed_when_the_printer_says_so(box: TestBox) -> None:
    """Receipt and stub with event, place, type, readable code and the signed receipt as a QR code."""
    simulated = SimulatedPrinter()
    code = sell(box)
    pump = pump_for(box, simulated)
    while pump.step() == 0:
        pass
    assert states(box) == ["printed", "printed"]
    receipt, stub = (text_of(each) for each in simulated.receipts())
    assert "Total" in receipt
    assert "12.00 EUR" in receipt
    assert "Paid in cash" in receipt
    for words in ("Songs of the River", "North Hall", "Adult", shown(code)):
        assert words in stub
    assert "REPRINT" not in receipt + stub
    assert simulated.receipts()[1].codes[0].startswith("MQ1:")


def text_of(receipt: Receipt) -> str:
    return " ".join(receipt.text.split())


def test_a_reprint_says_so_on_paper(box: TestBox) -> None:
    """Nobody gets in twice with a second stub."""
    simulated = SimulatedPrinter()
    sell(box)
    pump = pump_for(box, simulated)
    while pump.step() == 0:
        pass
    box.run(lambda unit: printing.reprint(unit, jobs(box)[-1].id, BADGE))
    assert pump.step() == 0
    assert text_of(simulated.receipts()[-1]).startswith("REPRINT")


@pytest.mark.parametrize("fault", [Fault.PAPER_OUT, Fault.COVER_OPEN, Fault.OFFLINE, Fault.UNPLUG])
def test_a_printer_that_cannot_print_gets_no_byte_and_jobs_wait_for_it(box: TestBox, fault: Fault) -> None:
    """The jobs are untouched in the queue and come out once the printer is well."""
    simulated = SimulatedPrinter()
    simulated.set_fault(fault)
    sell(box)
    pump = pump_for(box, simulated)
    assert pump.step() > 0
    assert [(job.state, job.attempts) for job in jobs(box)] == [("queued", 0), ("queued", 0)]
    simulated.set_fault(None)
    while pump.step() == 0:
        pass
    assert states(box) == ["printed", "printed"]


def test_a_printer_that_stalls_after_some_bytes_leaves_the_job_ambiguous_and_never_repeats_it(box: TestBox) -> None:
    """Half a stub may hang out of it: a person looks."""
    simulated = SimulatedPrinter()
    sell(box, 4)  # more than the printer's buffer holds
    pump = pump_for(box, simulated)
    simulated.set_fault(Fault.STALL)
    # A stalled printer does not answer the status question either, so it counts as silent, not as broken.
    pump.step()
    assert states(box)[0] == "ambiguous"
    assert "taking data" in str(jobs(box)[0].reason)
    simulated.set_fault(None)
    while pump.step() == 0:
        pass
    assert states(box) == ["ambiguous", *["printed"] * 4]


def test_a_silent_printer_is_sent_the_job_and_never_called_printed(box: TestBox) -> None:
    """It may not be able to answer at all."""
    simulated = SimulatedPrinter()
    simulated.set_fault(Fault.SILENT)
    sell(box)
    pump = pump_for(box, simulated)
    pump.step()
    assert states(box)[0] == "sent"
    assert len(simulated.receipts()) == 1


def test_paper_that_runs_out_during_the_job_leaves_it_ambiguous(box: TestBox) -> None:
    """The printer took every byte and then reported trouble."""

    class RunsOut(SimPrinter):
        def write(self, data: bytes, deadline_s: float) -> int:
            self.simulated.set_fault(Fault.PAPER_OUT)
            return super().write(data, deadline_s)

    sell(box)
    PrintPump(box, RunsOut(SimulatedPrinter(), timeout_s=0.1), write_s=0.3, confirm_s=0.1).step()
    assert states(box)[0] == "ambiguous"
    assert "no paper" in str(jobs(box)[0].reason)


class TakesNothing:
    """A printer that is lost exactly between the status question and the first byte."""

    profile = "default"
    bytes_per_s = 10_000

    def open(self) -> None: ...

    def close(self) -> None: ...

    def status(self) -> PrinterStatus:
        return PrinterStatus()

    def raise_if_behind(self) -> None: ...

    def write(self, data: bytes, deadline_s: float) -> int:
        raise DeviceError("Gone.", bytes_taken=0)


def test_a_job_of_which_no_byte_was_taken_failed_and_is_sent_again_by_itself(box: TestBox) -> None:
    """Nothing can have been printed, so the same printer takes it once it can, before younger jobs."""
    sell(box)
    pump = PrintPump(box, TakesNothing())  # type: ignore[arg-type]
    assert pump.step() > 0
    first = jobs(box)[0]
    assert (first.state, first.attempts, first.waits) == ("failed", 1, True)
    assert "Gone." in str(first.reason)
    well = pump_for(box, SimulatedPrinter())
    while well.step() == 0:
        pass
    assert [(job.state, job.attempts) for job in jobs(box)] == [("printed", 2), ("printed", 1)]


def test_a_printer_that_owes_word_on_a_job_is_sent_no_other_and_the_second_takes_over(box: TestBox) -> None:
    """Its late word would be taken for the next job's."""
    first, second = SimulatedPrinter(), SimulatedPrinter()
    driver = SimPrinter(first, timeout_s=0.1)
    one = PrintPump(box, driver, pass_on=lambda: None, write_s=0.3, confirm_s=0.1)
    two = PrintPump(box, SimPrinter(second, timeout_s=0.1), name=printing.SECOND)
    sell(box)
    while one.step() == 0:
        pass
    sell(box)
    first.set_fault(Fault.GARBAGE)
    one.step()
    first.set_fault(None)
    one.step()
    while two.step() == 0:
        pass
    assert states(box) == ["printed", "printed", "sent", "printed"]
    assert [len(first.receipts()), len(second.receipts())] == [3, 1]
    assert "not said yet" in driver.health().reason


def test_what_the_first_printer_took_no_byte_of_falls_over_to_the_second(box: TestBox) -> None:
    """The first printer has no paper: its pump says so and wakes the second, which prints in order."""
    first, second = SimulatedPrinter(), SimulatedPrinter()
    first.set_fault(Fault.PAPER_OUT)
    woken: list[str] = []
    sell(box)
    one = PrintPump(box, SimPrinter(first, timeout_s=0.1), pass_on=lambda: woken.append("second"))
    two = PrintPump(box, SimPrinter(second, timeout_s=0.1), name=printing.SECOND)
    assert two.step() > 0, "what nobody failed to print is not the second printer's"
    assert one.step() > 0
    assert woken == ["second"]
    assert [(job.state, job.printer) for job in jobs(box)] == [("failed", "printer")] * 2
    assert "no paper" in str(jobs(box)[0].reason)
    while two.step() == 0:
        pass
    assert [(job.state, job.printer) for job in jobs(box)] == [("printed", "printer_2")] * 2
    assert len(second.receipts()) == 2
    assert not first.receipts()


def test_an_ambiguous_job_never_falls_over_and_is_a_persons_to_decide(box: TestBox) -> None:
    """On paper after all: done. Missing: a copy that says REPRINT, and the job itself has failed for good."""
    simulated, second = SimulatedPrinter(), SimulatedPrinter()
    sell(box, 8)
    pump = PrintPump(box, SimPrinter(simulated, timeout_s=0.1), write_s=0.3, confirm_s=0.1, pass_on=lambda: None)
    two = PrintPump(box, SimPrinter(second, timeout_s=0.1), name=printing.SECOND)
    simulated.set_fault(Fault.STALL)
    pump.step()
    assert states(box)[0] == "ambiguous"
    assert two.step() > 0
    simulated.set_fault(None)
    doubtful = jobs(box)[0].id
    copy = box.run(lambda unit: printing.resolve(unit, doubtful, BADGE, came_out=False))
    assert copy.reprint_of == doubtful
    assert (jobs(box)[0].state, jobs(box)[0].waits) == ("failed", False)
    while pump.step() == 0:
        pass
    assert text_of(simulated.receipts()[-1]).startswith("REPRINT")
    with pytest.raises(Invalid):
        box.run(lambda unit: printing.resolve(unit, doubtful, BADGE, came_out=True))


def test_a_clock_that_is_set_right_makes_no_job_old(box: TestBox) -> None:
    """The card's clock stood still since last week, the link comes and sets it: what was made a minute ago is still wanted."""
    box.turn.trust(False)
    sell(box)
    now = box.turn.now
    box.turn.now = replace(now, wall_ms=now.wall_ms + 7 * DAY_MS, boot_ms=now.boot_ms + MINUTE_MS, trusted=True)
    assert box.run(printing.claim) is not None


def test_time_since_the_boot_tells_the_age_of_a_job_by_itself(box: TestBox) -> None:
    """Nobody wants a stub of half an hour ago, whatever the wall clock says."""
    sell(box)
    box.turn.trust(False)
    box.turn.advance(30 * MINUTE_MS)
    claimed = box.run(printing.claim)
    assert claimed is not None
    assert claimed.kind == "receipt"
    assert states(box) == ["sending", "failed"]


def test_what_waited_too_long_is_given_up_and_says_so(box: TestBox) -> None:
    """A new roll after half an hour does not spit out the stubs of everybody who is inside."""
    simulated = SimulatedPrinter()
    sell(box)
    box.turn.advance(11 * MINUTE_MS)
    pump = pump_for(box, simulated)
    while pump.step() == 0:
        pass
    receipt, stub = jobs(box)
    assert (receipt.state, stub.state, stub.waits) == ("printed", "failed", False)
    assert "waited too long" in str(stub.reason)


def test_a_job_that_cannot_be_laid_out_fails_and_the_next_one_prints(box: TestBox) -> None:
    """One bad document does not stop the spool."""
    box.run(lambda unit: rows.add(unit.db, "stub", b"{}", unit.now, None))
    sell(box)
    pump = pump_for(box, SimulatedPrinter())
    while pump.step() == 0:
        pass
    assert states(box) == ["failed", "printed", "printed"]
    assert "nothing was sent" in str(jobs(box)[0].reason)


def test_over_tcp_a_pulled_plug_delays_and_a_wake_prints_at_once(
    box: TestBox, running: Callable[[PrintPump], None]
) -> None:
    """The real transport: unplugged, mended, woken."""
    with SimulatedPrinterServer() as server:
        server.set_fault("unplug")
        pump = PrintPump(box, from_url(parse(f"{server.url}?timeout=0.3")))
        running(pump)
        sell(box)
        pump.wake()
        wait_for(lambda: server.fault == "unplug" and states(box) == ["queued", "queued"], "waiting jobs")
        server.set_fault(None)
        wait_for(lambda: states(box) == ["printed", "printed"], "printed jobs")


def test_what_became_of_a_job_is_told_once_the_disk_takes_it(box: TestBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not sent again, does not stay "printing" for the evening, and nothing else is printed before."""
    simulated, finish = SimulatedPrinter(), printing.finish

    def full(*_args: object, **_more: object) -> None:
        raise OSError(28, "No space left on device")

    sell(box)
    pump = pump_for(box, simulated)
    monkeypatch.setattr(printing, "finish", full)
    for _ in range(3):
        with pytest.raises(OSError, match="No space"):
            pump.step()
    assert simulated.count == 1
    monkeypatch.setattr(printing, "finish", finish)
    while pump.step() == 0:
        pass
    assert states(box) == ["printed", "printed"]
    assert simulated.count == 2


@pytest.mark.parametrize("error", [RuntimeError("a fault of the driver"), DeviceError("Gone.", bytes_taken=0)])
def test_a_driver_that_fails_behind_the_last_byte_leaves_the_job_in_doubt(box: TestBox, error: Exception) -> None:
    """Whatever it says of bytes then: the paper may be there."""

    class Fails(SimPrinter):
        def confirm(self, deadline_s: float) -> bool:
            raise error

    simulated = SimulatedPrinter()
    sell(box)
    PrintPump(box, Fails(simulated, timeout_s=0.1), write_s=0.3, confirm_s=0.1).step()
    assert simulated.count == 1
    assert states(box)[0] == "ambiguous"


@pytest.mark.parametrize("own", [Stationery(logo=b"no picture"), Stationery({"receipt": "qr " + "a" * 2900})])
def test_an_organisers_layout_that_cannot_be_printed_costs_no_paper(
    box: TestBox, own: Stationery, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A logo that is no picture, a code that holds too much: the job comes out in the product's own layout."""
    monkeypatch.setattr(spool, "stationery_for", lambda _unit, _job: own)
    simulated = SimulatedPrinter()
    sell(box)
    pump = pump_for(box, simulated)
    while pump.step() == 0:
        pass
    assert states(box) == ["printed", "printed"]
    assert "Total" in text_of(simulated.receipts()[0])


def test_a_desk_that_comes_after_one_that_was_killed_ends_the_torso_in_the_printer(box: TestBox) -> None:
    """The printer waits for the rest of a picture: without that it would take the next receipt for it."""
    simulated = SimulatedPrinter()
    sell(box)
    box.run(printing.claim)
    simulated.receive(b"HALF A RECEIPT\n\x1dv0\x00" + (8).to_bytes(2, "little") + (24).to_bytes(2, "little"))
    pump = pump_for(box, simulated)
    pump.take_over(box.run(printing.recover))
    while pump.step() == 0:
        pass
    assert states(box) == ["ambiguous", "printed"]
    torso, whole = simulated.receipts()
    assert "HALF A RECEIPT" in torso.text
    assert "HALF A RECEIPT" not in whole.text
    assert "Songs of the River" in whole.text
