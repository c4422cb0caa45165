"""The desk: one supervised thread per device, housekeeping in between, woken by the portal through a socket.

It shares nothing with portal and bridge but rows and wakes: either may be dead for the whole evening.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from appliance.desk.buttons import Buttons
from appliance.desk.camera import CameraKeeper
from appliance.desk.camera_scanner import CameraScanner
from appliance.desk.hardware import HardwareRows
from appliance.desk.hints import told_our_codes
from appliance.desk.lamp import LampKeeper
from appliance.desk.loops import DeviceLoop, Supervised
from appliance.desk.messages import MessagePump
from appliance.desk.photos import Photographer
from appliance.desk.scanning import Lane
from appliance.desk.spool import PrintPump
from appliance.domain.hardware import CAMERA_SCANNER
from appliance.services import printing, sms
from appliance.services.box import Box
from appliance.services.sweep import sweep
from appliance.services.wake import Waiter
from drivers import BadDeviceUrl, lamp_for, modem_for, printer_for, scanner_for
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
    messages_per_hour: int = 0
    photo_hours: int = 24


class Desk:
    """Runs the devices that have an address; raises ``BadDeviceUrl`` if one cannot be used at all."""

    def __init__(self, box: Box, addresses: Addresses) -> None:
        self._elsewhere = box.wake
        # A verdict of this very process wakes the printer without the way over the socket.
        self._box = replace(box, wake=self.wake)
        self._wakes: list[Callable[[], None]] = []
        self._pumps: list[PrintPump] = []
        self.camera: CameraKeeper | None = None
        # What is done beside the devices, and is no device of its own.
        self.chores: list[DeviceLoop] = []
        self.loops: list[DeviceLoop] = [
            *self._printers(addresses),
            *self._cameras(addresses),
            *self._lanes(addresses),
            *self._modems(addresses),
            # Every further device joins here: a name as in the settings, its loop, its health.
        ]

    def wake(self, whom: str) -> None:
        """Let a process look at its rows now: this one at the print spool."""
        if whom != "desk":
            self._elsewhere(whom)
            return
        for wake in self._wakes:
            wake()

    def run(self, socket: Path, stop: threading.Event) -> None:
        """Work until ``stop`` is set; returns within some seconds then, whatever the devices do."""
        broken = self._box.run(printing.recover)
        for pump in self._pumps:
            pump.take_over(broken)
        self._box.run(sms.recover)
        devices = [Supervised(loop) for loop in self.loops]
        supervised = [*devices, *(Supervised(loop) for loop in self.chores)]
        for each in supervised:
            each.start(stop)
        with closing(Waiter(socket)) as waiter:
            self._keep_house(waiter, HardwareRows(self._box, {each.name: each.health for each in devices}), stop)
        until_s = time.monotonic() + STOP_S
        for each in supervised:
            each.join(until_s)

    def _keep_house(self, waiter: Waiter, rows: HardwareRows, stop: threading.Event) -> None:
        sweep_due_s = 0.0
        while not stop.is_set():
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
                printer = printer_for(address)
                pump = PrintPump(self._box, printer, name=name, pass_on=pass_on)
                pass_on = pump.wake
                self._pumps.append(pump)
                self._wakes.insert(0, pump.wake)
                loops.insert(0, DeviceLoop(name, pump.run, printer.health, pump.wake))
        return loops

    def _lanes(self, addresses: Addresses) -> list[DeviceLoop]:
        loops = []
        for number, address in enumerate(addresses.lanes, start=1):
            if not address.scanner:
                continue
            name = numbered("scanner", number)
            lane = Lane(self._box, self._scanner(address.scanner), address.name, device=name)
            loops.append(DeviceLoop(name, lane.run, lane.health))
            if address.lamp:
                lamp = LampKeeper(lamp_for(address.lamp), Buttons(self._box, lane).pressed)
                lane.lamp = lamp
                loops.append(DeviceLoop(numbered("lamp", number), lamp.run, lamp.health, lamp.wake))
        return loops

    def _scanner(self, address: str) -> Scanner:
        if address != CAMERA_SCANNER:
            return told_our_codes(scanner_for(address))
        if self.camera is None:
            raise BadDeviceUrl(f"A scanner at {address} needs a camera, and desk.camera is not set.")
        return CameraScanner(self.camera)

    def _cameras(self, addresses: Addresses) -> list[DeviceLoop]:
        if not addresses.camera:
            return []
        self.camera = CameraKeeper(addresses.camera)
        photographer = Photographer(self._box, self.camera.still, hours=addresses.photo_hours)
        self._wakes.append(photographer.wake)
        self.chores.append(DeviceLoop("photos", photographer.run, self.camera.health, photographer.wake))
        return [DeviceLoop("camera", self.camera.run, self.camera.health)]

    def _modems(self, addresses: Addresses) -> list[DeviceLoop]:
        # One that may send nothing is not opened either: guests are not offered what will not come.
        if not addresses.modem or not addresses.messages_per_hour:
            return []
        pump = MessagePump(self._box, modem_for(addresses.modem), per_hour=addresses.messages_per_hour)
        self._wakes.append(pump.wake)
        return [DeviceLoop(sms.MODEM, pump.run, pump.health, pump.wake)]


def numbered(family: str, number: int) -> str:
    """The name of a device as in the settings: ``scanner``, ``scanner_2``, ..."""
    return family if number == 1 else f"{family}_{number}"
