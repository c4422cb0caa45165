"""Processes of one device wake each other through unix datagram sockets; a slow poll of the reader is the safety net."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from pathlib import Path


def notify(path: Path) -> None:
    """Wake whoever waits at ``path``; if nobody does, or it is already being woken, that is fine."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire, contextlib.suppress(OSError):
        wire.setblocking(False)
        wire.sendto(b"!", os.fspath(path))


class Waiter:
    """Owns the socket file; one per process that is to be woken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._wire.setblocking(False)
        self._wire.bind(os.fspath(path))
        path.chmod(0o600)
        # poll, because select cannot watch a descriptor above 1023.
        self._ready = select.poll()
        self._ready.register(self._wire, select.POLLIN)

    def wait(self, timeout_s: float) -> bool:
        """Return True as soon as somebody notified, False after ``timeout_s``; many notifications count as one."""
        if not self._ready.poll(timeout_s * 1000):
            return False
        with contextlib.suppress(BlockingIOError):
            while self._wire.recv(16):
                pass
        return True

    def close(self) -> None:
        """Close and remove the socket."""
        self._wire.close()
        self.path.unlink(missing_ok=True)
