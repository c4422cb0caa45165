"""The desk: one thread per device, housekeeping in between, woken by the portal through a socket."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import structlog

from appliance.desk.camera import CameraKeeper
from appliance.desk.hardware import HardwareRows
from appliance.desk.scanning import ScanLoop
from appliance.desk.spool import PrintPump
from appliance.services import printing
from appliance.services.box import Box
from appliance.services.sweep import sweep
from appliance.services.wake import Waiter
from drivers import printer_for, scanner_for
from drivers.backoff import Backoff
from drivers.health import Health

SWEEP_S = 5.0
TICK_S = 1.0
STOP_S = 2.0
log = structlog.get_logger()


@dataclass(frozen=True)
class Addresses:
    """Device addresses; empty means there is none. ``lane`` names this desk in check-ins."""

    printer: str
    scanner: str
    camera: str
    lane: str


class Desk:
    """Runs the devices that have an address; raises ``BadDeviceUrl`` if one cannot be used at all."""

    def __init__(self, box: Box, addresses: Addresses) -> None:
        self._box = box
        self._health: dict[str, Callable[[], Health]] = {}
        self._loops: dict[str, Callable[[threading.Event], None]] = {}
        self._pump: PrintPump | None = None
        if addresses.printer:
            printer = printer_for(addresses.printer)
            self._pump = PrintPump(box, printer)
            self._add("printer", printer.health, self._pump.run)
        if addresses.scanner:
            scanner = scanner_for(addresses.scanner)
            self._add("scanner", scanner.health, ScanLoop(box, scanner, addresses.lane).run)
        if addresses.camera:
            self.camera = CameraKeeper(addresses.camera)
            self._add("camera", self.camera.health, self.camera.run)

    def _add(self, name: str, health: Callable[[], Health], loop: Callable[[threading.Event], None]) -> None:
        self._health[name] = health
        self._loops[name] = loop

    def run(self, socket: Path, stop: threading.Event) -> None:
        """Work until ``stop`` is set; returns within some seconds then, whatever the devices do."""
        self._box.run(printing.recover)
        threads = [
            threading.Thread(target=_lasting, args=(name, loop, stop), name=name, daemon=True)
            for name, loop in self._loops.items()
        ]
        for thread in threads:
            thread.start()
        with closing(Waiter(socket)) as waiter:
            self._keep_house(waiter, stop)
        if self._pump:
            self._pump.wake()
        until = time.monotonic() + STOP_S
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _keep_house(self, waiter: Waiter, stop: threading.Event) -> None:
        rows = HardwareRows(self._box, self._health)
        sweep_due_s = 0.0
        while not stop.is_set():
            if waiter.wait(TICK_S) and self._pump:
                self._pump.wake()
            try:
                rows.write()
                if time.monotonic() >= sweep_due_s:
                    sweep_due_s = time.monotonic() + SWEEP_S
                    self._box.run(sweep)
            except Exception:
                # The disk may be full for a while; the devices go on and so does this.
                log.exception("housekeeping_failed")


def _lasting(name: str, loop: Callable[[threading.Event], None], stop: threading.Event) -> None:
    """Run a device's loop; one that fails in a way nobody foresaw is logged and begins again."""
    backoff = Backoff(max_s=5.0)
    while not stop.is_set():
        try:
            loop(stop)
        except Exception:
            log.exception("device_loop_failed", device=name)
            stop.wait(backoff.next_s())
