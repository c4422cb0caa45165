"""SIGTERM and SIGINT as an event that threads can wait for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable


def stop_event(told: Callable[[], None] = lambda: None) -> threading.Event:
    """Return an event that SIGTERM or SIGINT sets; ``told`` is called once just before. Call it in the main thread.

    A Python signal handler runs inside whatever the main thread does just then. If that is ``Event.wait``, setting the event
    there waits for ever for a lock the same thread holds. So the handler does nothing, the interpreter writes the signal's
    number to a pipe, and a thread that owns nothing reads it.
    """
    stop = threading.Event()
    read, write = os.pipe()
    os.set_blocking(write, False)

    def listen() -> None:
        os.read(read, 1)
        told()
        stop.set()

    threading.Thread(target=listen, name="signals", daemon=True).start()
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)
    return stop
