"""Stock whose device may be gone: how much is in doubt, what of it may be released, and what late news does. Pure.

An epoch is *closed* once its device was sealed or began another life: nothing more is granted to it, and what it had left may
have been sold without our knowing. Of that in-doubt stock an operator may release some into the quota's extra, which buys
exactly as many tickets as could then be sold twice. Whatever comes back later lowers what was released before it enters the
pool, so ``pool + sum(granted - returned + confirmed) = limit + extra`` holds at every step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from mqtt_bridge.protocol.stock import Totals


class ReleaseRefused(Exception):
    """More was to be released than is in doubt; the sentence has the figures."""


@dataclass(frozen=True)
class Doubt:
    """Of one quota, in tickets: unsold stock of its closed epochs, and what of it an operator released.

    ``beyond``: sold by sealed devices beyond what these rows granted. A restored cloud that sealed them unheard granted it twice.
    """

    in_doubt: int = 0
    released: int = 0
    beyond: int = 0

    @property
    def covered(self) -> int:
        """Late sales of closed epochs that still fit under what was never released."""
        return max(0, self.in_doubt - self.released)

    @property
    def oversold(self) -> int:
        """Tickets that turned out to be sold and were on sale again: the price that was really paid."""
        return max(0, self.released - self.in_doubt) + self.beyond

    def releasing(self, number: int) -> Doubt:
        """Return the doubt after an operator released ``number`` tickets, knowing that as many could be sold twice."""
        if not 0 < number <= self.covered:
            msg = (
                f"{self.in_doubt} tickets are in doubt and {self.released} of them were released before; "
                f"{self.covered} can be released, not {number}"
            )
            raise ReleaseRefused(msg)
        return replace(self, released=self.released + number)


@dataclass(frozen=True)
class Back:
    """What stock of a closed epoch does that came back: ``lowered`` tickets of it lower what was released.

    ``later`` tickets will as soon as the pool has them. The rest stays in the pool.
    """

    lowered: int
    later: int


def came_back(released: int, number: int, pool: int) -> Back:
    """Return what ``number`` tickets do that a closed epoch returned, where ``released`` tickets were released before.

    ``pool`` holds them already, unless it is short: a cloud that was lost may have granted them again before its backup was
    put back, and what they should have lowered is lowered by whatever comes back next.
    """
    due = max(0, min(released, number))
    lowered = max(0, min(due, pool))
    return Back(lowered, due - lowered)


def counted(totals: Totals, sold: int, cancelled: int) -> Totals:
    """Return the totals of a sealed epoch where ``sold`` and ``cancelled`` are tickets known by id.

    What the device had reported stays the least there can be: it counted sales whose tickets we may never hear of.
    """
    most_cancelled = min(max(totals.cancelled, cancelled), max(totals.sold, sold) + totals.confirmed)
    return msgspec.structs.replace(totals, sold=max(totals.sold, sold), cancelled=most_cancelled)


def handed_back(totals: Totals, told: int, reclaimed: int) -> Totals:
    """Return the totals after the device itself said it returned ``told``; ``reclaimed`` the cloud had counted besides.

    Never more than is left: a copy of the card may have sold what this one gives back.
    """
    returned = min(told + reclaimed, totals.returned + max(0, totals.unsold))
    return msgspec.structs.replace(totals, returned=max(totals.returned, returned))
