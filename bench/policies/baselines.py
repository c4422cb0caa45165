"""The others: a static split, a reactive bounded counter, a central lock, and last-write-wins.

Each has the same network as ours: what is asked of others while the link is up takes no time. Those with free parameters are
searched over ``GRID`` on the tuning seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

from bench.policies.replay import Builder
from bench.policies.trace import Trace


def _even(seats: int, venues: int) -> list[int]:
    return [seats // venues + (venue < seats % venues) for venue in range(venues)]


class StaticSplit:
    """Every venue owns an equal part from the start, and nothing ever moves."""

    def __init__(self, trace: Trace) -> None:
        self.own = _even(trace.seats, trace.venues)

    def link(self, minute: float, venue: int, *, up: bool) -> None:
        """Nothing depends on links."""

    def sell(self, minute: float, venue: int, size: int) -> bool:
        """Sell what it owns."""
        if self.own[venue] < size:
            return False
        self.own[venue] -= size
        return True


class CentralLock:
    """One counter in the centre, locked for each sale: refuses while the link is down."""

    def __init__(self, trace: Trace) -> None:
        self.left = trace.seats
        self.up = [True] * trace.venues

    def link(self, minute: float, venue: int, *, up: bool) -> None:
        """Remember it."""
        self.up[venue] = up

    def sell(self, minute: float, venue: int, size: int) -> bool:
        """Sell from the centre."""
        if not self.up[venue] or self.left < size:
            return False
        self.left -= size
        return True


class LastWriteWins:
    """Every venue sells from its copy of one register, "seats left"; of two copies that meet, the one written last survives."""

    def __init__(self, trace: Trace) -> None:
        self.centre = (0.0, trace.seats)
        self.copy = [self.centre] * trace.venues
        self.up = [True] * trace.venues

    def link(self, minute: float, venue: int, *, up: bool) -> None:
        """When the link comes back the two copies become the newer of both."""
        self.up[venue] = up
        if up:
            self.centre = self.copy[venue] = max(self.centre, self.copy[venue], key=lambda each: each[0])

    def sell(self, minute: float, venue: int, size: int) -> bool:
        """Sell while the copy says that there are seats."""
        left = (self.centre if self.up[venue] else self.copy[venue])[1]
        if left < size:
            return False
        self.copy[venue] = (minute, left - size)
        if self.up[venue]:
            self.centre = self.copy[venue]
        return True


@dataclass(frozen=True)
class CounterOptions:
    """Of a bounded counter: the share of its rights a donor gives, how many donors are asked in turn (richest first),
    whether the party that failed is served when rights arrive, and for how many minutes a venue asks nobody after asking in vain.
    """

    gives: float
    donors: int
    retries: bool
    rests: float


class BoundedCounter:
    """Rights are split evenly; a venue asks others only after a sale failed, and both must be online (AntidoteDB's counter_b)."""

    def __init__(self, trace: Trace, options: CounterOptions) -> None:
        self.rights = _even(trace.seats, trace.venues)
        self.up = [True] * trace.venues
        self.options = options
        self.rests_until = [0.0] * trace.venues

    def link(self, minute: float, venue: int, *, up: bool) -> None:
        """Remember it."""
        self.up[venue] = up

    def sell(self, minute: float, venue: int, size: int) -> bool:
        """Sell by own rights; without enough of them fail, and ask."""
        if self.rights[venue] < size:
            if self.up[venue] and minute >= self.rests_until[venue]:
                self._ask(minute, venue, size)
            if not self.options.retries or self.rights[venue] < size:
                return False
        self.rights[venue] -= size
        return True

    def _ask(self, minute: float, venue: int, size: int) -> None:
        others = [each for each in range(len(self.rights)) if each != venue and self.up[each] and self.rights[each]]
        others.sort(key=lambda each: (-self.rights[each], each))
        for donor in others[: self.options.donors]:
            if self.rights[venue] >= size:
                break
            given = max(round(self.rights[donor] * self.options.gives), min(size, self.rights[donor]))
            self.rights[donor] -= given
            self.rights[venue] += given
        if self.rights[venue] < size:
            self.rests_until[venue] = minute + self.options.rests


GRID = tuple(CounterOptions(*each) for each in product((0.25, 0.5, 0.75, 1.0), (1, 4, 19), (False, True), (0.0, 10.0)))


def counter(options: CounterOptions) -> Builder:
    """Return a builder of bounded counters."""
    return lambda trace: BoundedCounter(trace, options)


WITHOUT_PARAMETERS: Mapping[str, Builder] = {
    "central lock": CentralLock,
    "static split": StaticSplit,
    "last write wins": LastWriteWins,
}
