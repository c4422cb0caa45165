"""A simulated scanner on a serial line that a pty stands in for, so that the real serial driver is used."""

from __future__ import annotations

import os
import select
import threading
import time
from pathlib import Path
from urllib.parse import quote

from drivers.errors import DeviceUnavailable
from drivers.pty_port import PtyPort

_WRITE_S = 1.0


class PtyScanner:
    """`scan` sends a code with its terminator to whoever has `path` open; safe to use from several threads."""

    def __init__(self, link: Path | None = None, terminator: bytes = b"\r") -> None:
        self._port = PtyPort(link)
        self._terminator = terminator
        self._lock = threading.Lock()

    @property
    def path(self) -> str:
        """The serial device to open; a fixed path when a `link` was given."""
        return self._port.path

    @property
    def url(self) -> str:
        """The address to give to `open_scanner`."""
        return f"serial://{quote(self._port.path)}"

    def scan(self, code: str) -> None:
        """Hold a code before the scanner; raises `DeviceUnavailable` when it is unplugged or nobody reads."""
        self.send(code.encode() + self._terminator)

    def send(self, data: bytes) -> None:
        """Send bytes as they are; raises `DeviceUnavailable`."""
        until = time.monotonic() + _WRITE_S
        with self._lock:
            try:
                self._write(data, until)
            except OSError as error:
                raise DeviceUnavailable(f"The simulated scanner is unplugged: {error}.") from None

    def unplug(self) -> None:
        """Pull the cable: a reader gets a hang-up and the path vanishes."""
        with self._lock:
            self._port.unplug()

    def replug(self) -> None:
        """Put the cable back; without a `link` the path is a new one."""
        with self._lock:
            self._port.plug()

    def close(self) -> None:
        """Take the port away for good."""
        self.unplug()

    def _write(self, data: bytes, until: float) -> None:
        poll = select.poll()
        poll.register(self._port.master, select.POLLOUT)
        while data:
            if not poll.poll(max(0, int((until - time.monotonic()) * 1000))):
                raise DeviceUnavailable("Nobody reads the simulated scanner.")
            data = data[os.write(self._port.master, data) :]
