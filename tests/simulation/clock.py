"""Simulated time: a list of what is to happen, in order; nobody ever waits."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[], object]
EPOCH_MS = 1_750_000_000_000


class Time:
    """True time in ms since the run began. Devices and the cloud have clocks of their own that may be wrong."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._due: list[tuple[int, int, Action]] = []
        self._count = 0

    def at(self, at_ms: int, action: Action) -> None:
        """Have something happen; what is due at the same time happens in the order it was asked for."""
        self._count += 1
        heapq.heappush(self._due, (max(at_ms, self.now_ms), self._count, action))

    def after(self, wait_ms: int, action: Action) -> None:
        """Have something happen in a while."""
        self.at(self.now_ms + wait_ms, action)

    def step(self, until_ms: int) -> bool:
        """Let the next thing happen if it is due by then; tells whether there was one."""
        if not self._due or self._due[0][0] > until_ms:
            self.now_ms = max(self.now_ms, until_ms)
            return False
        self.now_ms, _, action = heapq.heappop(self._due)
        action()
        return True


class Alarm:
    """Calls ``action`` once, at the earliest time it was set to."""

    def __init__(self, time: Time, action: Action) -> None:
        self._time = time
        self._action = action
        self._at_ms: int | None = None

    def set(self, wait_ms: int) -> None:
        """Ring in at most ``wait_ms``."""
        at_ms = self._time.now_ms + wait_ms
        if self._at_ms is None or at_ms < self._at_ms:
            self._at_ms = at_ms
            self._time.at(at_ms, lambda: self._ring(at_ms))

    def _ring(self, at_ms: int) -> None:
        if at_ms == self._at_ms:
            self._at_ms = None
            self._action()
