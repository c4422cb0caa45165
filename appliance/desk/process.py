"""The desk: one supervised thread per device, housekeeping in between, woken by the portal through a socket.

It shares nothing with portal and bridge but rows and wakes: either may be dead for the whole evening.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from appliance.desk.buttons import Buttons
from appliance.desk.camera import CameraKeeper
from appliance.desk.camera_scanner import CameraScanner
from appliance.desk.finder import Finder
from appliance.desk.found import FoundPrinter, FoundScanner
from appliance.desk.hardware import HardwareRows
from appliance.desk.hints import told_our_codes
from appliance.desk.hotspot import HotspotWatch
from appliance.desk.lamp import LampKeeper
from appliance.desk.loops import DeviceLoop, Supervised
from appliance.desk.messages import MessagePump
from appliance.desk.names import AUTO
from appliance.desk.photos import Photographer
from appliance.desk.scanning import Lane
from appliance.desk.spool import PrintPump
from appliance.domain.hardware import CAMERA_SCANNER
from appliance.services import printing, sms
from appliance.services.box import Box
from appliance.services.sweep import sweep
from appliance.services.wake import Waiter
from drivers import BadDeviceUrl, hotspot_for, lamp_for, modem_for, printer_for, scanner_for
from drivers.printer.api import Printer
from drivers.scanner.api import Scanner

SWEEP_S = 5.0
TICK_S = 0.5
STOP_S = 2.0
log = structlog.get_logger()


@dataclass(frozen=True)
class LaneAddress:
    """A lane by its name in check-ins and on stubs, and the devices in it."""

    name: str
    scanner: str = ""
    lamp: str = ""


@dataclass(frozen=True)
class Addresses:
    """Device addresses; empty means there is none."""

    printer: str = ""
    printer_2: str = ""
    lanes: tuple[LaneAddress, ...] = ()
    camera: str = ""
    modem: str = ""
    hotspot: str = ""
    messages_per_hour: int = 0
    photo_hours: int = 24
    memory: Path | None = None
    """File of which device was where, for those that are found by themselves."""
    sim_tries: Path | None = None
    """File of the PINs that the modem's SIM card did not take."""

    def named(self) -> Iterator[tuple[str, str]]:
        """(name in the settings, address) of every device."""
        yield from (("printer", self.printer), ("printer_2", self.printer_2), ("camera", self.camera))
        for number, lane in enumerate(self.lanes, start=1):
            yield numbered("scanner", number), lane.scanner
            yield numbered("lamp", number), lane.lamp
        yield from (("modem", self.modem), ("hotspot", self.hotspot))


