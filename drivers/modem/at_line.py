"""One modem on a serial line: bytes out, lines in, with a deadline on both."""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time

import serial

from drivers.errors import DeviceTimeout, DeviceUnavailable

PROMPT = ">"
_CHUNK = 512
_LONGEST_LINE = 2048
_MOST_NOISE = 65_536


class AtLine:
    """A port held exclusively. Times are those of `time.monotonic`; whatever fails on it means that the modem is gone."""

    def __init__(self, path: str, baud: int) -> None:
        self.name = path
        self._baud = baud
        self._port: serial.Serial | None = None
        self._waiting = b""
        self._noise = 0

    @property
    def is_open(self) -> bool:
        """Whether the port is held."""
        return self._port is not None

    def open(self) -> None:
        """Take the port; raises `DeviceUnavailable`."""
        try:
            self._port = serial.Serial(self.name, self._baud, timeout=0, exclusive=True)
        except (OSError, ValueError, termios.error) as error:
            raise DeviceUnavailable(f"Cannot open the modem at {self.name}: {error}.") from None
        self._waiting, self._noise = b"", 0

    def close(self) -> None:
        """Let go of the port, whatever is still in it."""
        if self._port is None:
            return
        port, self._port = self._port, None
        with contextlib.suppress(OSError, termios.error):
            # Without this the kernel waits up to half a minute for a modem that has stopped reading.
            port.reset_output_buffer()
        with contextlib.suppress(OSError, termios.error):
            port.close()

    def drain(self) -> None:
        """Throw away what came unasked: it must not pass for the answer to the next command."""
        while self._receive(0.0):
            pass
        self._waiting, self._noise = b"", 0

    def write(self, data: bytes, until: float) -> None:
        """Hand all of `data` to the port; raises `DeviceTimeout` or `DeviceUnavailable`."""
        descriptor = self._descriptor()
        while data:
            if not _ready(descriptor, until, write=True):
                raise DeviceTimeout(f"The modem at {self.name} stopped taking data.")
            try:
                data = data[os.write(descriptor, data[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._gone(error) from None

    def read_line(self, until: float) -> str | None:
        """The next line that is not empty, `PROMPT` where the modem asks for a message, None when neither came in time."""
        while True:
            line = self._take_line()
            if line is not None:
                return line
            if self._noise > _MOST_NOISE:
                raise DeviceTimeout(f"The modem at {self.name} talks without end.")
            if not self._receive(until):
                return None

    def _take_line(self) -> str | None:
        while True:
            text = self._waiting.lstrip(b"\r\n\0 ")
            # Some modems send the prompt without a line end around it, some without the space behind it.
            if text.startswith(b">"):
                self._waiting = text[1:]
                return PROMPT
            end = min((at for at in (text.find(b"\r"), text.find(b"\n")) if at >= 0), default=-1)
            if end < 0:
                self._waiting = text[-_LONGEST_LINE:]
                return None
            self._waiting = text[end:]
            return text[:end].decode("ascii", "replace").strip()

    def _receive(self, until: float) -> bool:
        descriptor = self._descriptor()
        if not _ready(descriptor, until, write=False):
            return False
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return True
        except OSError as error:
            raise self._gone(error) from None
        if not data:
            raise DeviceUnavailable(f"The modem at {self.name} was unplugged.")
        self._waiting += data
        self._noise += len(data)
        return True

    def _descriptor(self) -> int:
        if self._port is None:
            raise DeviceUnavailable(f"The modem at {self.name} is not open.")
        return self._port.fileno()

    def _gone(self, error: OSError) -> DeviceUnavailable:
        return DeviceUnavailable(f"The modem at {self.name} is gone: {error.strerror or error}.")


def _ready(descriptor: int, until: float, *, write: bool) -> bool:
    """Whether the port takes or has bytes before `until`; an `until` in the past only looks."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if write else select.POLLIN)
    return bool(poll.poll(max(0.0, (until - time.monotonic()) * 1000)))
