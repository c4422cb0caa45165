"""A serial port held exclusively, whose reads and writes have deadlines; any trouble on it means that it is gone."""

from __future__ import annotations

import contextlib
import errno
import select
import termios

import serial

from drivers.errors import DeviceUnavailable

_CHUNK = 4096
_WRITE_S = 0.5
_ERRORS = (OSError, TypeError, ValueError, termios.error)


class SerialPort:
    """`path` at 8N1; every method but `open` and `close` needs it open and raises `DeviceUnavailable`."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._serial: serial.Serial | None = None

    @property
    def is_open(self) -> bool:
        """Whether the port is held."""
        return self._serial is not None

    @property
    def baud(self) -> int:
        """The speed now, in bits per second; 0 while closed."""
        return self._serial.baudrate if self._serial else 0

    def open(self, baud: int) -> None:
        """Take the port; raises `DeviceUnavailable` when it is not there or somebody else has it."""
        try:
            self._serial = serial.Serial(self.path, baud, timeout=0, write_timeout=_WRITE_S, exclusive=True)
        except _ERRORS as error:
            right = " Add the user to the group dialout." if "Permission denied" in str(error) else ""
            gone = getattr(error, "errno", None) == errno.ENOENT
            why = "nothing is plugged in there" if gone else str(error)
            raise DeviceUnavailable(f"Cannot open the scanner at {self.path}: {why}.{right}") from None

    def close(self) -> None:
        """Let go of the port; harmless when it is closed."""
        if self._serial is not None:
            port, self._serial = self._serial, None
            with contextlib.suppress(*_ERRORS):
                port.close()

    def wait(self, timeout_s: float) -> None:
        """Return when something can be read, or after `timeout_s`."""
        port = self._require()
        try:
            select.select([port.fileno()], [], [], max(0.0, timeout_s))
        except _ERRORS as error:
            raise self._gone(error) from None

    def read(self) -> bytes:
        """What has arrived, at most some thousand bytes; empty when there is nothing."""
        try:
            return bytes(self._require().read(_CHUNK))
        except _ERRORS as error:
            raise self._gone(error) from None

    def write(self, data: bytes) -> None:
        """Send all of `data` within half a second."""
        try:
            self._require().write(data)
        except _ERRORS as error:
            raise self._gone(error) from None

    def set_baud(self, baud: int) -> None:
        """Change the speed; what arrived at the old one is forgotten."""
        port = self._require()
        try:
            if port.baudrate != baud:
                port.baudrate = baud
                port.reset_input_buffer()
        except _ERRORS as error:
            raise self._gone(error) from None

    def _require(self) -> serial.Serial:
        if self._serial is None:
            raise DeviceUnavailable(f"The scanner at {self.path} is not open.")
        return self._serial

    def _gone(self, error: Exception) -> DeviceUnavailable:
        self.close()
        return DeviceUnavailable(f"The scanner at {self.path} is gone: {error}.")
