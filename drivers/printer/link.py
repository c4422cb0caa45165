"""A byte stream to a printer, and waiting on one with a deadline."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import struct
import termios
import time
from typing import Protocol

_POLL_S = 0.002


class Link(Protocol):
    """A byte stream on which every wait ends at `until`, a time of the same clock that the printer uses.

    `fresh_on_connect`: answers to questions of earlier connections cannot arrive on the present one; `connect` may set it.
    """

    name: str
    bytes_per_s: int
    fresh_on_connect: bool

    def connect(self, until: float) -> None:
        """Open the stream; raises `DeviceUnavailable` or `DeviceTimeout`."""

    def close(self) -> None:
        """Close at once; bytes that have not left are dropped."""

    def send(self, data: bytes, until: float) -> None:
        """Send all; raises a `DeviceError` whose `bytes_taken` says how far it came.

        A byte that may have left counts as taken: 0 is a promise that none did.
        """

    def receive(self, until: float) -> bytes:
        """At least one byte, or none when nothing came in time; raises `DeviceUnavailable` when it is gone."""

    def port_status(self, until: float) -> int | None:
        """The status byte of a printer port, where the way to the printer has one; None elsewhere. Never raises."""


def wait_for(descriptor: int, until: float, *, write: bool) -> bool:
    """Whether `descriptor` can be written or read before the monotonic time `until`."""
    left_ms = max(0, int((until - time.monotonic()) * 1000))
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if write else select.POLLIN)
    return bool(poll.poll(left_ms))


def hung_up(descriptor: int) -> bool:
    """Whether the other side, or the device, is known to be gone."""
    poll = select.poll()
    poll.register(descriptor, 0)
    return bool(poll.poll(0))


def wait_until_left(descriptor: int, until: float) -> bool:
    """Whether the kernel's send buffer is empty before `until`: on TCP, the other side has acknowledged it all.

    Raises `OSError` when the other side is gone; the buffer of a dead connection never empties.
    """
    while struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
        if hung_up(descriptor):
            raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
        if time.monotonic() >= until:
            return False
        # The kernel signals a free buffer, but never an empty one.
        time.sleep(_POLL_S)
    return True
