"""A clock that runs without JavaScript: SVG animates its own text, and a strict CSP has nothing to forbid.

Each digit is a column of numerals behind a window, moved in whole steps; SMIL (https://www.w3.org/TR/SVG11/animate.html)
starts when the page does. When time is up the digits give way to words. Nothing reloads, so nothing typed is lost.
"""

from __future__ import annotations

from dataclasses import dataclass

STEP = 48
HOUR_S = 3600
# In units of the drawing: where the digits of minutes and seconds stand, and the colon between them, how wide they are together,
# and what hours before them take.
_PLACES, _COLON, _WIDTH = (0, 25, 62, 87), 43, 111
_DIGIT, _GAP = 25, 12


@dataclass(frozen=True)
class Column:
    """One digit: ``numerals`` from top to bottom, ``positions`` of its steps, taking ``cycle_s``, begun ``offset_s`` ago.

    The hours are one column of whole numbers; ``x`` is where a numeral begins, and of the hours where it ends.
    """

    x: int
    numerals: tuple[int, ...]
    cycle_s: int
    offset_s: int
    hours: bool = False

    @property
    def positions(self) -> str:
        """The vertical shift at each step, as SMIL wants it."""
        return ";".join(f"0 {-STEP * index}" for index in range(len(self.numerals)))


@dataclass(frozen=True)
class Countdown:
    """What the template draws for ``left_s`` seconds: the columns, the colons between them, and how wide it is."""

    left_s: int
    columns: tuple[Column, ...]
    colons: tuple[int, ...]
    width: int


def countdown(left_ms: int) -> Countdown:
    """Return the clock for ``left_ms``; from an hour on it has hours, which do not come round again."""
    left_s = max(1, left_ms // 1000)
    hours = left_s // HOUR_S
    gone_s = HOUR_S - 1 - left_s % HOUR_S
    end = _DIGIT * len(str(hours))
    shift = end + _GAP if hours else 0
    downwards, tens = tuple(range(9, -1, -1)), (5, 4, 3, 2, 1, 0)
    cycles = ((tens, 3600), (downwards, 600), (tens, 60), (downwards, 10))
    columns = tuple(
        Column(x + shift, numerals, cycle_s, gone_s % cycle_s)
        for x, (numerals, cycle_s) in zip(_PLACES, cycles, strict=True)
    )
    if not hours:
        return Countdown(left_s, columns, (_COLON,), _WIDTH)
    down = tuple(range(hours, -1, -1))
    first = Column(end - 1, down, HOUR_S * len(down), gone_s, hours=True)
    colons = (end + _COLON - 2 * _DIGIT, shift + _COLON)
    return Countdown(left_s, (first, *columns), colons, shift + _WIDTH)