class Desk:
    """Runs the devices that have an address; raises ``BadDeviceUrl`` if one cannot be used at all."""

    def __init__(self, box: Box, addresses: Addresses) -> None:
        self._elsewhere = box.wake
        # A verdict of this very process wakes the printer without the way over the socket.
        self._box = replace(box, wake=self.wake)
        self._wakes: list[Callable[[], None]] = []
        self._pumps: list[PrintPump] = []
        named = list(addresses.named())
        places = [name for name, address in named if address == AUTO]
        self._finder = Finder(places, [address for _, address in named], addresses.memory)
        self.camera: CameraKeeper | None = None
        # What is done beside the devices, and is no device of its own.
        self.chores: list[DeviceLoop] = []
        self.loops: list[DeviceLoop] = [
            *self._printers(addresses),
            *self._cameras(addresses),
            *self._lanes(addresses),
            *self._modems(addresses),
            *self._hotspots(addresses),
            # Every further device joins here: a name as in the settings, its loop, its health.
        ]

    def wake(self, whom: str) -> None:
        """Let a process look at its rows now: this one at the print spool."""
        if whom != "desk":
            self._elsewhere(whom)
            return
        for wake in self._wakes:
            wake()

    def run(self, socket: Path, stop: threading.Event, pulse: Callable[[], None] = lambda: None) -> None:
        """Work until ``stop`` is set; returns within some seconds then, whatever the devices do. ``pulse`` is called in each turn."""
        broken = self._box.run(printing.recover)
        for pump in self._pumps:
            pump.take_over(broken)
        self._box.run(sms.recover)
        devices = [Supervised(loop) for loop in self.loops]
        supervised = [*devices, *(Supervised(loop) for loop in self.chores)]
        for each in supervised:
            each.start(stop)
        with closing(Waiter(socket)) as waiter:
            rows = HardwareRows(self._box, {each.name: each.told for each in devices})
            self._keep_house(waiter, rows, stop, pulse)
        until_s = time.monotonic() + STOP_S
        for each in supervised:
            each.join(until_s)

    def _keep_house(self, waiter: Waiter, rows: HardwareRows, stop: threading.Event, pulse: Callable[[], None]) -> None:
        sweep_due_s = 0.0
        while not stop.is_set():
            pulse()
            if waiter.wait(TICK_S):
                self.wake("desk")
            try:
                rows.write()
                if time.monotonic() >= sweep_due_s:
                    sweep_due_s = time.monotonic() + SWEEP_S
                    self._box.run(sweep)
            except Exception:
                # The disk may be full for a while; the devices go on and so does this.
                log.exception("housekeeping_failed")

    def _printers(self, addresses: Addresses) -> list[DeviceLoop]:
        loops: list[DeviceLoop] = []
        pass_on: Callable[[], None] | None = None
        # The second first: it is woken by the first with what that one cannot take.
        for name, address in ((printing.SECOND, addresses.printer_2), (printing.FIRST, addresses.printer)):
            if address:
                printer = self._printer(name, address)
                pump = PrintPump(self._box, printer, name=name, pass_on=pass_on)
                pass_on = pump.wake
                self._pumps.append(pump)
                self._wakes.insert(0, pump.wake)
                loops.insert(0, DeviceLoop(name, pump.run, printer.health, pump.wake, self._expected(name, address)))
        return loops

    def _lanes(self, addresses: Addresses) -> list[DeviceLoop]:
        loops = []
        for number, address in enumerate(addresses.lanes, start=1):
            if not address.scanner:
                continue
            name = numbered("scanner", number)
            lane = Lane(self._box, self._scanner(name, address.scanner), address.name, device=name)
            expected = self._expected(name, address.scanner)
            loops.append(DeviceLoop(name, lane.run, lane.health, expected=expected))
            if address.lamp:
                lamp = LampKeeper(lamp_for(address.lamp), Buttons(self._box, lane).pressed)
                lane.lamp = lamp
                loops.append(DeviceLoop(numbered("lamp", number), lamp.run, lamp.health, lamp.wake))
        return loops

    def _expected(self, name: str, address: str) -> Callable[[], bool]:
        return (lambda: self._finder.expected(name)) if address == AUTO else (lambda: True)

    def _printer(self, name: str, address: str) -> Printer:
        return FoundPrinter(self._finder, name, "printer", printer_for) if address == AUTO else printer_for(address)

    def _scanner(self, name: str, address: str) -> Scanner:
        if address == AUTO:
            return FoundScanner(self._finder, name, "scanner", lambda url: told_our_codes(scanner_for(url)))
        if address != CAMERA_SCANNER:
            return told_our_codes(scanner_for(address))
        if self.camera is None:
            raise BadDeviceUrl(f"A scanner at {address} needs a camera, and desk.camera is not set.")
        return CameraScanner(self.camera)

    def _cameras(self, addresses: Addresses) -> list[DeviceLoop]:
        if not addresses.camera:
            return []
        self.camera = CameraKeeper(self._found_camera if addresses.camera == AUTO else addresses.camera)
        photographer = Photographer(self._box, self.camera.still, hours=addresses.photo_hours)
        self._wakes.append(photographer.wake)
        self.chores.append(DeviceLoop("photos", photographer.run, self.camera.health, photographer.wake))
        return [
            DeviceLoop(
                "camera", self.camera.run, self.camera.health, expected=self._expected("camera", addresses.camera)
            )
        ]

    def _found_camera(self) -> str | None:
        found = self._finder.at("camera")
        return found.address if found else None

    def _modems(self, addresses: Addresses) -> list[DeviceLoop]:
        # One that may send nothing is not opened either: guests are not offered what will not come.
        if not addresses.modem or not addresses.messages_per_hour:
            return []
        pump = MessagePump(
            self._box, modem_for(addresses.modem, addresses.sim_tries), per_hour=addresses.messages_per_hour
        )
        self._wakes.append(pump.wake)
        return [DeviceLoop(sms.MODEM, pump.run, pump.health, pump.wake)]

    def _hotspots(self, addresses: Addresses) -> list[DeviceLoop]:
        if not addresses.hotspot:
            return []
        watch = HotspotWatch(hotspot_for(addresses.hotspot))
        return [DeviceLoop("hotspot", watch.run, watch.health)]


def numbered(family: str, number: int) -> str:
    """The name of a device as in the settings: ``scanner``, ``scanner_2``, ..."""
    return family if number == 1 else f"{family}_{number}"
