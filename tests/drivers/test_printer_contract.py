"""What every printer backend promises, run over each that can run here."""

from __future__ import annotations

import time

import pytest
from PIL import Image

from drivers import DeviceTimeout, DeviceUnavailable, PrinterNotReady, State
from drivers.errors import CoverOpen, DeviceError, PaperOut, PrinterJammed
from drivers.printer.api import UNKNOWN_STATUS, Cover, Paper, PrinterStatus
from drivers.printer.document import Cut, Document, Text
from drivers.printer.encoder import render
from drivers.printer.model import Picture, Receipt
from drivers.printer.raster import raster_commands
from drivers.printer.simulator import Fault
from tests.drivers.patience import eventually
from tests.drivers.printer_rigs import PrinterRig

JOB = render(Document.of(Text("Hello Łódź"), Cut()))
LONG_JOB = b"x" * 4_000_000
# One command of 18 kB, which a break cuts in the middle, then letters.
PICTURE_JOB = raster_commands(Image.new("1", (576, 256), 0)) + JOB
MARGIN_S = 1.0
SHORT_S = 0.15
"""Long enough for a job to break off in; an emulated machine needs more."""


def test_a_job_is_printed_and_the_printer_confirms_it(printer_rig: PrinterRig) -> None:
    assert printer_rig.printer.write(JOB, 2.0) == len(JOB)
    assert printer_rig.printer.confirm(2.0)
    assert printer_rig.simulated.receipts()[-1].text == "Hello Łódź"
    assert printer_rig.simulated.receipts()[-1].raw == JOB


def test_an_opened_printer_is_not_called_ready_before_it_said_so(printer_rig: PrinterRig) -> None:
    assert printer_rig.printer.health().state is State.DEGRADED


def test_a_healthy_printer_says_paper_ok_cover_closed_online(printer_rig: PrinterRig) -> None:
    assert printer_rig.printer.status() == PrinterStatus(Paper.OK, Cover.CLOSED, online=True)
    assert printer_rig.printer.health().state is State.READY


@pytest.mark.parametrize(
    ("fault", "paper", "cover", "online", "state"),
    [
        ("paper_out", Paper.OUT, Cover.CLOSED, False, State.FAULT),
        ("paper_low", Paper.LOW, Cover.CLOSED, True, State.DEGRADED),
        ("cover_open", Paper.OK, Cover.OPEN, False, State.FAULT),
        ("offline", Paper.OK, Cover.CLOSED, False, State.FAULT),
        ("chatty", Paper.OK, Cover.CLOSED, True, State.READY),
    ],
)
def test_each_fault_is_read_from_the_printers_own_answers(
    printer_rig: PrinterRig, fault: str, paper: Paper, cover: Cover, online: bool, state: State
) -> None:
    printer_rig.simulated.set_fault(fault)
    assert printer_rig.printer.status() == PrinterStatus(paper, cover, online)
    health = printer_rig.printer.health()
    assert health.state is state
    assert health.reason
    assert health.detail["paper"] == paper.value


@pytest.mark.parametrize("fault", ["silent", "garbage", "stall"])
def test_a_printer_that_says_nothing_useful_is_unknown_never_ok(printer_rig: PrinterRig, fault: str) -> None:
    printer_rig.simulated.set_fault(fault)
    assert eventually(lambda: printer_rig.printer.status() == UNKNOWN_STATUS)
    assert printer_rig.printer.health().state is State.DEGRADED
    assert not printer_rig.printer.confirm(0.1)


def test_late_answers_do_not_answer_the_next_question(printer_rig: PrinterRig) -> None:
    printer_rig.simulated.set_fault("stall")
    assert eventually(lambda: printer_rig.printer.status() == UNKNOWN_STATUS)
    printer_rig.simulated.set_fault("paper_out")
    assert eventually(lambda: printer_rig.printer.status().paper is Paper.OUT)
    assert printer_rig.printer.status() == PrinterStatus(Paper.OUT, Cover.CLOSED, online=False)


def test_a_stalled_printer_never_holds_a_write_longer_than_its_deadline(printer_rig: PrinterRig) -> None:
    printer_rig.simulated.set_fault("stall")
    start = time.monotonic()
    with pytest.raises(DeviceTimeout) as stopped:
        printer_rig.printer.write(LONG_JOB, 0.3)
    assert time.monotonic() - start < 0.3 + MARGIN_S
    assert 0 < stopped.value.bytes_taken < len(LONG_JOB)


def test_after_some_bytes_were_taken_the_printer_is_closed_and_can_be_opened_again(printer_rig: PrinterRig) -> None:
    printer_rig.simulated.set_fault("stall")
    with pytest.raises(DeviceTimeout):
        printer_rig.printer.write(LONG_JOB, 0.2)
    assert printer_rig.printer.health().state is State.FAULT
    with pytest.raises(DeviceUnavailable):
        printer_rig.printer.write(JOB, 0.3)
    printer_rig.simulated.set_fault(None)
    printer_rig.printer.open()
    printer_rig.printer.write(b"\n" + JOB, 2.0)
    assert printer_rig.printed()


def test_an_unplugged_printer_took_no_byte_and_is_absent(printer_rig: PrinterRig) -> None:
    printer_rig.simulated.set_fault("unplug")
    assert eventually(lambda: printer_rig.printer.health().state is State.ABSENT or not _asked(printer_rig))
    with pytest.raises(DeviceUnavailable) as gone:
        printer_rig.printer.write(JOB, 1.0)
    assert gone.value.bytes_taken == 0
    with pytest.raises(DeviceError):
        printer_rig.printer.open()
    assert printer_rig.printer.status() == UNKNOWN_STATUS


