"""Ports of the loopback interface for servers that a test starts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import tempfile
from pathlib import Path

# Below the kernel's own choice for outgoing connections (32768 on), which could take a port of a block meanwhile.
BLOCKS = range(20000, 32000, 16)
_claimed: list[int] = []


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody listened on a moment ago; ask once per server."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def block_of_ports(size: int = 12) -> int:
    """Return a base port with ``size`` (at most 16) free ports from it on, claimed until this process ends."""
    for base in BLOCKS:
        if _claim(base) and all(_is_free(port) for port in range(base, base + size)):
            return base
    raise AssertionError("no block of free ports")


def _claim(base: int) -> bool:
    """Lock a file per block, so that parallel workers and runs never get the same one."""
    folder = Path(tempfile.gettempdir()) / "marquee-test-ports"
    folder.mkdir(exist_ok=True)
    with contextlib.suppress(PermissionError):
        folder.chmod(0o777)
    handle = os.open(folder / str(base), os.O_RDONLY | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return False
    _claimed.append(handle)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
