"""How long to wait before a device is opened again."""

from __future__ import annotations

import random
from collections.abc import Callable


class Backoff:
    """Growing delays with jitter: `first_s`, then `factor` times more each time, never above `max_s`.

    `next_s()` gives the wait before the next attempt, `reset()` follows a success. Jitter takes up to a quarter off,
    so that several devices that vanished together do not come back in step.
    """

    def __init__(
        self,
        first_s: float = 0.25,
        max_s: float = 10.0,
        factor: float = 2.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if first_s <= 0 or max_s < first_s or factor < 1:
            raise ValueError("need 0 < first_s <= max_s and factor >= 1")
        self._first_s = first_s
        self._max_s = max_s
        self._factor = factor
        self._chance = chance
        self._delay_s = first_s

    def next_s(self) -> float:
        """Seconds to wait now; the next call answers with more."""
        delay_s = self._delay_s
        self._delay_s = min(self._max_s, delay_s * self._factor)
        return delay_s * (1 - 0.25 * self._chance())

    def reset(self) -> None:
        """Start again from `first_s`."""
        self._delay_s = self._first_s
