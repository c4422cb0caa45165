"""The card, or a file in its place: written in steps that reach it, and read back from it rather than from memory."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
from pathlib import Path
from types import TracebackType
from typing import Self

from appliance.flash.bmap import ALIGNED_BYTES
from appliance.flash.errors import FlashFailed, FlashRefused

# linux/fs.h: _IO(0x12, 97), write what is buffered and forget it.
_BLKFLSBUF = 0x1261
_BUFFER_BYTES = 4 << 20
# So much may wait in memory: more would show a rate that no card has, and then stand still.
_SYNC_BYTES = 16 << 20


class Card:
    """A target that is open for this program alone; ``size`` is None for a file that is not there yet."""

    def __init__(self, path: Path, size: int | None) -> None:
        self.path = path
        self._is_device = size is not None and stat.S_ISBLK(path.stat().st_mode)
        self._buffer = mmap.mmap(-1, _BUFFER_BYTES)
        self._waiting = 0
        self._fd = self._opened()
        self._direct = self._opened_direct()
        self._check(size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let it go."""
        for fd in (self._fd, self._direct):
            if fd is not None:
                os.close(fd)
        self._buffer.close()

    def resize(self, size: int) -> None:
        """Make a file as long as the image; a device is as long as it is."""
        if not self._is_device and os.fstat(self._fd).st_size < size:
            os.ftruncate(self._fd, size)

    def write(self, at: int, data: bytes) -> None:
        """Write at an offset; it is on the card after some more writes, or after ``settle``."""
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self._fd, view, at)
                view, at = view[written:], at + written
                self._waiting += written
            if self._waiting >= _SYNC_BYTES:
                os.fdatasync(self._fd)
                self._waiting = 0
        except OSError as error:
            raise self._failed("could not be written", error) from None

    def settle(self) -> None:
        """Return when everything is on the card, and forget what memory still has of it."""
        try:
            os.fsync(self._fd)
            if self._is_device and os.geteuid() == 0:
                fcntl.ioctl(self._fd, _BLKFLSBUF, 0)
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise self._failed("could not be written", error) from None
        self._waiting = 0

    def read(self, at: int, size: int) -> bytes:
        """Read from the card itself where the system can; ``at`` must be a multiple of 4096, ``size`` at most 4 MiB."""
        wanted = -(-size // ALIGNED_BYTES) * ALIGNED_BYTES
        try:
            with memoryview(self._buffer)[:wanted] as view:
                got = os.preadv(self._fd if self._direct is None else self._direct, [view], at)
                return bytes(view[: min(got, size)])
        except OSError as error:
            raise self._failed("could not be read back", error) from None

    def _opened(self) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_EXCL if self._is_device else os.O_CREAT)
        try:
            return os.open(self.path, flags, 0o600)
        except PermissionError:
            raise FlashRefused(f"{self.path}: you may not write to it; put sudo before the command") from None
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise FlashRefused(f"{self.path}: another program uses it; close that, or unmount it") from None
            raise FlashRefused(f"{self.path}: cannot be opened ({error.strerror})") from None

    def _opened_direct(self) -> int | None:
        try:
            return os.open(self.path, os.O_RDONLY | os.O_DIRECT | os.O_CLOEXEC)
        except OSError:
            # Some file systems, such as those in memory, have no other way than through it.
            return None

    def _check(self, size: int | None) -> None:
        found = os.lseek(self._fd, 0, os.SEEK_END)
        if size is not None and found != size:
            self.close()
            raise FlashRefused(f"{self.path} has {found} bytes now and had {size}: the card was exchanged; look again")

    def _failed(self, what: str, error: OSError) -> FlashFailed:
        return FlashFailed(
            f"{self.path} {what} ({error.strerror}): it was pulled out, or it is worn or a fake. "
            "Put it in again and say the same command; if it stops there again, take another card"
        )
