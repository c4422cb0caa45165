"""The price of a decision, before it is made: what could be oversold, what stays stranded, how long it takes. Pure.

Figures are bounds from what the cloud has heard: a device that is away may sell everything it holds before it hears anything.
Times are guesses, and None where nobody can know: how long a lost card stays lost, or an outage of a device that had none yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from mqtt_bridge.cloud.allocation import stepped_limit
from mqtt_bridge.cloud.doubt import Doubt

# A device that can be reached answers a recall within some seconds; its open holds end within their life.
AT_ONCE_H = 0.0


class Refused(Exception):
    """What cannot be done at all; the sentence has the figures."""


@dataclass(frozen=True)
class Holding:
    """What a device has of a quota in its present epoch: ``unsold`` tickets, ``held`` of them in open holds.

    ``live``: it can be reached now. ``outage_h``: how long its outages last on average, None before it had one.
    """

    device: str
    unsold: int
    held: int = 0
    live: bool = True
    outage_h: float | None = None

    @property
    def free(self) -> int:
        """Tickets it can return."""
        return max(0, self.unsold - self.held)


@dataclass(frozen=True)
class Situation:
    """A quota as the cloud knows it, in tickets: ``sold`` are valid ones it has heard of, ``doubt`` what closed epochs had left."""

    limit: int
    extra: int
    sold: int
    holdings: tuple[Holding, ...] = ()
    doubt: Doubt = field(default_factory=Doubt)
    target: int | None = None

    @property
    def out(self) -> int:
        """Tickets that devices hold unsold, those in doubt included."""
        return sum(max(0, each.unsold) for each in self.holdings) + self.doubt.in_doubt

    @property
    def committed(self) -> int:
        """Tickets that are sold or could be without asking the cloud again."""
        return self.sold + self.out

    @property
    def pool(self) -> int:
        """Tickets that nobody has."""
        return self.limit + self.extra - self.committed


@dataclass(frozen=True)
class Price:
    """``oversold``: tickets that could at most be valid beyond what the decision means to allow, ever or until it is reached;
    ``stranded``: unsold tickets that nobody can sell, or only a device that cannot be reached; ``hours``: until what was
    decided is expected to be reached (0: at once), None if that is not known.
    """

    oversold: int
    stranded: int
    hours: float | None


@dataclass(frozen=True)
class LimitPrice(Price):
    """``now``: the limit right after the decision; while it is above ``limit`` nothing is granted."""

    limit: int
    now: int

    @property
    def gap(self) -> int:
        """Tickets that still have to come back."""
        return self.now - self.limit


def limit(at: Situation, new: int) -> LimitPrice:
    """Price a new limit. Raises ``Refused`` below zero or below the sales the cloud knows.

    Raising works at once and oversells nothing. Lowering works at once as far as the pool goes; the rest is recalled, and until
    it is back at most the gap could be sold beyond the new limit, never beyond the present one.
    """
    if new < 0:
        raise Refused("a limit cannot be below zero")
    if new + at.extra < at.sold:
        msg = (
            f"{at.sold} tickets are known to be sold, so the limit cannot be lowered to {new}"
            + (f" with {at.extra} extra" if at.extra else "")
            + f"; the lowest possible is {max(0, at.sold - at.extra)}"
        )
        raise Refused(msg)
    now = max(new, min(at.limit, stepped_limit(new, at.committed, at.extra))) if new < at.limit else new
    gap = now - new
    return LimitPrice(gap, _unreachable(at.holdings) + at.doubt.in_doubt, _back_after(at.holdings, gap), new, now)


def optimistic(at: Situation, most: int) -> Price:
    """Price ``optimistic(most)``: every ticket of it is one that may be sold without a seat."""
    if at.limit + most < at.sold:
        raise Refused(f"{at.sold} tickets are known to be sold: of {at.limit}, optimistic({most}) allows fewer")
    missing = max(0, at.committed - at.limit - most)
    return Price(most, _unreachable(at.holdings) + at.doubt.in_doubt, _back_after(at.holdings, missing))


def release(at: Situation, number: int) -> Price:
    """Price the release of in-doubt stock: each ticket of it may have been sold by the device that is gone."""
    after = at.doubt.releasing(number)
    return Price(number, after.covered, AT_ONCE_H)


def seal(at: Situation, device: str) -> Price:
    """Price the sealing of a device: what it holds is in doubt until its card is recovered, or an operator releases it."""
    unsold = sum(max(0, each.unsold) for each in at.holdings if each.device == device)
    return Price(0, at.doubt.covered + unsold, None if unsold else AT_ONCE_H)


def recall(at: Situation, device: str, number: int) -> Price:
    """Price a recall: it returns what is free when the device hears of it; what it sells before that stays sold."""
    theirs = [each for each in at.holdings if each.device == device]
    free = sum(each.free for each in theirs)
    return Price(0, max(0, number - free), _back_after(theirs, min(number, free)))


def _unreachable(holdings: Iterable[Holding]) -> int:
    return sum(max(0, each.unsold) for each in holdings if not each.live)


def _back_after(holdings: Iterable[Holding], needed: int) -> float | None:
    """Hours until ``needed`` free tickets are expected back: from those that can be reached at once, then as outages end.

    Outages forget how long they have lasted (they are taken as exponential), so one that lasts ``outage_h`` on average is
    expected to last that long from now; of several that must all end the last one takes 1 + 1/2 + 1/3 ... times that.
    """
    here = list(holdings)
    missing = needed - sum(each.free for each in here if each.live)
    if missing <= 0:
        return AT_ONCE_H
    waited_for: list[float] = []
    for each in sorted(
        (one for one in here if not one.live and one.free), key=lambda one: (one.outage_h or 1e9, -one.free)
    ):
        if each.outage_h is None:
            return None
        waited_for.append(each.outage_h)
        missing -= each.free
        if missing <= 0:
            return max(waited_for) * sum(1 / place for place in range(1, len(waited_for) + 1))
    return None
