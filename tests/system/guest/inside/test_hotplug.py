"""The real `marquee desk`, told to find its devices: a scanner and a printer are plugged in while it runs, pulled out, and plugged in again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.bootstrap.device import device_box
from appliance.services import booking, door, hardware, payments, printing, sync
from appliance.services.booking import Item
from appliance.services.box import Box, Unit
from appliance.services.staff_views import CheckInView
from appliance.settings import Settings, read_settings
from appliance.store import jobs
from drivers.printer.simulator import Fault
from mqtt_bridge.protocol.ids import shown
from mqtt_bridge.protocol.messages import Granted
from tests.support import box as example
from tests.system.guest.inside.gadgets import SerialHand
from tests.system.guest.inside.usb_printer import GadgetPrinter

# An emulated processor that two others share.
PATIENCE_S = 120.0
DESK = """
[device]
org = "org"
venue = "north"
name = "north-1"
data = "{data}"
[clock]
mode = "trusted"
[desk]
printer = "auto"
printer_2 = "auto"
scanner = "auto"
scanner_2 = "auto"
camera = "auto"
lane = "north door"
"""


class Venue:
    """A venue whose door is open now, its desk's own process, and what both wrote down."""

    def __init__(self, settings: Settings, file: Path) -> None:
        self.box: Box = device_box(settings)
        self.file = file
        self.box.run(lambda unit: sync.apply_catalogue(unit, example.example_catalogue()))
        self.box.run(self._grant)

    @staticmethod
    def _grant(unit: Unit) -> None:
        rows = (Granted(example.ROOM, 1, 10, 0, 0, 25),)
        sync.apply_state(unit, example.state(unit, rows, revision=unit.device.state_revision + 1))

    def ticket(self) -> str:
        """Sell one for tonight, and return its code."""
        hold = self.box.run(lambda unit: booking.place_hold(unit, example.guest(), [Item(example.ADULT, 1)]))
        order = self.box.run(lambda unit: booking.confirm(unit, hold.id))
        self.box.run(lambda unit: payments.take_payment(unit, order.id, example.BADGE, "cash", order.due_minor))
        return order.tickets[0].code

    def scans(self) -> list[CheckInView]:
        return list(reversed(self.box.look(lambda unit: door.recent(unit, 50))))

    def devices(self) -> dict[str, tuple[str, str]]:
        return {each.name: (each.state, each.reason) for each in self.box.look(hardware.seen)}

    def state(self, name: str) -> str:
        return self.devices().get(name, ("", ""))[0]

    @contextmanager
    def desk(self) -> Iterator[None]:
        process = subprocess.Popen([sys.executable, "-m", "appliance.cli", "desk", "--config", str(self.file)])
        try:
            yield
            assert process.poll() is None, "the desk is still the same process"
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Venue:
    monkeypatch.setattr(example, "START_MS", time.time_ns() // 1_000_000)
    file = tmp_path / "marquee.toml"
    file.write_text(DESK.format(data=tmp_path / "data"))
    return Venue(read_settings(file, {}), file)


def until(holds: Callable[[], bool], what: str, venue: Venue) -> float:
    """Wait for it, and return how long that took."""
    begun_s = time.monotonic()
    while not holds():
        assert time.monotonic() - begun_s < PATIENCE_S, f"{what}; {venue.devices()}, {len(venue.scans())} scans"
        time.sleep(0.02)
    return time.monotonic() - begun_s


@pytest.mark.timeout(600)
def test_usb_serial_scanner_and_usb_printer_gadgets_are_found_by_the_desk_by_hot_plug(
    venue: Venue, name: str, figure: Callable[[str], None]
) -> None:
    codes = [venue.ticket() for _ in range(3)]
    with venue.desk():
        until(lambda: venue.state("printer") == venue.state("scanner") == "absent", "it waits for devices", venue)
        assert venue.devices()["scanner"][1] == "No scanner is plugged in."
        assert set(venue.devices()) == {"printer", "scanner"}, "nobody misses second ones, or a camera"

        hand = SerialHand(f"{name}S")
        printer = GadgetPrinter(f"{name}P")
        printer.start()
        try:
            found_s = until(
                lambda: venue.state("scanner") == venue.state("printer") == "ready", "both are found", venue
            )
            figure(f"desk found a plugged-in scanner and printer after {found_s:.1f} s")
            assert f"{name}S (serial port)" in venue.devices()["scanner"][1]
            assert f"{name}P (printer)" in venue.devices()["printer"][1]
            _admitted(venue, hand, printer, codes[0], 1)

            hand.unplug()
            printer.printer.set_fault(Fault.UNPLUG)
            until(lambda: venue.state("scanner") == venue.state("printer") == "absent", "both are gone", venue)
            hand.replug()
            printer.printer.set_fault(None)
            back_s = until(lambda: venue.state("scanner") == venue.state("printer") == "ready", "both are back", venue)
            figure(f"desk had scanner and printer back after re-plug in {back_s:.1f} s")
            _admitted(venue, hand, printer, codes[1], 2)

            second = SerialHand(f"{name}T", port=2)
            try:
                until(lambda: venue.state("scanner_2") == "ready", "a second lane", venue)
                second.scan(shown(codes[2]))
                until(lambda: len(venue.scans()) == 3, "its scan", venue)
                assert [each.lane for each in venue.scans()] == ["north door", "north door", "door 2"]
            finally:
                second.close()
            until(lambda: venue.state("scanner_2") == "absent", "somebody pulled it out", venue)
            assert venue.state("scanner") == "ready", "the first lane stays what it was"
        finally:
            printer.stop()
            hand.close()


def _admitted(venue: Venue, hand: SerialHand, printer: GadgetPrinter, code: str, number: int) -> None:
    """A scan ends in a verdict, and in a stub on the gadget's paper."""
    hand.scan(shown(code))
    until(lambda: len(venue.scans()) == number, "a verdict", venue)
    assert venue.scans()[-1].verdict == "admitted"
    until(lambda: _stubs(venue) == number, "a stub", venue)
    paper = [" ".join(each.text.split()) for each in printer.printer.receipts()]
    assert any(shown(code) in each and "Adult" in each for each in paper), paper


def _stubs(venue: Venue) -> int:
    """How many stubs the printer has confirmed; receipts of the payments come out as well."""
    views = venue.box.look(lambda unit: [printing.view(row) for row in jobs.recent(unit.db, 50)])
    return sum(each.kind == "stub" and each.state == "printed" for each in views)
