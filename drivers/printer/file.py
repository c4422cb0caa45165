"""`escpos+file:///dev/usb/lp0`: a printer behind a device file, with a deadline on every wait.

The kernel's `usblp` driver puts a USB printer there. It takes up to 8 KiB at a time and is ready for more once the printer
has those, so readiness after the last byte means that all have left; on closing it drops what has not.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import stat
import struct
import termios
import time
from pathlib import Path

from drivers.errors import BadDeviceUrl, DeviceTimeout, DeviceUnavailable
from drivers.printer.link import hung_up, wait_for, wait_until_left
from drivers.printer.profile import DEFAULT_PROFILE, load_profile
from drivers.printer.stream import StreamPrinter
from drivers.url import DeviceUrl

_CHUNK = 4096
_READ_BYTES = 512
_PAUSE_S = 0.005
_LPGETSTATUS = 0x060B
"""linux/lp.h; `usblp` answers with the printer's port status byte, at the latest after its own five seconds."""
_REASONS = {
    errno.EBUSY: "another program has it open",
    errno.EACCES: "this program may not use it; its user must be in the group that owns it, usually lp",
}


def from_url(url: DeviceUrl) -> StreamPrinter:
    """The printer behind the address; options: profile, timeout (seconds for opening and for each question)."""
    url.check_options({"profile", "timeout"})
    if url.host or not url.path.startswith("/"):
        raise BadDeviceUrl(f"{url.text!r} must look like escpos+file:///dev/usb/lp0.")
    profile = load_profile(url.text_option("profile", DEFAULT_PROFILE))
    timeout_s = url.number("timeout", 2.0, low=0.05, high=60)
    return StreamPrinter(FileLink(url.path), profile.name, timeout_s)


class FileLink:
    """One device file, held exclusively; times are those of `time.monotonic`."""

    bytes_per_s = 500_000

    def __init__(self, path: str) -> None:
        self.name = path
        self._file: int | None = None
        self._answers = True
        self._node: int | None = None
        self.fresh_on_connect = False

    def connect(self, _until: float) -> None:
        """See `Link.connect`."""
        try:
            # Not a plain file, which would take everything, nor a pipe, which takes bytes that nobody reads.
            if not stat.S_ISCHR(Path(self.name).stat().st_mode):
                raise DeviceUnavailable(f"{self.name} is no device.")
            self._file = os.open(self.name, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise self._refused(OSError(errno.EBUSY, "")) from None
        except OSError as error:
            raise self._refused(error) from None
        self._answers = True
        # The kernel makes a new node for a printer that was plugged in or switched on, which has forgotten everything.
        node = os.fstat(self._file).st_ino
        self.fresh_on_connect, self._node = node != self._node, node

    def close(self) -> None:
        """See `Link.close`."""
        if self._file is None:
            return
        file, self._file = self._file, None
        with contextlib.suppress(OSError, termios.error):
            termios.tcflush(file, termios.TCOFLUSH)
        with contextlib.suppress(OSError):
            os.close(file)

    def send(self, data: bytes, until: float) -> None:
        """See `Link.send`."""
        file = self._descriptor()
        taken = 0
        while taken < len(data):
            if not wait_for(file, until, write=True):
                raise DeviceTimeout(f"The printer at {self.name} stopped taking data.", bytes_taken=taken)
            if hung_up(file):
                raise self._gone(OSError(errno.ENODEV, os.strerror(errno.ENODEV)), taken)
            piece = data[taken : taken + _CHUNK]
            try:
                taken += os.write(file, piece)
            except BlockingIOError:
                continue
            except OSError as error:
                # usblp says so also of a printer that had some of it and was pulled out then.
                raise self._gone(error, taken + len(piece)) from None
        if not self._all_left(file, until, taken):
            raise DeviceTimeout(f"The printer at {self.name} stopped taking data.", bytes_taken=taken)

    def receive(self, until: float) -> bytes:
        """See `Link.receive`."""
        file = self._descriptor()
        while self._answers and wait_for(file, until, write=False):
            try:
                data = os.read(file, _READ_BYTES)
            except BlockingIOError:
                return b""
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise self._gone(error, 0) from None
                # So usblp says that this printer has no way to answer.
                self._answers = False
                return b""
            if data:
                return data
            # An empty packet: some printers send one for every read.
            if time.monotonic() >= until:
                return b""
            time.sleep(_PAUSE_S)
        return b""

    def port_status(self, _until: float) -> int | None:
        """See `Link.port_status`."""
        try:
            answer = fcntl.ioctl(self._descriptor(), _LPGETSTATUS, b"\0\0\0\0")
        except OSError:
            return None
        return int(struct.unpack("i", answer)[0]) & 0xFF

    def _all_left(self, file: int, until: float, taken: int) -> bool:
        try:
            return wait_until_left(file, until)
        except OSError as error:
            if error.errno not in (errno.ENOTTY, errno.EINVAL):
                raise self._gone(error, taken) from None
        hang_up = select.poll()
        hang_up.register(file, select.POLLOUT)
        events = dict(hang_up.poll(max(0, int((until - time.monotonic()) * 1000))))
        if events.get(file, 0) & (select.POLLERR | select.POLLHUP):
            raise self._gone(OSError(errno.ENODEV, os.strerror(errno.ENODEV)), taken)
        return bool(events)

    def _descriptor(self) -> int:
        if self._file is None:
            raise DeviceUnavailable(f"The printer at {self.name} is not open.")
        return self._file

    def _refused(self, error: OSError) -> DeviceUnavailable:
        reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        return DeviceUnavailable(f"Cannot open the printer at {self.name}: {reason}.")

    def _gone(self, error: OSError, taken: int) -> DeviceUnavailable:
        return DeviceUnavailable(f"The printer at {self.name} is gone: {error.strerror or error}.", bytes_taken=taken)
