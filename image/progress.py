"""What a person sees while an image is built: which step of how many, how long it takes, how long it took last time."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self, TextIO

WIDTH = 24
TICK_S = 1.0


def clock(seconds: float) -> str:
    """Return minutes and seconds: `2:05`."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def bar(part: float) -> str:
    """Return a bar that is full at 1.0."""
    full = round(WIDTH * min(max(part, 0.0), 1.0))
    return f"[{'#' * full}{'-' * (WIDTH - full)}]"


class Progress:
    """A bar that moves on a terminal; one line at the end of each step elsewhere.

    ``expected`` are seconds by step, as they were last time; a step of unknown length counts as a minute.
    """

    def __init__(self, out: TextIO, steps: list[str], expected: dict[str, float]) -> None:
        self._out = out
        self._steps = steps
        self._expected = {name: expected.get(name, 60.0) for name in steps}
        self._passed_s = 0.0

    def step(self, name: str, says: str) -> _Running:
        """Return what shows a step while it runs."""
        return _Running(self, name, says)

    def line(self, name: str, says: str, elapsed_s: float) -> str:
        """The line of a running step."""
        whole_s = sum(self._expected.values()) or 1.0
        part = (self._passed_s + min(elapsed_s, self._expected[name])) / whole_s
        usual = f" of about {clock(self._expected[name])}" if self._expected[name] >= TICK_S else ""
        return f"{bar(part)} {self._number(name)} {says} {clock(elapsed_s)}{usual}"

    def cached(self, name: str, says: str) -> None:
        """Tell a step that had nothing to do."""
        self._passed_s += self._expected[name]
        self._end(f"{self._number(name)} {says}: as before")

    def done(self, name: str, says: str, elapsed_s: float) -> None:
        """Tell a step that was done."""
        self._passed_s += self._expected[name]
        self._end(f"{self._number(name)} {says}: {clock(elapsed_s)}")

    def draw(self, text: str) -> None:
        """Show a line in place of the one before, on a terminal."""
        if self._out.isatty():
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()

    def _end(self, text: str) -> None:
        self._out.write(f"\r\x1b[K{text}\n" if self._out.isatty() else f"{text}\n")
        self._out.flush()

    def _number(self, name: str) -> str:
        return f"{self._steps.index(name) + 1:2d}/{len(self._steps)}"


class _Running:
    def __init__(self, progress: Progress, name: str, says: str) -> None:
        self._progress, self._name, self._says = progress, name, says
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self.elapsed_s = 0.0

    def __enter__(self) -> Self:
        self._begun_s = time.monotonic()
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.elapsed_s = time.monotonic() - self._begun_s
        self._ended.set()
        self._ticker.join()
        if kind is None:
            self._progress.done(self._name, self._says, self.elapsed_s)

    def _tick(self) -> None:
        while True:
            self._progress.draw(self._progress.line(self._name, self._says, time.monotonic() - self._begun_s))
            if self._ended.wait(TICK_S):
                return
