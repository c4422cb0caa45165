"""The stock of one device as values: what it may promise, and what its totals are after each thing that happens to them.

Nothing here is changed in place. Services read shelves, call these rules and write what comes back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import Struct
from msgspec.structs import replace

from appliance.domain.errors import SoldOut, SoldOutHere
from mqtt_bridge.protocol.messages import Granted, StockCount
from mqtt_bridge.protocol.stock import Totals


class Shelf(Struct, frozen=True):
    """What this device has of one quota in one epoch; only the ``current`` epoch's shelf is sold from.

    ``held``: tickets in open holds. As of ``as_of_ms`` the cloud knew of ``elsewhere`` tickets at other places (None until it
    told) and of ``limit`` in all. ``wanted``: tickets that somebody waits for; asking for more was in vain at
    ``refused_boot_ms``.
    ``kept`` tickets are free but due to somebody on the waitlist (``protocol.waitlist``); ``waited_for`` if anybody is on it.
    """

    quota: str
    epoch: int
    totals: Totals
    held: int
    elsewhere: int | None = None
    limit: int = 0
    as_of_ms: int = 0
    current: bool = True
    wanted: int = 0
    refused_boot_ms: int | None = None
    kept: int = 0
    waited_for: bool = False

    @property
    def free(self) -> int:
        """Tickets that nobody holds or has bought, those kept for the waitlist included."""
        return self.totals.available(self.held)

    @property
    def available(self) -> int:
        """Tickets that may be promised now to people who are not on the waitlist."""
        return max(0, self.free - self.kept)

    @property
    def grant(self) -> int:
        """Tickets this device was given and kept."""
        return self.totals.granted - self.totals.returned

    @property
    def gone_everywhere(self) -> bool:
        """True if nothing is free, nothing is held here that might come back, and the cloud knows of none elsewhere."""
        return self.free == 0 and self.held == 0 and self.elsewhere == 0

    @property
    def count(self) -> StockCount:
        """The shelf as messages carry it."""
        return StockCount(self.quota, self.epoch, self.totals, self.held)

    # --- what happens to it

    def hold(self, quantity: int) -> Shelf:
        """Claim tickets for an open hold; the caller has checked that they are available."""
        return replace(self, held=self.held + quantity)

    def end(self, quantity: int) -> Shelf:
        """An open hold was released or expired: its tickets are free again."""
        return replace(self, held=self.held - quantity)

    def confirm(self, quantity: int, *, held: bool) -> Shelf:
        """Sell tickets, which an open hold ``held`` until now or which were free."""
        return replace(self, totals=_more(self.totals, sold=quantity), held=self.held - (quantity if held else 0))

    def cancel(self, quantity: int) -> Shelf:
        """Count sold tickets cancelled: they are free again. The caller counts each ticket once."""
        return replace(self, totals=_more(self.totals, cancelled=quantity))

    def give_back(self, returned: int) -> Shelf:
        """Return free tickets to the cloud until the ``returned`` total is reached, or as many as are free.

        Of an earlier life nothing is returned, whoever asks: another copy of this database may be selling it.
        """
        if not self.current:
            return self
        number = self.totals.returnable(returned - self.totals.returned, self.held)
        return replace(self, totals=_more(self.totals, returned=number)) if number else self

    def give_back_all(self) -> Shelf:
        """Return everything that is free: the device was sealed."""
        return self.give_back(self.totals.returned + self.available)

    def hear(self, told: Granted, as_of_ms: int) -> Shelf:
        """Merge what the cloud granted by maximum and take its knowledge of the rest; a larger grant answers what was wanted."""
        cloud = Totals(granted=told.granted)
        after = replace(
            self, totals=self.totals.merge(cloud), elsewhere=told.elsewhere, limit=told.limit, as_of_ms=as_of_ms
        )
        return replace(after, wanted=0, refused_boot_ms=None) if told.granted > self.totals.granted else after

    def hear_confirmed(self, confirmed: int) -> Shelf:
        """Take the cloud's total of confirmed requests as its answers tell it; it makes nothing available."""
        return replace(self, totals=self.totals.merge(Totals(confirmed=confirmed)))

    def want(self, more: int) -> Shelf:
        """Note that tickets are missing right now, or (below zero) that nobody waits for them any more."""
        return replace(self, wanted=self.wanted + more)

    def refused(self, boot_ms: int) -> Shelf:
        """Asking for more was in vain; remember since when."""
        return replace(self, wanted=0, refused_boot_ms=boot_ms)

    def old_life(self) -> Shelf:
        """Leave the shelf to the life that ended: nothing may be sold from it any more."""
        return replace(self, current=False, wanted=0, refused_boot_ms=None)


def _more(totals: Totals, *, sold: int = 0, cancelled: int = 0, returned: int = 0) -> Totals:
    return Totals(
        totals.granted,
        totals.confirmed,
        totals.returned + returned,
        totals.sold + sold,
        totals.cancelled + cancelled,
    )


def _new(told: Granted) -> Shelf:
    return Shelf(told.quota, told.epoch, Totals(), 0, current=False)


def take_grant(known: Iterable[Shelf], told: Granted, as_of_ms: int) -> list[Shelf]:
    """Return what changes among the shelves of a quota (all epochs) when the cloud tells its totals of one epoch.

    That epoch becomes the current one unless a later one already is.
    """
    known = tuple(known)
    mine = next((each for each in known if each.epoch == told.epoch), _new(told))
    granted = mine.hear(told, as_of_ms)
    if any(each.current and each.epoch >= told.epoch for each in known):
        return [granted]
    left = [replace(each, current=False) for each in known if each.current]
    return [*left, replace(granted, current=True)]


def backs(shelves: Mapping[str, Shelf], epochs: Mapping[str, int]) -> bool:
    """Tell whether stock claimed at these epochs (by quota) is still this device's: each is the current one."""
    return all(quota in shelves and shelves[quota].epoch == epoch for quota, epoch in epochs.items())


@dataclass(frozen=True, slots=True)
class Line:
    """``quantity`` tickets of a type, drawing from ``quota``."""

    ticket_type: str
    quota: str
    quantity: int


def per_quota(lines: Iterable[Line]) -> dict[str, int]:
    """Return the tickets wanted from each quota; types may share one."""
    wanted: Counter[str] = Counter()
    for line in lines:
        wanted[line.quota] += line.quantity
    return dict(wanted)


def shortages(shelves: Mapping[str, Shelf], lines: Iterable[Line]) -> dict[str, int]:
    """Return per quota how many tickets are missing; empty if all can be promised."""
    missing = {}
    for quota, wanted in per_quota(lines).items():
        shelf = shelves.get(quota)
        short = wanted - (shelf.available if shelf else 0)
        if short > 0:
            missing[quota] = short
    return missing


def require(shelves: Mapping[str, Shelf], lines: Iterable[Line]) -> None:
    """Raise ``SoldOut`` or ``SoldOutHere`` for the first quota that cannot meet its part."""
    for quota, short in shortages(shelves, lines).items():
        shelf = shelves.get(quota)
        available = shelf.available if shelf else 0
        if shelf is not None and shelf.gone_everywhere:
            msg = "Sold out. No tickets are left at any venue."
            raise SoldOut(msg, quota=quota, available=0)
        if available:
            msg = f"Only {available} left here. Choose fewer, or try another venue."
        else:
            msg = "No tickets are left here right now. Try again in some minutes, or try another venue."
        raise SoldOutHere(msg, quota=quota, available=available, short=short)
