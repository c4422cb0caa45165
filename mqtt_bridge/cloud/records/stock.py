"""Quotas, who may sell how much of them, and who waits for them."""

from __future__ import annotations

from typing import ClassVar

from mqtt_bridge.cloud.estimates import Demand
from mqtt_bridge.cloud.records.base import Record
from mqtt_bridge.protocol.stock import Totals, unsold


def demand_columns(demand: Demand) -> dict[str, float]:
    """The columns of an allocation that hold its demand."""
    return {
        "demand_tickets": demand.tickets,
        "demand_hours": demand.hours,
        "demand_sold": demand.sold,
        "demand_at_ms": demand.as_of_ms,
    }


class Quota(Record, frozen=True):
    """A limit across all venues."""

    TABLE: ClassVar[str] = "quota"

    id: str
    event_session: str
    name: str
    limit: int
    extra: int
    target: int | None = None
    retired: bool = False
    frozen: str = ""
    kept: int = 0
    kept_until_ms: int = 0
    released: int = 0
    contradicted: int = 0


class Line(Record, frozen=True):
    """An allocation: the totals of one (quota, device, epoch) and what was asked lately."""

    TABLE: ClassVar[str] = "allocation"
    KEY: ClassVar[tuple[str, ...]] = ("quota", "device", "epoch")

    quota: str
    device: str
    epoch: int
    granted: int = 0
    confirmed: int = 0
    returned: int = 0
    sold: int = 0
    cancelled: int = 0
    held: int = 0
    recall_to: int = 0
    recalled_at_ms: int = 0
    wanted_to: int = 0
    wanted_at_ms: int = 0
    demand_tickets: float = 0.0
    demand_hours: float = 0.0
    demand_sold: int = 0
    demand_at_ms: int = 0
    netted: int = 0
    reclaimed: int = 0
    known_sold: int = 0
    known_cancelled: int = 0
    remembered: int = 0

    @property
    def demand(self) -> Demand:
        """What its rate of sales is guessed from."""
        return Demand(self.demand_tickets, self.demand_hours, self.demand_sold, self.demand_at_ms)

    @property
    def available(self) -> int:
        """Tickets the device could sell now."""
        return max(0, self.unsold - self.held)

    @property
    def totals(self) -> Totals:
        """The five totals."""
        return Totals(self.granted, self.confirmed, self.returned, self.sold, self.cancelled)

    @property
    def unsold(self) -> int:
        """Tickets the device still owns, whether held or free."""
        return unsold(self.granted, self.returned, self.sold, self.cancelled)


class Request(Record, frozen=True):
    """An order asked for past its device's allocation; ``place`` is its number in the queue."""

    TABLE: ClassVar[str] = "request"
    KEY: ClassVar[tuple[str, ...]] = ("place",)
    SERIAL: ClassVar[str | None] = "place"

    order_id: str
    device: str
    state: str
    refusal: str
    body: bytes
    private: bytes | None
    received_at_ms: int
    answered_at_ms: int | None
    place: int


class Asked(Record, frozen=True):
    """Tickets of a quota that an open request waits for."""

    TABLE: ClassVar[str] = "asked"
    KEY: ClassVar[tuple[str, ...]] = ("quota", "order_id")

    quota: str
    order_id: str
    quantity: int


class RequestWish(Record, frozen=True):
    """What the guest (withdraw) or an operator (confirm, refuse) wants of an open request, or that its device has it (settled)."""

    TABLE: ClassVar[str] = "request_wish"
    KEY: ClassVar[tuple[str, ...]] = ("order_id", "wish")

    order_id: str
    wish: str
    at_ms: int


class Entry(Record, frozen=True):
    """Somebody who waits for tickets; ``place`` is the order of receipt. See ``tables``."""

    TABLE: ClassVar[str] = "waitlist"
    KEY: ClassVar[tuple[str, ...]] = ("place",)
    SERIAL: ClassVar[str | None] = "place"

    entry: str
    quota: str
    device: str
    inc: str
    number: int
    quantity: int
    wishes: str
    joined_at_ms: int
    state: str = "waiting"
    offered: bool = False
    counted: bool = False
    passed: int = 0
    rounds: int = 0
    since_ms: int = 0
    sold_from: int = -1
    entrusted: str = ""
    place: int = 0
