"""Cash-up: what a till should hold, from what was moved. Pure; money in minor units of one currency."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mqtt_bridge.protocol.money import to_minor

# Whoever closes after midnight still closes the evening before.
EVENING_ENDS_H = 6

EntryKind = Literal["no_sale", "paid_in", "paid_out", "correction"]
ENTRY_KINDS: tuple[EntryKind, ...] = ("no_sale", "paid_in", "paid_out")
"""What may be entered into an open shift; corrections come after it was closed."""


@dataclass(frozen=True, slots=True)
class Sum:
    """So many moves, worth so much in all."""

    count: int = 0
    minor: int = 0

    def plus(self, minor: int) -> Sum:
        """Return this with one more move."""
        return Sum(self.count + 1, self.minor + minor)


@dataclass(frozen=True, slots=True)
class Takings:
    """Money by the way it moved: taken, given away as comps, and paid back (positive sums)."""

    cash: Sum = Sum()
    terminal: Sum = Sum()
    comp: Sum = Sum()
    cash_back: Sum = Sum()
    terminal_back: Sum = Sum()

    @property
    def turnover_minor(self) -> int:
        """What came in by cash and terminal, less what was paid back."""
        return self.cash.minor + self.terminal.minor - self.cash_back.minor - self.terminal_back.minor


def takings(moves: Iterable[tuple[str, int]]) -> Takings:
    """Sum payments up: (method, amount), where a negative amount was paid back."""
    sums = dict.fromkeys(("cash", "terminal", "comp", "cash_back", "terminal_back"), Sum())
    for method, minor in moves:
        name = method if minor >= 0 else f"{method}_back"
        if name in sums:
            sums[name] = sums[name].plus(abs(minor))
    return Takings(**sums)


@dataclass(frozen=True, slots=True)
class Till:
    """All of a shift's cash: what it began with, took, and what else was put in or taken out of the drawer."""

    float_minor: int
    takings: Takings
    no_sales: int = 0
    paid_in: Sum = Sum()
    paid_out: Sum = Sum()

    @property
    def expected_minor(self) -> int:
        """What the drawer should hold."""
        cash = self.takings.cash.minor - self.takings.cash_back.minor
        return self.float_minor + cash + self.paid_in.minor - self.paid_out.minor


def till(float_minor: int, moves: Iterable[tuple[str, int]], entries: Iterable[tuple[str, int]]) -> Till:
    """Return the till of a shift from its payments (method, amount) and its entries (kind, amount)."""
    no_sales, paid_in, paid_out = 0, Sum(), Sum()
    for kind, minor in entries:
        if kind == "no_sale":
            no_sales += 1
        elif kind == "paid_in":
            paid_in = paid_in.plus(minor)
        elif kind == "paid_out":
            paid_out = paid_out.plus(minor)
    return Till(float_minor, takings(moves), no_sales, paid_in, paid_out)


def evening_of(at_ms: int, timezone: str) -> date:
    """Return the date of the evening that a moment belongs to: until six in the morning it is the one before."""
    try:
        where = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        where = ZoneInfo("UTC")
    return (datetime.fromtimestamp(at_ms / 1000, where) - timedelta(hours=EVENING_ENDS_H)).date()


def read_amount(text: str, currency: str) -> int:
    """Return minor units of what a person typed: ``12``, ``12.50`` or ``12,50``; raises ``ValueError``."""
    return to_minor("".join(text.split()).replace(",", "."), currency)
