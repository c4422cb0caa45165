"""The simulated hardware of one venue, each piece with what can be wrong with it.

Printer and scanners live in the demo's process, behind a TCP port and pseudo-terminals. Lamps, camera and modem live in the desk
and are worked through files: ``control`` holds the name of the fault, ``shown`` what a lamp shows, ``pressed`` a button.
"""

from __future__ import annotations

import contextlib
import enum
import math
import threading
import time
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from appliance.domain.repeats import REPEAT_MS
from drivers.camera.sim import Fault as CameraFault
from drivers.hotspot.sim import Fault as HotspotFault
from drivers.lamp.api import Button
from drivers.lamp.sim import Fault as LampFault
from drivers.modem.simulator import Fault as ModemFault
from drivers.printer.server import SimulatedPrinterServer
from drivers.printer.simulator import Fault as PrinterFault
from drivers.scanner.pty import PtyScanner
from drivers.simulated_files import show_in

_BLINK_S = 0.05
_TIMES = 5
_NOISE = b"\xff\x00\xa5\x5a\xff"


class ScannerFault(enum.Enum):
    """What can be wrong with a simulated scanner."""

    UNPLUG = "unplug"
    REPEATS = "repeats"
    """It scans what lies before it several times."""
    NOISE = "noise"
    """Its line carries rubbish before every code."""


class Simulated(Protocol):
    """A piece of hardware that can be broken and mended; ``name`` as in the settings, ``url`` what stands there."""

    name: str

    @property
    def url(self) -> str:
        """Its driver address."""
        ...

    @property
    def faults(self) -> tuple[str, ...]:
        """What can be wrong with it."""
        ...

    @property
    def fault(self) -> str | None:
        """What is wrong with it now."""
        ...

    def set_fault(self, name: str | None) -> None:
        """Break it in one way of ``faults``, or mend it with None."""

    def close(self) -> None:
        """Put it away."""


class DemoPrinter(SimulatedPrinterServer):
    """A receipt printer on a TCP port."""

    name = "printer"
    faults = tuple(fault.value for fault in PrinterFault)

    def close(self) -> None:
        """See ``Simulated.close``."""
        self.stop()


class DemoScanner:
    """A scanner on a serial line, with the person who holds tickets before it."""

    faults = tuple(fault.value for fault in ScannerFault)

    def __init__(self, name: str, link: Path) -> None:
        self.name = name
        self._pty = PtyScanner(link)
        self._fault: ScannerFault | None = None
        self._holding = threading.Lock()
        self._held_up: dict[str, float] = {}

    @property
    def url(self) -> str:
        """See ``Simulated.url``."""
        return self._pty.url

    @property
    def fault(self) -> str | None:
        """See ``Simulated.fault``."""
        return self._fault.value if self._fault else None

    def set_fault(self, name: str | None) -> None:
        """See ``Simulated.set_fault``."""
        before, self._fault = self._fault, ScannerFault(name) if name is not None else None
        if self._fault is ScannerFault.UNPLUG:
            self._pty.unplug()
        elif before is ScannerFault.UNPLUG:
            self._pty.replug()

    def hold_up(self, code: str) -> None:
        """Hold a code before the scanner, out of its sight for long enough before that it counts as another scan.

        Raises ``DeviceUnavailable`` when the scanner is unplugged or nobody reads it.
        """
        with self._holding:
            last_s = self._held_up.get(code, -math.inf)
            due_s = max(time.monotonic(), last_s + REPEAT_MS / 1000 + _BLINK_S)
            self._held_up[code] = due_s
        time.sleep(max(0.0, due_s - time.monotonic()))
        self.scan(code)

    def scan(self, code: str) -> None:
        """Let the scanner read a code now; raises as ``hold_up``."""
        if self._fault is ScannerFault.NOISE:
            self._pty.send(_NOISE + b"\r")
        for _ in range(_TIMES if self._fault is ScannerFault.REPEATS else 1):
            self._pty.scan(code)

    def close(self) -> None:
        """See ``Simulated.close``."""
        with contextlib.suppress(OSError):
            self._pty.close()


class ByFile:
    """A device in the desk's own process that is broken through its control file, which outlives both processes."""

    def __init__(self, name: str, family: str, folder: Path, faults: tuple[str, ...]) -> None:
        self.name = name
        self.faults = faults
        self._family = family
        self._control = folder / f"{name}.control"
        self._files: dict[str, Path] = {"control": self._control}
        self.set_fault(None)

    @property
    def url(self) -> str:
        """See ``Simulated.url``."""
        options = "&".join(f"{name}={quote(str(path))}" for name, path in self._files.items())
        return f"sim://{self._family}?{options}"

    @property
    def fault(self) -> str | None:
        """See ``Simulated.fault``."""
        return self._control.read_text("utf-8").strip() or None

    def set_fault(self, name: str | None) -> None:
        """See ``Simulated.set_fault``."""
        show_in(str(self._control), name or "")

    def close(self) -> None:
        """See ``Simulated.close``."""


class DemoLamp(ByFile):
    """A lamp with two buttons."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name, "lamp", folder, tuple(fault.value for fault in LampFault))
        self._files |= {"shown": folder / f"{name}.shown", "pressed": folder / f"{name}.pressed"}

    @property
    def shown(self) -> str:
        """The name of what it shows, ``off`` before it showed anything."""
        try:
            return self._files["shown"].read_text("utf-8").strip() or "off"
        except OSError:
            return "off"

    def press(self, button: Button) -> None:
        """Press a button."""
        show_in(str(self._files["pressed"]), button.value)


def camera(folder: Path) -> ByFile:
    """A camera in the desk's killable child."""
    return ByFile("camera", "camera", folder, tuple(fault.value for fault in CameraFault))


def modem(folder: Path) -> ByFile:
    """A modem whose network takes every message."""
    return ByFile("modem", "modem", folder, tuple(fault.value for fault in ModemFault))


def hotspot(folder: Path) -> ByFile:
    """A Wi-Fi with some guests on it."""
    return ByFile("hotspot", "hotspot", folder, tuple(fault.value for fault in HotspotFault))
