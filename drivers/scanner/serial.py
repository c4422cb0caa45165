"""`serial:///dev/serial/by-id/...?baud=9600&prefix=&suffix=`: a scanner on a serial line or a USB serial port."""

from __future__ import annotations

import contextlib
import termios
import time
from collections import deque

import serial

from drivers.errors import BadDeviceUrl, DeviceUnavailable
from drivers.health import Clock, Health, HealthRecord, State
from drivers.scanner.decode import DEFAULT_GAP_S, Decoder
from drivers.url import DeviceUrl

_CHUNK = 1024
_QUEUED_CODES = 1000


def from_url(url: DeviceUrl) -> SerialScanner:
    """The scanner behind the address; options: baud, prefix, suffix, gap (seconds that end an unterminated code)."""
    url.check_options({"baud", "prefix", "suffix", "gap"})
    if url.host or not url.path.startswith("/"):
        raise BadDeviceUrl(f"{url.text!r} must look like serial:///dev/ttyACM0.")
    decoder = Decoder(
        url.text_option("prefix", ""), url.text_option("suffix", ""), url.number("gap", DEFAULT_GAP_S, low=0.01, high=5)
    )
    return SerialScanner(url.path, url.integer("baud", 9600, low=300, high=4_000_000), decoder)


class SerialScanner:
    """Reads codes from one port, held exclusively; whatever goes wrong on it means that the scanner is gone."""

    def __init__(self, path: str, baud: int, decoder: Decoder, clock: Clock = time.monotonic) -> None:
        self._path = path
        self._baud = baud
        self._decoder = decoder
        self._clock = clock
        self._port: serial.Serial | None = None
        self._codes: deque[str] = deque(maxlen=_QUEUED_CODES)
        self._health = HealthRecord(clock)

    def open(self) -> None:
        """See `Scanner.open`."""
        if self._port is not None:
            return
        self._health.set(State.OPENING, f"Opening {self._path}.")
        try:
            self._port = serial.Serial(self._path, self._baud, timeout=0, exclusive=True)
        except (OSError, ValueError, termios.error) as error:
            reason = f"Cannot open the scanner at {self._path}: {error}."
            self._health.set(State.ABSENT, reason)
            raise DeviceUnavailable(reason) from None
        self._decoder.reset()
        self._health.set(State.READY, f"Listening at {self._path}.")

    def close(self) -> None:
        """See `Scanner.close`."""
        self._shut("Closed.")

    def read(self, timeout_s: float) -> str | None:
        """See `Scanner.read`."""
        until = self._clock() + timeout_s
        while not self._codes:
            port = self._require_open()
            now = self._clock()
            if self._decoder.waiting and self._decoder.gap_left_s(now) == 0:
                self._codes.extend(self._decoder.flush(now))
            elif now >= until and not self._arrived(port, 0):
                return None
            else:
                self._arrived(port, self._wait_s(now, until))
        return self._codes.popleft()

    def health(self) -> Health:
        """See `Scanner.health`."""
        return self._health()

    def _wait_s(self, now: float, until: float) -> float:
        left_s = max(0.0, until - now)
        return min(left_s, self._decoder.gap_left_s(now)) if self._decoder.waiting else left_s

    def _arrived(self, port: serial.Serial, wait_s: float) -> bool:
        """Read what comes within `wait_s`; whether anything came."""
        dropped = self._decoder.dropped
        try:
            port.timeout = wait_s
            data = port.read(1)
            port.timeout = 0
            data += port.read(_CHUNK) if data else b""
        except (OSError, TypeError, termios.error) as error:
            reason = f"The scanner at {self._path} is gone: {error}."
            self._shut(reason)
            raise DeviceUnavailable(reason) from None
        self._codes.extend(self._decoder.feed(data, self._clock()) if data else ())
        if self._decoder.dropped > dropped:
            self._health.set(State.READY, "A code was too long and was dropped.", dropped=str(self._decoder.dropped))
        return bool(data)

    def _require_open(self) -> serial.Serial:
        if self._port is None:
            raise DeviceUnavailable(f"The scanner at {self._path} is not open.")
        return self._port

    def _shut(self, reason: str) -> None:
        if self._port is None:
            return
        port, self._port = self._port, None
        with contextlib.suppress(OSError, termios.error):
            port.close()
        self._health.set(State.ABSENT, reason)
