"""A simulated printer on a serial line that a pty stands in for."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from pathlib import Path

from drivers.printer.exchange import exchange
from drivers.printer.simulator import Fault, SimulatedPrinter
from drivers.pty_port import PtyPort

_CHUNK = 512
_STOP_S = 5.0
_PAUSE_S = 0.05


class PtyPrinter:
    """Between `start` and `stop` a thread moves bytes between the pty and the simulated printer."""

    def __init__(self, link: Path | None = None) -> None:
        self.printer = SimulatedPrinter()
        self._port = PtyPort(link)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def path(self) -> str:
        """The name of the port."""
        return self._port.path

    @property
    def url(self) -> str:
        """The address to give to `open_printer`."""
        return f"escpos+serial://{self._port.path}"

    def start(self) -> None:
        """Begin to read."""
        self._thread = threading.Thread(target=self._run, name="pty-printer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading and take the port away."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_STOP_S)
        self._port.unplug()

    def _run(self) -> None:
        seen = self.printer.hang_ups
        while not self._stopping.is_set():
            if seen != self.printer.hang_ups or not self.printer.plugged:
                seen = self.printer.hang_ups
                self._port.unplug()
            else:
                self._port.plug()
            if not self._port.plugged or self.printer.fault is Fault.STALL:
                self._stopping.wait(_PAUSE_S)
                continue
            with contextlib.suppress(OSError):
                self._move(self._port.master)

    def _move(self, master: int) -> None:
        poll = select.poll()
        poll.register(master, select.POLLIN)
        if poll.poll(int(_PAUSE_S * 1000)):
            exchange(
                self.printer,
                lambda most: os.read(master, most),
                lambda answers: os.write(master, answers),
                self._stopping.wait,
                _CHUNK,
            )
