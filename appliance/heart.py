"""What systemd hears of a process that works in turns (``WatchdogSec=``, sd_notify(3)): one that hangs is ended and begins anew."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import socket
import time
from collections.abc import Callable, Mapping

# Of the time that systemd waits; one that is late now and then is not ended for it.
_PART = 4


def pulse(environ: Mapping[str, str] = os.environ, now_s: Callable[[], float] = time.monotonic) -> Callable[[], None]:
    """Return what the process calls in each turn of its main loop; it does nothing where nobody waits for it.

    Where somebody does, SIGABRT writes the place of each thread to the log before it ends the process.
    """
    address, patience_us = environ.get("NOTIFY_SOCKET", ""), int(environ.get("WATCHDOG_USEC") or 0)
    if not address or not patience_us or environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return lambda: None
    faulthandler.enable()
    path = f"\0{address[1:]}" if address.startswith("@") else address
    every_s, due_s = patience_us / 1e6 / _PART, 0.0

    def beat() -> None:
        nonlocal due_s
        if now_s() < due_s:
            return
        # Who listens may hang itself, and must hold nobody up.
        kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, kind) as line:
            line.sendto(b"WATCHDOG=1", path)
        due_s = now_s() + every_s

    return beat
