"""What a desk does before the device is one: it prints what is wrong, once for each problem, and waits.

Its printer may be found later than the problem, or be out of paper: then the slip comes when it can.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from appliance.desk.finder import Finder
from appliance.desk.found import FoundPrinter
from appliance.desk.names import AUTO
from appliance.domain.setup import WORDS, Setup
from appliance.services.setting_up import read_setup, write
from drivers import printer_for
from drivers.errors import DeviceError
from drivers.printer.api import Printer, write_deadline_s
from drivers.printer.document import Align, Cut, Document, Feed, Rule, Text, Title
from drivers.printer.encoder import render

TOLD, MOST_TOLD = "setup-slips.json", 50
LOOK_S = 2.0
CONFIRM_S = 5.0
# A cable that is plugged in a minute later is no reason for paper.
PATIENCE_S = {"unreachable": 120.0, "wrong_authority": 60.0}
log = structlog.get_logger()


def printer_at(address: str) -> Printer:
    """Return the driver of the desk's first printer; raises ``BadDeviceUrl``."""
    return (
        FoundPrinter(Finder(["printer"]), "printer", "printer", printer_for)
        if address == AUTO
        else printer_for(address)
    )


def slip(setup: Setup) -> Document:
    """Return the paper about ``setup``: what is wrong, what to do, and each problem."""
    what, todo = WORDS[setup.step]
    return Document.of(
        Title("Not set up yet"),
        Text(setup.device, align=Align.CENTER) if setup.device else (),
        Rule(),
        Text(what, bold=True),
        [Text(f"- {each}") for each in setup.problems],
        Feed(1),
        Text(todo),
        Rule(),
        Cut(),
    )


class SetupDesk:
    """Prints for the device whose files are in ``data`` until it is set up; ``printer`` None prints nothing."""

    def __init__(self, data: Path, printer: Printer | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._data, self._printer, self._clock = data, printer, clock
        self._since: tuple[str, float] = ("", 0.0)

    def run(self, stop: threading.Event, pulse: Callable[[], None] = lambda: None) -> None:
        """Work until the device is set up or ``stop`` is set. ``pulse`` is called in each turn."""
        try:
            while self.step() and not stop.wait(LOOK_S):
                pulse()
        finally:
            if self._printer is not None:
                self._printer.close()

    def step(self) -> bool:
        """Look once, and print what is due; False once the device is set up."""
        setup = read_setup(self._data)
        if setup is None or not setup.pending:
            return False
        name = _name(setup)
        if self._since[0] != name:
            self._since = name, self._clock()
        patient = self._clock() - self._since[1] < PATIENCE_S.get(setup.step, 0.0)
        if self._printer is not None and setup.step != "waiting" and not patient and name not in self._told():
            self._print(self._printer, setup, name)
        return True

    def _print(self, printer: Printer, setup: Setup, name: str) -> None:
        try:
            printer.open()
            printer.status().raise_if_not_ready()
            data = render(slip(setup), printer.profile, bytes_per_s=printer.bytes_per_s)
            printer.write(data, write_deadline_s(len(data), printer.bytes_per_s))
            printer.confirm(CONFIRM_S)
        except DeviceError as error:
            log.info("setup_slip_waits", reason=str(error))
            return
        write(self._data / TOLD, json.dumps([*self._told(), name][-MOST_TOLD:]).encode())
        log.info("setup_slip_printed", step=setup.step)

    def _told(self) -> list[str]:
        with contextlib.suppress(OSError, ValueError):
            return [str(each) for each in json.loads((self._data / TOLD).read_bytes())]
        return []


def _name(setup: Setup) -> str:
    """The same problem has the same name, also after a restart."""
    return hashlib.sha256("\0".join((setup.step, setup.device, *setup.problems)).encode()).hexdigest()[:16]
