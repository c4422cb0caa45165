"""Who may sell how much of a quota: a pure plan from figures, the same whichever process makes it.

First grants split nine tenths of the capacity evenly among registered devices, so that each can go offline at once; the last
tenth stays in the pool for whoever runs dry first. Refills and requests draw on the pool; only then is surplus recalled.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mqtt_bridge.protocol.stock import Totals


@dataclass(frozen=True)
class QuotaFacts:
    """Figures of a quota in tickets; ``target`` is a lower limit still to be reached, ``frozen`` stops everything."""

    limit: int
    extra: int
    pool: int
    target: int | None = None
    frozen: bool = False


@dataclass(frozen=True)
class DeviceFacts:
    """A registered device at its current epoch.

    ``live``: it said hello and its link is up. ``started``: it has had its first grant of this epoch. ``wanted``: what it
    asked for and has not got. ``recalled``: what it was asked to return a moment ago and has not.
    """

    name: str
    totals: Totals = field(default_factory=Totals)
    held: int = 0
    live: bool = True
    started: bool = False
    wanted: int = 0
    recalled: int = 0

    @property
    def free(self) -> int:
        """Tickets it could sell now and was not asked to give back."""
        return self.totals.available(self.held) - self.returning

    @property
    def returning(self) -> int:
        """What of the recalled stock it can still return."""
        return min(self.recalled, self.totals.available(self.held))


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
    return min(capacity, max(1, capacity * 9 // (10 * max(1, devices))))


def stepped_limit(target: int, committed: int, extra: int) -> int:
    """The limit nearest to ``target`` that still covers ``committed`` = sum(granted - returned + confirmed)."""
    return max(target, committed - extra)


def plan(quota: QuotaFacts, devices: list[DeviceFacts]) -> list[Grant | Recall]:
    """Return grants (never more than the pool) and recalls; the order of ``devices`` does not matter."""
    if quota.frozen or quota.pool < 0:
        return []
    ranked = sorted(devices, key=lambda each: each.name)
    if quota.target is not None and quota.target < quota.limit:
        return _recall(ranked, quota.limit - quota.target - sum(each.returning for each in ranked), halves=False)
    granting = _Granting(quota, ranked)
    granting.first_grants()
    granting.requests()
    granting.refills()
    unmet = sum(granting.unmet(each) for each in ranked if each.live)
    on_its_way = sum(each.returning for each in ranked if each.live)
    donors = [each for each in ranked if each.live and not each.wanted]
    grants: list[Grant | Recall] = [Grant(name, given) for name, given in granting.given.items() if given]
    return grants + _recall(donors, unmet - on_its_way, halves=True)


class _Granting:
    """What is left of the pool while one plan is made."""

    def __init__(self, quota: QuotaFacts, devices: list[DeviceFacts]) -> None:
        self.left = quota.pool
        self.share = fair_share(quota, len(devices))
        self.devices = [each for each in devices if each.live]
        self.given: dict[str, int] = {}

    def _give(self, device: DeviceFacts, asked: int) -> None:
        given = max(0, min(asked, self.left))
        self.left -= given
        self.given[device.name] = self.given.get(device.name, 0) + given

    def unmet(self, device: DeviceFacts) -> int:
        """Tickets a device asked for that this plan does not give it."""
        return max(0, device.wanted - self.given.get(device.name, 0))

    def first_grants(self) -> None:
        """A device's first grant of an epoch is its fair share."""
        for each in self.devices:
            if not each.started:
                self._give(each, self.share)

    def requests(self) -> None:
        """Small requests first: the most clients are served when stock is short."""
        for each in sorted(self.devices, key=lambda device: (device.wanted, device.name)):
            self._give(each, self.unmet(each))

    def refills(self) -> None:
        """Below a quarter of its share a device gets its part of the pool, up to the share: grants shrink near sell-out."""
        low = [each for each in self.devices if each.started and 4 * self._free(each) < self.share]
        part = -(-self.left // max(1, len(self.devices)))
        for each in low:
            self._give(each, min(self.share - self._free(each), part))

    def _free(self, device: DeviceFacts) -> int:
        return device.free + self.given.get(device.name, 0)


def _recall(donors: list[DeviceFacts], needed: int, *, halves: bool) -> list[Grant | Recall]:
    """Ask those with most free stock first; with ``halves`` about half of it, so that the next request needs no recall."""
    recalls: list[Grant | Recall] = []
    for each in sorted(donors, key=lambda device: (-device.free, device.name)):
        if needed <= 0 or each.free == 0:
            break
        asked = min(each.free, max(needed, each.free // 2) if halves else needed)
        recalls.append(Recall(each.name, each.totals.returned + each.returning + asked))
        needed -= asked
    return recalls
