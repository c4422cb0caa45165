"""How often one address, and all together, may ask: in the memory of the one worker, by whole minutes."""

from __future__ import annotations

import threading
from collections import Counter

PER_ADDRESS, IN_ALL = 20, 600
WINDOW_S = 60


class Throttle:
    """Counts by address; ``per_address`` and ``in_all`` are the most in a minute."""

    def __init__(self, per_address: int = PER_ADDRESS, in_all: int = IN_ALL) -> None:
        self._per_address, self._in_all = per_address, in_all
        self._lock = threading.Lock()
        self._window = -1
        self._counts: Counter[str] = Counter()

    def wait_s(self, address: str, now_s: float) -> int:
        """Count a request; return 0, or in how many seconds the next one has a chance."""
        window = int(now_s // WINDOW_S)
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, Counter()
            # What is refused counts for its address alone: a stranger must not use up everybody's share by being refused.
            self._counts[address] += 1
            refused = self._counts[address] > self._per_address
            if not refused:
                self._counts[""] += 1
                refused = self._counts[""] > self._in_all
            return int((window + 1) * WINDOW_S - now_s) + 1 if refused else 0
