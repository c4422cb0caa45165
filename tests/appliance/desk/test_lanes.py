"""A lane with its lamp and buttons: the lamp says the verdict, the buttons do what staff need, and neither makes anybody wait."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.desk.buttons import Buttons
from appliance.desk.lamp import LampKeeper
from appliance.desk.process import Addresses, Desk, LaneAddress
from appliance.desk.scanning import Lane
from appliance.desk.signals import signal_for
from appliance.services import door, hardware, printing
from appliance.services.staff_views import CheckInView
from appliance.store import jobs
from drivers.lamp.api import Button, Signal
from drivers.lamp.sim import SimLamp
from drivers.scanner.sim import SimScanner
from tests.appliance.desk.test_scanning import paid_ticket, scans
from tests.support.box import TestBox
from tests.support.demo import wait_for


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    """Ends every loop of the test."""
    event = threading.Event()
    yield event
    event.set()


class Shown:
    """A lamp's mailbox that keeps what it was told."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []

    def show(self, signal: Signal, for_s: float | None = None) -> None:
        assert for_s is not None, "no signal of a lane lasts for ever"
        self.signals.append(signal)


def lane_of(box: TestBox) -> tuple[Lane, Shown]:
    lane, lamp = Lane(box, SimScanner(), "left"), Shown()
    lane.lamp = lamp
    return lane, lamp


def test_the_lamp_says_green_red_or_that_somebody_has_something_to_do(
    box: TestBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Green only for who may come in; a scan that could not be recorded admits nobody."""
    lane, lamp = lane_of(box)
    code = paid_ticket(box)
    for text in (code, f"{code} ", "no ticket", unpaid_ticket(box)):
        lane.take(text)
    with monkeypatch.context() as patched:
        patched.setattr(door, "check_in", lambda *_: 1 / 0)
        lane.take(code)
    assert lamp.signals == [Signal.ADMIT, Signal.REFUSE, Signal.REFUSE, Signal.ATTENTION, Signal.ATTENTION]
    assert signal_for(None)[0] is Signal.ATTENTION


def unpaid_ticket(box: TestBox) -> str:
    from appliance.services import booking
    from appliance.services.booking import Item
    from tests.support.box import ADULT, guest

    hold = box.run(lambda unit: booking.place_hold(unit, guest("phone-2"), [Item(ADULT, 1)]))
    return box.run(lambda unit: booking.confirm(unit, hold.id)).tickets[0].code


def test_a_lamp_that_hangs_makes_no_visitor_wait_and_is_called_out_of_order(
    box: TestBox, stop: threading.Event
) -> None:
    """The driver's call does not come back for a minute; scans do at once."""
    lamp, scanner, heard = SimLamp(), SimScanner(), queue.SimpleQueue[CheckInView | None]()
    keeper = LampKeeper(lamp)
    lane = Lane(box, scanner, "left", heard.put)
    lane.lamp = keeper
    for loop in (keeper, lane):
        threading.Thread(target=loop.run, args=(stop,), daemon=True).start()
    wait_for(lambda: keeper.health().state.value == "ready", "the lamp")
    lamp.set_fault("block")
    for number in range(5):
        before = time.monotonic()
        scanner.scan(f"CODE{number}")
        assert heard.get(timeout=5) is not None
        assert time.monotonic() - before < 1
    wait_for(lambda: keeper.health().state.value == "fault", "the desk to call it out of order")
    lamp.set_fault(None)
    wait_for(lambda: keeper.health().state.value == "ready", "the lamp to be mended", 2)


def test_the_print_button_prints_the_last_stub_again_as_a_reprint(box: TestBox) -> None:
    """Once it is on paper; before, there is nothing to repeat, and the lamp asks for attention."""
    lane, lamp = lane_of(box)
    buttons = Buttons(box, lane)
    buttons.pressed(Button.PRINT)
    lane.take(paid_ticket(box))
    buttons.pressed(Button.PRINT)
    assert lamp.signals == [Signal.ATTENTION, Signal.ADMIT, Signal.ATTENTION]
    stub = next(row.id for row in box.look(lambda unit: jobs.recent(unit.db, 9)) if row.kind == "stub")
    box.run(lambda unit: jobs.change(unit.db, stub, state="printed"))
    buttons.pressed(Button.PRINT)
    again = box.look(lambda unit: printing.view(jobs.recent(unit.db, 1)[0]))
    assert (again.reprint_of, again.state) == (stub, "queued")
    assert lamp.signals[-1] is Signal.OFF


def test_the_undo_button_takes_the_lanes_last_scan_back(box: TestBox) -> None:
    """The ticket admits again."""
    lane, _lamp = lane_of(box)
    code = paid_ticket(box)
    lane.take(code)
    Buttons(box, lane).pressed(Button.UNDO)
    assert [each.undone for each in scans(box)] == [True]
    lane.take(code)
    assert scans(box)[-1].verdict == "admitted"


def test_a_desk_with_two_lanes_names_their_devices_as_the_settings_do(box: TestBox, tmp_path: Path) -> None:
    """Two printers, two scanners, two lamps, a third reader: each has its row."""
    lanes = (
        LaneAddress("left", "sim://scanner", "sim://lamp"),
        LaneAddress("right", "sim://scanner", "sim://lamp?fault=unplug"),
        LaneAddress("badges", "sim://scanner?fault=unplug"),
    )
    desk, stop = Desk(box, Addresses("sim://printer", "sim://printer?fault=unplug", lanes)), threading.Event()
    thread = threading.Thread(target=desk.run, args=(tmp_path / "desk.sock", stop), daemon=True)
    thread.start()
    expected = {
        "printer": "ready",
        "printer_2": "absent",
        "scanner": "ready",
        "scanner_2": "ready",
        "scanner_3": "absent",
        "lamp": "ready",
        "lamp_2": "absent",
    }
    wait_for(lambda: {each.name: each.state for each in box.look(hardware.seen)} == expected, "every device's row")
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
