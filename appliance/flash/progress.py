"""How far the work is: a bar on a terminal, a line every tenth of the way elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

_WIDTH = 30
_EVERY_S = 0.2


class Progress:
    """Reports one stage of ``total`` bytes; call it with the bytes that are done."""

    def __init__(
        self, stage: str, total: int, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stage = stage
        self._total = max(1, total)
        self._out = out or sys.stdout
        self._clock = clock
        self._started_s = clock()
        self._next_s = 0.0
        self._next_tenth = 1

    def __call__(self, done: int) -> None:
        """Show it, if it is time to."""
        finished = done >= self._total
        if self._out.isatty():
            if finished or self._clock() >= self._next_s:
                self._next_s = self._clock() + _EVERY_S
                filled = "#" * (_WIDTH * done // self._total)
                print(
                    f"\r\x1b[K{self._line(done, f'[{filled:<{_WIDTH}}] ')}",
                    end="\n" if finished else "",
                    file=self._out,
                    flush=True,
                )
        elif done * 10 >= self._total * self._next_tenth:
            self._next_tenth = done * 10 // self._total + 1
            print(self._line(done, ""), file=self._out, flush=True)

    def _line(self, done: int, bar: str) -> str:
        passed_s = max(1e-6, self._clock() - self._started_s)
        rate = done / passed_s
        left_s = round((self._total - done) / rate) if rate else 0
        end = f"{left_s // 60}:{left_s % 60:02} left" if done < self._total else f"in {round(passed_s)} s"
        return (
            f"{self._stage:<10} {bar}{100 * done // self._total:>3} %  "
            f"{done / 1e6:.0f} of {self._total / 1e6:.0f} MB  {rate / 1e6:.1f} MB/s  {end}"
        )
