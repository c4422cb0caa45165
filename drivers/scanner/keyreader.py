"""Empties a keyboard's queue in the kernel at once, on a thread of its own: the kernel keeps no more than 64 events for a reader.

That is a dozen letters, fewer than a receipt has; whoever reads only between two decisions would lose the rest.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from typing import Any

from drivers.health import Clock
from drivers.scanner.keys import EV_SYN, SYN_DROPPED, SYN_REPORT

MAX_EVENTS = 200_000
"""Some hundred receipts; what comes beyond is given up as if the kernel had lost it."""
_LOST = [(EV_SYN, SYN_DROPPED, 0), (EV_SYN, SYN_REPORT, 0)]
_STOP_S = 2.0

Events = list[tuple[int, int, int]]


class KeyReader:
    """Reads `device`, an opened `evdev.InputDevice`, until `close` or until it is gone; closes it in the end."""

    def __init__(self, device: Any, clock: Clock) -> None:
        self._device = device
        self._clock = clock
        self._arrived: deque[tuple[float, Events]] = deque()
        self._held = 0
        self._gone: OSError | None = None
        self._news = threading.Condition()
        self._wake_out, self._wake_in = os.pipe()
        self._thread = threading.Thread(target=self._run, name="keyboard-scanner", daemon=True)
        self._thread.start()

    def take(self) -> tuple[float, Events] | None:
        """Events (type, code, value) that have arrived and when, oldest first; raises `OSError` once the device is gone."""
        with self._news:
            if self._arrived:
                at_s, events = self._arrived.popleft()
                self._held -= len(events)
                return at_s, events
            if self._gone is not None:
                raise self._gone
            return None

    def wait(self, timeout_s: float) -> None:
        """Return when there is something to take, or after `timeout_s`."""
        with self._news:
            self._news.wait_for(lambda: self._arrived or self._gone, max(0.0, timeout_s))

    def close(self) -> None:
        """Stop reading and let go of the device."""
        os.write(self._wake_in, b"x")
        self._thread.join(_STOP_S)
        try:
            self._device.close()
        finally:
            os.close(self._wake_in)
            os.close(self._wake_out)

    def _run(self) -> None:
        try:
            while self._wake_out not in select.select([self._device.fd, self._wake_out], [], [])[0]:
                self._read()
        except OSError as error:
            with self._news:
                self._gone = error
                self._news.notify_all()

    def _read(self) -> None:
        try:
            events = [(event.type, event.code, event.value) for event in self._device.read()]
        except BlockingIOError:
            return
        with self._news:
            if self._held > MAX_EVENTS:
                if self._arrived[-1][1] is _LOST:
                    return
                events = _LOST
            self._arrived.append((self._clock(), events))
            self._held += len(events)
            self._news.notify_all()
