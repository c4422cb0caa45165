"""What the cloud guesses of the future: how fast a device sells of a quota, and how long it is away when its link breaks.

Made only of what the cloud itself saw, at its own clock: totals when they arrived, links that came and went. Guesses size
grants; no guess and no clock ever decides whether stock exists, so a clock that jumps costs sales at worst. Jumps are damped:
time never runs backwards here, and one look covers at most ``LONGEST_LOOK_H``.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from mqtt_bridge.protocol.moments import HOUR_MS

LONGEST_LOOK_H = 24.0
# What was seen counts half after so many hours: tomorrow's demand is more like today's than like last week's.
DEMAND_HALF_LIFE_H = 24.0
OUTAGE_MEMORY = 0.9
# Before a device has shown anything it is taken for an average one; that counts as much as so many tickets, or outages.
PRIOR_TICKETS = 1.0
PRIOR_OUTAGES = 1.0
USUAL_OUTAGE_H = 2.0
# A link that comes back sooner was no outage: nobody's stock ran out meanwhile.
SHORTEST_OUTAGE_H = 1 / 60
# No rate is believed from a shorter watch than this, and none at all before a quota has sold so many tickets.
SHORTEST_WATCH_H = 0.1
ENOUGH_TICKETS = 10.0


def elapsed_h(since_ms: int, now_ms: int) -> float:
    """Hours from ``since_ms`` (0: never) to ``now_ms`` by the cloud's clock, never below 0 nor above ``LONGEST_LOOK_H``."""
    return min(LONGEST_LOOK_H, max(0, now_ms - since_ms) / HOUR_MS) if since_ms else 0.0


class Demand(msgspec.Struct, frozen=True, gc=False):
    """Of one allocation: ``tickets`` sold in ``hours`` (both fading), the ``sold`` total at the last look, and when that was."""

    tickets: float = 0.0
    hours: float = 0.0
    sold: int = 0
    as_of_ms: int = 0

    def look(self, sold: int, now_ms: int, *, dry: bool) -> Demand:
        """Take over a ``sold`` total that arrived now; ``dry``: nothing was left to sell, so more may have been wanted.

        What sold out before it was looked at is counted over the time it should have taken (half of it all, where nothing
        was known before), not over all the time: an empty shelf says nothing about demand.
        """
        new = max(0, sold - self.sold)
        hours = elapsed_h(self.as_of_ms, now_ms)
        if dry:
            hours = min(hours, new * self.hours / self.tickets) if self.hours and self.tickets else hours / 2
        kept = 0.5 ** (hours / DEMAND_HALF_LIFE_H)
        return Demand(self.tickets * kept + new, self.hours * kept + hours, max(self.sold, sold), now_ms)

    def rate(self, usual: float | None) -> float | None:
        """Tickets per hour, if an average device sells ``usual`` per hour; None where that is not known."""
        if usual is None:
            return None
        return (PRIOR_TICKETS + self.tickets) / (PRIOR_TICKETS / usual + max(self.hours, SHORTEST_WATCH_H))

    def inherited(self, now_ms: int) -> Demand:
        """Return what a new epoch of the same device begins with: the same demand, no sales yet."""
        return Demand(self.tickets, self.hours, 0, now_ms)


def usual_rate(demands: Iterable[Demand]) -> float | None:
    """Tickets per hour of an average device among these; None before they sold ``ENOUGH_TICKETS``."""
    seen = list(demands)
    tickets = sum(each.tickets for each in seen)
    return tickets / sum(max(each.hours, SHORTEST_WATCH_H) for each in seen) if tickets >= ENOUGH_TICKETS else None


class Outages(msgspec.Struct, frozen=True, gc=False):
    """Of one device: so many outages of ``hours`` in all (both fading), and when its link broke (0: it is up or was never)."""

    count: float = 0.0
    hours: float = 0.0
    down_since_ms: int = 0

    def link(self, now_ms: int, *, up: bool) -> Outages:
        """Take over that the link is up or down as of now; repeating it changes nothing."""
        if up and self.down_since_ms:
            hours = elapsed_h(self.down_since_ms, now_ms)
            if hours < SHORTEST_OUTAGE_H:
                return Outages(self.count, self.hours)
            return Outages(self.count * OUTAGE_MEMORY + 1, self.hours * OUTAGE_MEMORY + hours)
        if not up and not self.down_since_ms:
            return Outages(self.count, self.hours, now_ms)
        return self

    def expected_h(self, usual_h: float) -> float:
        """Hours its next outage is expected to last, if an average device's last ``usual_h``."""
        return (PRIOR_OUTAGES * usual_h + self.hours) / (PRIOR_OUTAGES + self.count)


def usual_outage_h(outages: Iterable[Outages], now_ms: int) -> float:
    """Hours an average outage lasts; those still going on count with what they have lasted (exponential, censored)."""
    seen = list(outages)
    hours = sum(each.hours + elapsed_h(each.down_since_ms, now_ms) for each in seen)
    return (PRIOR_OUTAGES * USUAL_OUTAGE_H + hours) / (PRIOR_OUTAGES + sum(each.count for each in seen))