def _asked(rig: PrinterRig) -> bool:
    return rig.printer.status().answered


def test_a_printer_that_comes_back_prints_again(printer_rig: PrinterRig) -> None:
    printer_rig.simulated.set_fault("unplug")
    assert eventually(lambda: not _asked(printer_rig) and printer_rig.printer.health().state is State.ABSENT)
    printer_rig.simulated.set_fault(None)
    assert eventually(lambda: _opens(printer_rig))
    printer_rig.printer.write(JOB, 2.0)
    assert printer_rig.printed()


def _opens(rig: PrinterRig) -> bool:
    try:
        rig.printer.open()
    except DeviceError:
        return False
    return True


BREAKS = ["unplug", "reset", "stall"]


def _taken(rig: PrinterRig) -> int:
    """How many bytes the driver says have left; all of them where a network or a kernel kept them."""
    try:
        return rig.printer.write(PICTURE_JOB, SHORT_S)
    except DeviceError as broken:
        return broken.bytes_taken


@pytest.mark.parametrize("fault", BREAKS)
@pytest.mark.parametrize("at", [1, 700])
def test_a_job_that_breaks_off_is_never_counted_as_less_than_the_printer_got(
    printer_rig: PrinterRig, fault: str, at: int
) -> None:
    printer_rig.simulated.break_after_bytes(at, Fault(fault))
    before = printer_rig.simulated.byte_count
    taken = _taken(printer_rig)
    assert eventually(lambda: printer_rig.simulated.byte_count - before >= at)
    assert printer_rig.simulated.byte_count - before <= taken
    assert not printer_rig.printer.confirm(0.1)
    assert printer_rig.simulated.receipts() == []


@pytest.mark.parametrize("fault", BREAKS)
def test_half_a_picture_does_not_swallow_the_beginning_of_the_next_job(printer_rig: PrinterRig, fault: str) -> None:
    printer_rig.simulated.break_after_bytes(700, Fault(fault))
    _taken(printer_rig)
    printer_rig.printer.confirm(0.1)
    printer_rig.simulated.set_fault(None)
    assert eventually(lambda: _opens(printer_rig))
    printer_rig.printer.write(JOB, 3.0)
    assert eventually(lambda: any(_is_just_the_job(receipt) for receipt in printer_rig.simulated.receipts()))


def _is_just_the_job(receipt: Receipt) -> bool:
    return receipt.raw.endswith(JOB) and receipt.whole and not any(isinstance(row, Picture) for row in receipt.rows)


@pytest.mark.parametrize(
    ("fault", "error"), [("paper_out", PaperOut), ("cover_open", CoverOpen), ("jam", PrinterJammed)]
)
def test_a_printer_that_stops_within_a_job_says_why_and_does_not_confirm_it(
    printer_rig: PrinterRig, fault: str, error: type[DeviceError]
) -> None:
    printer_rig.simulated.break_after_bytes(len(JOB) // 2, Fault(fault))
    printer_rig.printer.write(JOB, 2.0)
    assert not printer_rig.printer.confirm(0.1)
    with pytest.raises(error):
        printer_rig.printer.status().raise_if_not_ready()
    assert printer_rig.printer.health().state is State.FAULT


def test_a_printer_that_answers_late_is_unknown_to_the_hasty_and_confirms_to_the_patient(
    printer_rig: PrinterRig,
) -> None:
    printer_rig.simulated.reply_s = 1.5 * printer_rig.timeout_s
    assert printer_rig.printer.status() == UNKNOWN_STATUS
    printer_rig.printer.write(JOB, 2.0)
    assert printer_rig.printer.confirm(20 * printer_rig.timeout_s)
    printer_rig.simulated.reply_s = 0.0
    assert eventually(lambda: printer_rig.printer.status() == PrinterStatus(Paper.OK, Cover.CLOSED, online=True))


def test_without_paper_a_job_is_neither_drawn_nor_confirmed(printer_rig: PrinterRig) -> None:
    printer_rig.simulated.set_fault("paper_out")
    printer_rig.printer.write(JOB, 2.0)
    assert not printer_rig.printer.confirm(0.1)
    assert printer_rig.simulated.receipts() == []
    with pytest.raises(PaperOut, match="new roll"):
        printer_rig.printer.status().raise_if_not_ready()


def test_a_slow_printer_prints_within_a_patient_deadline(printer_rig: PrinterRig) -> None:
    printer_rig.simulated.set_fault("slow")
    printer_rig.printer.write(JOB, 5.0)
    assert printer_rig.printer.confirm(5.0)
    assert printer_rig.simulated.receipts()[-1].text == "Hello Łódź"


def test_opening_and_closing_twice_is_harmless(printer_rig: PrinterRig) -> None:
    printer_rig.printer.open()
    printer_rig.printer.close()
    printer_rig.printer.close()
    assert printer_rig.printer.health().state is State.ABSENT
    assert printer_rig.printer.status() == UNKNOWN_STATUS
    assert not printer_rig.printer.confirm(0.1)


def test_each_refusal_of_a_printer_says_what_to_do() -> None:
    with pytest.raises(CoverOpen, match="Close the cover"):
        PrinterStatus(cover=Cover.OPEN).raise_if_not_ready()
    with pytest.raises(PrinterNotReady, match="offline"):
        PrinterStatus(online=False).raise_if_not_ready()
    UNKNOWN_STATUS.raise_if_not_ready()
