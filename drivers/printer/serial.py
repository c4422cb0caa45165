"""`escpos+serial:///dev/ttyUSB0?baud=19200`: a printer on a serial line, with a deadline on every wait."""

from __future__ import annotations

import contextlib
import os
import termios
import time

import serial

from drivers.errors import BadDeviceUrl, DeviceTimeout, DeviceUnavailable
from drivers.printer.link import wait_for, wait_until_left
from drivers.printer.profile import DEFAULT_PROFILE, load_profile
from drivers.printer.stream import StreamPrinter
from drivers.url import DeviceUrl

_CHUNK = 512


def from_url(url: DeviceUrl) -> StreamPrinter:
    """The printer behind the address; options: baud, flow (none, rts, dsr, xon), profile, timeout in seconds."""
    url.check_options({"baud", "flow", "profile", "timeout"})
    if url.host or not url.path.startswith("/"):
        raise BadDeviceUrl(f"{url.text!r} must look like escpos+serial:///dev/ttyUSB0.")
    profile = load_profile(url.text_option("profile", DEFAULT_PROFILE))
    timeout_s = url.number("timeout", 2.0, low=0.05, high=60)
    baud = url.integer("baud", 19200, low=300, high=4_000_000)
    flow = url.choice("flow", "none", ("none", "rts", "dsr", "xon"))
    return StreamPrinter(SerialLink(url.path, baud, flow), profile.name, timeout_s)


class SerialLink:
    """One serial line, held exclusively; times are those of `time.monotonic`.

    A printer that restarts in the middle of a job cannot be told here from one that printed it: the line stays up.
    """

    fresh_on_connect = False

    def __init__(self, path: str, baud: int, flow: str) -> None:
        self.name = path
        # Eight bits, a start and a stop bit.
        self.bytes_per_s = max(1, baud // 10)
        self._baud = baud
        self._flow = flow
        self._port: serial.Serial | None = None

    def connect(self, until: float) -> None:
        """See `Link.connect`."""
        try:
            self._port = serial.Serial(
                self.name,
                self._baud,
                timeout=0,
                write_timeout=max(0.1, until - time.monotonic()),
                rtscts=self._flow == "rts",
                dsrdtr=self._flow == "dsr",
                xonxoff=self._flow == "xon",
                exclusive=True,
            )
        except (OSError, ValueError, termios.error) as error:
            raise DeviceUnavailable(f"Cannot open the printer at {self.name}: {error}.") from None

    def close(self) -> None:
        """See `Link.close`."""
        if self._port is None:
            return
        port, self._port = self._port, None
        with contextlib.suppress(OSError, termios.error):
            # Without this the kernel waits up to half a minute for a printer that has stopped reading.
            port.reset_output_buffer()
        with contextlib.suppress(OSError, termios.error):
            port.close()

    def send(self, data: bytes, until: float) -> None:
        """See `Link.send`."""
        descriptor = self._descriptor()
        taken = 0
        while taken < len(data):
            if not wait_for(descriptor, until, write=True):
                raise DeviceTimeout(f"The printer at {self.name} stopped taking data.", bytes_taken=taken)
            try:
                # Not Serial.write: when it times out, it does not say how many bytes have left.
                taken += os.write(descriptor, data[taken : taken + _CHUNK])
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._gone(error, taken) from None
        try:
            left = wait_until_left(descriptor, until)
        except OSError as error:
            raise self._gone(error, taken) from None
        if not left:
            raise DeviceTimeout(f"The printer at {self.name} stopped taking data.", bytes_taken=taken)

    def receive(self, until: float) -> bytes:
        """See `Link.receive`."""
        descriptor = self._descriptor()
        if not wait_for(descriptor, until, write=False):
            return b""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._gone(error, 0) from None
        if not data:
            raise DeviceUnavailable(f"The printer at {self.name} was unplugged.")
        return data

    def port_status(self, _until: float) -> int | None:
        """See `Link.port_status`."""
        return None

    def _descriptor(self) -> int:
        if self._port is None:
            raise DeviceUnavailable(f"The printer at {self.name} is not open.")
        return self._port.fileno()

    def _gone(self, error: OSError, taken: int) -> DeviceUnavailable:
        return DeviceUnavailable(f"The printer at {self.name} is gone: {error.strerror or error}.", bytes_taken=taken)
