"""A clock that runs without JavaScript: SVG animates its own text, and a strict CSP has nothing to forbid.

Each digit is a column of numerals behind a window, moved in whole steps; SMIL (https://www.w3.org/TR/SVG11/animate.html)
starts when the page does. When time is up the digits give way to words. Nothing reloads, so nothing typed is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

STEP = 48
SHOWN_MOST_S = 3600


@dataclass(frozen=True)
class Column:
    """One digit: ``numerals`` from top to bottom, ``positions`` of its steps, taking ``cycle_s``, begun ``offset_s`` ago."""

    x: int
    numerals: tuple[int, ...]
    cycle_s: int
    offset_s: int

    @property
    def positions(self) -> str:
        """The vertical shift at each step, as SMIL wants it."""
        return ";".join(f"0 {-STEP * index}" for index in range(len(self.numerals)))


@dataclass(frozen=True)
class Countdown:
    """What the template draws for ``left_s`` seconds."""

    left_s: int
    columns: tuple[Column, ...]


def countdown(left_ms: int) -> Countdown:
    """Return the columns for ``left_ms``; more than an hour is shown as an hour that has not begun to run down."""
    left_s = max(1, min(left_ms // 1000, SHOWN_MOST_S - 1))
    gone_s = SHOWN_MOST_S - 1 - left_s
    downwards = tuple(range(9, -1, -1))
    tens = (5, 4, 3, 2, 1, 0)
    return Countdown(
        left_s,
        (
            Column(0, tens, 3600, gone_s),
            Column(1, downwards, 600, gone_s % 600),
            Column(2, tens, 60, gone_s % 60),
            Column(3, downwards, 10, gone_s % 10),
        ),
    )
