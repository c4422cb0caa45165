"""How fast people come in."""

from __future__ import annotations

from typing import NamedTuple

from appliance.domain.clock import MINUTE_MS
from appliance.services.box import Unit
from appliance.store import scans

WINDOW_MS = 5 * MINUTE_MS
WINDOWS = 12


class Arrivals(NamedTuple):
    """Admissions at this door in windows of five minutes, oldest first; the last is the one that has just begun or goes on."""

    counts: tuple[int, ...]
    last_five_minutes: int

    @property
    def most(self) -> int:
        """The fullest window, at least 1."""
        return max(1, *self.counts)


def arrivals(unit: Unit) -> Arrivals:
    """Return the arrivals of the last hour. Windows begin at whole five minutes, so that bars do not creep."""
    now_ms = unit.now.wall_ms
    first_ms = now_ms - now_ms % WINDOW_MS - (WINDOWS - 1) * WINDOW_MS
    times = [at_ms for at_ms in scans.admitted_since(unit.db, first_ms) if at_ms <= now_ms]
    counts = [0] * WINDOWS
    for at_ms in times:
        counts[(at_ms - first_ms) // WINDOW_MS] += 1
    return Arrivals(tuple(counts), sum(at_ms > now_ms - WINDOW_MS for at_ms in times))
