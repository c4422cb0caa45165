"""Who may sell how much of a quota: a pure plan from figures, the same whichever process makes it.

1. A device's first grant of an epoch is its even part of most of the quota: it must be able to go offline at once.
2. Who asks is served first, the smallest request first.
3. Every device that can be reached is given its *cover*: ``COVER`` times what it will probably sell during its next outage,
   at most what it will probably sell until the sale ends. Where all covers together exceed what can be reached (the pool and
   what reachable devices have free), all shrink alike; so grants shrink near sell-out.
4. What is missing then is recalled: from those that have more than their cover, and for requests (also those of orders on
   request) from whoever has most.

Until enough is sold to know any demand, a device's cover is its even part, and without a request nothing is recalled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import msgspec

from mqtt_bridge.protocol.stock import Totals

# Of the capacity, what first grants split evenly; the rest stays in the pool for whoever runs dry first.
FIRST_TENTHS = 9
# Outages vary: five times the expected demand outlasts 99 of 100 (exponentially distributed) outages.
COVER = 5.0
# Refill below this part of the cover; take back above that one. Between them nothing moves, so that plans do not oscillate.
LOW_WATER = 0.9
HIGH_WATER = 1.1
# The low-water mark of a device of which nothing is known.
UNKNOWN_LOW_WATER = 0.25
# A recall that nobody's request needs leaves a device this part of an even split of what can be reached.
FLOOR = 0.5


class QuotaFacts(msgspec.Struct, frozen=True, gc=False):
    """Figures of a quota in tickets; ``target`` is a lower limit still to be reached, ``frozen`` stops everything.

    ``hours_left`` is the time until its sale ends, None if that is not known. ``asked`` tickets are wanted back by orders on
    request that the pool could not meet.
    """

    limit: int
    extra: int
    pool: int
    target: int | None = None
    frozen: bool = False
    hours_left: float | None = None
    asked: int = 0


class DeviceFacts(msgspec.Struct, frozen=True, gc=False):
    """A registered device at its current epoch.

    ``live``: it said hello and its link is up. ``started``: it has had its first grant of this epoch. ``wanted``: what it
    asked for and has not got. ``recalled``: what it was asked to return a moment ago and has not. ``rate`` (tickets per hour)
    and ``outage_h`` (hours) are what its demand and its next outage are expected to be; a ``rate`` of None is not known.
    """

    name: str
    totals: Totals = Totals()
    held: int = 0
    live: bool = True
    started: bool = False
    wanted: int = 0
    recalled: int = 0
    rate: float | None = None
    outage_h: float = 0.0

    @property
    def free(self) -> int:
        """Tickets it could sell now and was not asked to give back."""
        available = self.totals.available(self.held)
        return available - min(self.recalled, available) if self.recalled else available

    @property
    def returning(self) -> int:
        """What of the recalled stock it can still return."""
        return min(self.recalled, self.totals.available(self.held)) if self.recalled else 0


@dataclass(frozen=True)
class Grant:
    """Debit the pool by ``quantity`` for ``device``."""

    device: str
    quantity: int


@dataclass(frozen=True)
class Recall:
    """Ask ``device`` to return stock until its ``returned`` total is ``returned``."""

    device: str
    returned: int


def fair_share(quota: QuotaFacts, devices: int) -> int:
    """First grant of each of ``devices`` registered devices; at least one ticket while the quota has any."""
    capacity = quota.limit + quota.extra
    return min(capacity, max(1, capacity * FIRST_TENTHS // (10 * max(1, devices))))


def stepped_limit(target: int, committed: int, extra: int) -> int:
    """The limit nearest to ``target`` that still covers ``committed`` = sum(granted - returned + confirmed)."""
    return max(target, committed - extra)


def covers(quota: QuotaFacts, devices: list[DeviceFacts]) -> dict[str, int]:
    """Return what each live device should have free, in tickets; together never more than can be reached."""
    live = sorted((each for each in devices if each.live), key=lambda each: each.name)
    return _covers(quota, live, max(0, quota.pool) + sum(each.free for each in live), len(devices))


def _covers(quota: QuotaFacts, live: list[DeviceFacts], reach: int, devices: int) -> dict[str, int]:
    unknown = float(fair_share(quota, devices))
    full = [unknown if each.rate is None else _full_cover(quota, each.rate, each.outage_h) for each in live]
    needed = max(math.fsum(full), float(reach), 1.0)
    return {each.name: int(cover * reach / needed) for each, cover in zip(live, full, strict=True)}


def _full_cover(quota: QuotaFacts, rate: float, outage_h: float) -> float:
    hours = COVER * outage_h
    # A sale that should be over and still sells has no known end.
    return rate * (min(hours, quota.hours_left) if quota.hours_left and quota.hours_left > 0 else hours)


def plan(quota: QuotaFacts, devices: list[DeviceFacts]) -> list[Grant | Recall]:
    """Return grants (never more than the pool) and recalls; the order of ``devices`` does not matter."""
    if quota.frozen or quota.pool < 0:
        return []
    ranked = sorted(devices, key=lambda each: each.name)
    if quota.target is not None and quota.target < quota.limit:
        needed = quota.limit - quota.target - sum(each.returning for each in ranked)
        return _recalls(_take({each.name: each.free for each in ranked}, needed, halves=False), ranked)
    planning = _Planning(quota, ranked)
    planning.first_grants()
    planning.requests()
    planning.refills()
    grants: list[Grant | Recall] = [Grant(name, given) for name, given in planning.given.items() if given]
    return grants + planning.recalls()


class _Planning:
    """What is left of the pool while one plan is made."""

    def __init__(self, quota: QuotaFacts, devices: list[DeviceFacts]) -> None:
        self.left = quota.pool
        self.asked = quota.asked
        self.share = fair_share(quota, len(devices))
        self.live = [each for each in devices if each.live]
        self.free = {each.name: each.free for each in self.live}
        self.given: dict[str, int] = {}
        reach = quota.pool + sum(self.free.values())
        self.cover = _covers(quota, self.live, reach, len(devices))
        self.floor = int(FLOOR * reach / max(1, len(devices)))

    def _give(self, device: DeviceFacts, asked: int) -> None:
        given = max(0, min(asked, self.left))
        self.left -= given
        self.given[device.name] = self.given.get(device.name, 0) + given

    def _unmet(self, device: DeviceFacts) -> int:
        """Tickets a device asked for that this plan does not give it."""
        return max(0, device.wanted - self.given.get(device.name, 0))

    def _lacks(self, device: DeviceFacts) -> int:
        """Tickets a device is short of its cover, 0 above its low-water mark; what it asked for it will sell at once."""
        cover = self.cover[device.name]
        has = self.free[device.name] + self.given.get(device.name, 0) - device.wanted
        low = UNKNOWN_LOW_WATER if device.rate is None else LOW_WATER
        return cover - max(0, has) if has < low * cover else 0

    def first_grants(self) -> None:
        """A device's first grant of an epoch is its fair share."""
        for each in self.live:
            if not each.started:
                self._give(each, self.share)

    def requests(self) -> None:
        """Small requests first: the most clients are served when stock is short."""
        asking = [each for each in self.live if each.wanted]
        for each in sorted(asking, key=lambda device: (device.wanted, device.name)):
            self._give(each, self._unmet(each))

    def refills(self) -> None:
        """Those below the low-water mark are filled up to their cover, all to the same part if the pool does not suffice."""
        lacking = [(each, lack) for each in self.live if each.started and (lack := self._lacks(each))]
        needed, pool = sum(lack for _, lack in lacking), self.left
        for each, lack in lacking:
            self._give(each, lack if needed <= pool else -(-lack * pool // needed))

    def recalls(self) -> list[Grant | Recall]:
        """Take back what requests and covers still miss, less what is on its way."""
        coming = sum(each.returning for each in self.live if each.recalled)
        unmet = self.asked + sum(self._unmet(each) for each in self.live if each.wanted)
        lacking = sum(self._lacks(each) for each in self.live if each.rate is not None and each.started)
        if max(unmet, lacking) <= coming:
            return []
        donors = [each for each in self.live if not each.wanted]
        free, cover = self.free, self.cover
        rich = [
            each.name for each in donors if each.rate is not None and free[each.name] > HIGH_WATER * cover[each.name]
        ]
        above = {name: free[name] - max(self.floor, cover[name]) for name in rich}
        taken = _take(above, max(unmet, lacking) - coming, halves=False)
        rest = {each.name: free[each.name] - taken.get(each.name, 0) for each in donors}
        more = _take(rest, unmet - coming - sum(taken.values()), halves=True)
        return _recalls({name: taken.get(name, 0) + more.get(name, 0) for name in taken | more}, donors)


def _take(above: dict[str, int], needed: int, *, halves: bool) -> dict[str, int]:
    """Take from those that have most; with ``halves`` about half of it, so that the next request needs no recall."""
    taken: dict[str, int] = {}
    if needed <= 0:
        return taken
    for name in sorted(above, key=lambda each: (-above[each], each)):
        if needed <= 0 or above[name] <= 0:
            break
        taken[name] = min(above[name], max(needed, above[name] // 2) if halves else needed)
        needed -= taken[name]
    return taken


def _recalls(taken: dict[str, int], devices: list[DeviceFacts]) -> list[Grant | Recall]:
    known = {each.name: each for each in devices}
    return [Recall(name, known[name].totals.returned + known[name].returning + asked) for name, asked in taken.items()]
