"""What a person sees while an image is built: which steps of how many, how long they take, how long they took last time."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Shown:
    """A step that runs, and for how long by now."""

    name: str
    says: str
    elapsed_s: float


class Progress:
    """A bar that moves on a terminal; one line at the end of each step elsewhere. Steps may run beside each other.

    ``expected`` are seconds by step, as they were last time; a step of unknown length counts as a minute.
    """

    def __init__(self, out: TextIO, steps: list[str], expected: dict[str, float]) -> None:
        self._out = out
        self._steps = steps
        self._expected = {name: expected.get(name, 60.0) for name in steps}
        self._passed_s = 0.0
        self._running: list[_Running] = []
        self._one_writes = threading.RLock()

    def step(self, name: str, says: str) -> _Running:
        """Return what shows a step while it runs."""
        return _Running(self, name, says)

    def line(self, running: Sequence[Shown]) -> str:
        """The line of the steps that run."""
        whole_s = sum(self._expected.values()) or 1.0
        some_s = sum(min(each.elapsed_s, self._expected[each.name]) for each in running)
        return f"{bar((self._passed_s + some_s) / whole_s)} {' · '.join(map(self._words, running))}"

    def cached(self, name: str, says: str) -> None:
        """Tell a step that had nothing to do."""
        self._pass(name, f"{says}: as before")

    def done(self, name: str, says: str, elapsed_s: float) -> None:
        """Tell a step that was done."""
        self._pass(name, f"{says}: {clock(elapsed_s)}")

    def failed(self, name: str, says: str, elapsed_s: float) -> None:
        """Tell a step that failed; why is told at the end of the build."""
        with self._one_writes:
            rest = ", ".join(self._number(each.name).strip() for each in self._running)
            self._end(name, f"{says}: failed after {clock(elapsed_s)}{f'; still running: {rest}' if rest else ''}")

    def begun(self, running: _Running) -> None:
        """Show a step from now on."""
        with self._one_writes:
            self._running.append(running)

    def ended(self, running: _Running) -> None:
        """Show a step no more."""
        with self._one_writes:
            self._running.remove(running)

    def draw(self, running: _Running) -> None:
        """Show what runs in place of the line before, on a terminal; the oldest step does it for all."""
        with self._one_writes:
            if self._out.isatty() and self._running and self._running[0] is running:
                text = self.line([each.shown() for each in self._running])
                # A line that wraps cannot be written over.
                self._out.write(f"\r\x1b[K{text[: shutil.get_terminal_size().columns - 1]}")
                self._out.flush()

    def _pass(self, name: str, text: str) -> None:
        with self._one_writes:
            self._passed_s += self._expected[name]
            self._end(name, text)

    def _end(self, name: str, text: str) -> None:
        with self._one_writes:
            line = f"{self._number(name)} {text}\n"
            self._out.write(f"\r\x1b[K{line}" if self._out.isatty() else line)
            self._out.flush()

    def _words(self, step: Shown) -> str:
        usual_s = self._expected[step.name]
        usual = f" of about {clock(usual_s)}" if usual_s >= TICK_S else ""
        return f"{self._number(step.name)} {step.says} {clock(step.elapsed_s)}{usual}"

    def _number(self, name: str) -> str:
        return f"{self._steps.index(name) + 1:2d}/{len(self._steps)}"


class _Running:
    def __init__(self, progress: Progress, name: str, says: str) -> None:
        self._progress, self.name, self._says = progress, name, says
        self._ended = threading.Event()
        self._ticker = threading.Thread(target=self._tick, daemon=True)
        self.elapsed_s = 0.0

    def shown(self) -> Shown:
        return Shown(self.name, self._says, time.monotonic() - self._begun_s)

    def __enter__(self) -> Self:
        self._begun_s = time.monotonic()
        self._progress.begun(self)
        self._ticker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.elapsed_s = time.monotonic() - self._begun_s
        self._ended.set()
        self._ticker.join()
        self._progress.ended(self)
        tell = self._progress.done if kind is None else self._progress.failed
        tell(self.name, self._says, self.elapsed_s)

    def _tick(self) -> None:
        while True:
            self._progress.draw(self)
            if self._ended.wait(TICK_S):
                return
