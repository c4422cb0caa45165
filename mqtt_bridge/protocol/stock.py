"""Stock arithmetic of one (quota, device, epoch): five monotone totals, merged by max.

``granted`` and ``confirmed`` are written by the cloud, ``returned``, ``sold`` and ``cancelled`` by the device. Because every
total only grows and has one writer, a lost, repeated or reordered message can never create stock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import msgspec


def unsold(granted: int, returned: int, sold: int, cancelled: int) -> int:
    """Tickets of an allocation that are still its device's; below zero where more was told than granted."""
    return granted - returned - sold + cancelled


class Totals(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The five totals, in tickets since the epoch began."""

    granted: int = 0
    confirmed: int = 0
    returned: int = 0
    sold: int = 0
    cancelled: int = 0

    def merge(self, other: Totals) -> Totals:
        """Return the element-wise maximum: applying the same or an older state changes nothing."""
        return Totals(
            max(self.granted, other.granted),
            max(self.confirmed, other.confirmed),
            max(self.returned, other.returned),
            max(self.sold, other.sold),
            max(self.cancelled, other.cancelled),
        )

    @property
    def valid(self) -> int:
        """Tickets this device issued in this epoch that still count against the limit."""
        return self.sold - self.cancelled + self.confirmed

    @property
    def unsold(self) -> int:
        """Tickets the device still owns, whether held or free: what is in doubt if it vanishes."""
        return unsold(self.granted, self.returned, self.sold, self.cancelled)

    def available(self, held: int) -> int:
        """Tickets that may be promised now, given ``held`` in open holds; never below zero."""
        return max(0, self.unsold - held)

    def returnable(self, asked: int, held: int) -> int:
        """How many of ``asked`` tickets the device can give back without breaking a hold."""
        return max(0, min(asked, self.available(held)))


class Counted(Protocol):
    """What the pool looks at of an allocation, in tickets."""

    @property
    def granted(self) -> int: ...  # noqa: D102
    @property
    def returned(self) -> int: ...  # noqa: D102
    @property
    def confirmed(self) -> int: ...  # noqa: D102


def pool(limit: int, extra: int, allocations: Iterable[Counted]) -> int:
    """Tickets the cloud may still grant: ``limit + extra - sum(granted - returned + confirmed)``.

    Never written anywhere else; a negative result means an invariant was broken and must stop all grants.
    """
    return limit + extra - sum(each.granted - each.returned + each.confirmed for each in allocations)
