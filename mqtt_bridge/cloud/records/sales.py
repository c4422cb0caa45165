"""Orders, tickets and money as devices told them, and what is wrong with them."""

from __future__ import annotations

from typing import ClassVar

from mqtt_bridge.cloud.records.base import Record


class Order(Record, frozen=True):
    """A booking, as told."""

    TABLE: ClassVar[str] = "orders"

    id: str
    code: str
    issuer: str
    status: str
    payment: str
    sold_by: str
    confirmed_at_ms: int


class Ticket(Record, frozen=True):
    """One admission in an order."""

    TABLE: ClassVar[str] = "ticket"

    id: str
    order_id: str
    code: str
    ticket_type: str
    event_session: str
    quota: str
    epoch: int
    price_minor: int
    currency: str
    state: str
    check_in: str | None
    replaced_by: str | None = None
    exit: str | None = None


class Payment(Record, frozen=True):
    """Money taken for an order."""

    TABLE: ClassVar[str] = "payment"

    id: str
    order_id: str
    device: str
    method: str
    amount_minor: int
    currency: str
    staff: str
    paid: bool


class CheckIn(Record, frozen=True):
    """A scan at a door; one on the way out has the verdict ``left``. ``after`` is the scan of the ticket that it follows."""

    TABLE: ClassVar[str] = "check_in"

    id: str
    device: str
    verdict: str
    reason: str | None
    ticket: str | None
    event_session: str | None
    staff: str
    at_ms: int
    undone: bool = False
    after: str | None = None


class Contradiction(Record, frozen=True):
    """Tickets or orders that cannot all be right; what was decided about it is none of the reconciler's business."""

    TABLE: ClassVar[str] = "contradiction"
    KEY: ClassVar[tuple[str, ...]] = ("kind", "subject")

    kind: str
    subject: str
    detail: str
    order_id: str
    event_session: str
    tickets: str
    state: str
    count: int
    first_at_ms: int
    last_at_ms: int
    remedy: str = ""
    outcome: str = ""
    decided_by: str = ""
    decided_at_ms: int = 0


class Refund(Record, frozen=True):
    """What is paid back for a ticket."""

    TABLE: ClassVar[str] = "refund"
    KEY: ClassVar[tuple[str, ...]] = ("ticket",)

    ticket: str
    order_id: str
    amount_minor: int
    currency: str
    owed: bool
    since_ms: int


class Erasure(Record, frozen=True):
    """A request to forget a person."""

    TABLE: ClassVar[str] = "erasure"

    id: str
    order: str
    salt: str
    digest: str
    asked_at_ms: int


class ErasureDevice(Record, frozen=True):
    """What a device that was asked to forget has done."""

    TABLE: ClassVar[str] = "erasure_device"
    KEY: ClassVar[tuple[str, ...]] = ("erasure", "device")

    erasure: str
    device: str
    orders: int | None
    done_at_ms: int | None
