"""May this device promise these tickets? All or nothing, across ticket types and quotas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from appliance.domain.errors import SoldOut, SoldOutHere
from mqtt_bridge.protocol.stock import Totals


@dataclass(frozen=True, slots=True)
class Shelf:
    """What this device has of one quota in the current epoch; ``elsewhere`` is None until the cloud told it."""

    quota: str
    epoch: int
    totals: Totals
    held: int
    elsewhere: int | None = None

    @property
    def available(self) -> int:
        """Tickets that may be promised now."""
        return self.totals.available(self.held)

    @property
    def grant(self) -> int:
        """Tickets this device was given and kept."""
        return self.totals.granted - self.totals.returned

    @property
    def gone_everywhere(self) -> bool:
        """True if nothing is free, nothing is held here that might come back, and the cloud knows of none elsewhere."""
        return self.available == 0 and self.held == 0 and self.elsewhere == 0


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
