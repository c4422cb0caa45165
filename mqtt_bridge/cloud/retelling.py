"""Tell a device what happened before its time: a replacement its venue's past, a card restored in place what it forgot."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mqtt_bridge.cloud.aftermath import fact_of, sale_of
from mqtt_bridge.cloud.records import CheckIn, Device, Letter, Order, Payment, Ticket
from mqtt_bridge.cloud.scans import standing
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import (
    CancelRequested,
    Method,
    OrderCancelled,
    PaymentTaken,
    Retellable,
    Retold,
    VenueRetold,
)
from mqtt_bridge.protocol.topics import CLOUD

# A message has at most 256 KiB, and one of this size goes through a thin link within a second.
BYTES_PER_PART = 48 * 1024
TOLD = frozenset({"pending", "refused", "confirmed", "cancel_pending", "cancelled"})


def retell(work: Work, catalogue: Catalogue, name: str) -> int:
    """Write letters with all that ``name`` should know: its venue's tickets if it is the door, orders it sold or answers for.

    Returns how many parts that is.
    """
    device = work.of(Device).get(name)
    if device is None:
        return 0
    answers_for = tuple(sorted(each.name for each in work.of(Device).where("answered_by", name)))
    sessions = [at.id for _, at in catalogue.event_session.values() if device.door and at.venue == device.venue]
    orders = _orders(work, sessions, (name, *answers_for))
    _read_ahead(work, orders)
    parts = list(_parts(work, orders)) or ([()] if answers_for else [])
    for part, told in enumerate(parts, start=1):
        body = VenueRetold(part, len(parts), told, answers_for)
        work.of(Letter).add(Letter(name, CLOUD, encode(body), None, 0))
    return len(parts)


def _parts(work: Work, orders: Iterable[Order]) -> Iterator[tuple[Retold, ...]]:
    """Whole orders, as many as go well into one message."""
    part: list[Retold] = []
    size = 0
    for order in orders:
        facts = list(_facts(work, order))
        more = sum(len(encode(each)) for each in facts)
        if part and size + more > BYTES_PER_PART:
            yield tuple(part)
            part, size = [], 0
        part += facts
        size += more
    if part:
        yield tuple(part)


def _orders(work: Work, sessions: Collection[str], issuers: Iterable[str]) -> list[Order]:
    work.of(Ticket).fetch("event_session", sessions)
    ids = {each.order_id for at in sessions for each in work.of(Ticket).where("event_session", at)}
    found = {each.id: each for issuer in issuers for each in work.of(Order).where("issuer", issuer)}
    work.of(Order).fetch_keys((each,) for each in ids)
    found |= {each.id: each for order in ids if (each := work.of(Order).get(order)) is not None}
    told = (each for each in found.values() if each.status in TOLD)
    return sorted(told, key=lambda each: (each.confirmed_at_ms, each.id))


def _read_ahead(work: Work, orders: list[Order]) -> None:
    ids = [each.id for each in orders]
    work.of(Ticket).fetch("order_id", ids)
    work.of(Payment).fetch("order_id", ids)
    tickets = [ticket.id for order in ids for ticket in work.of(Ticket).where("order_id", order)]
    work.of(CheckIn).fetch("ticket", tickets)


def _facts(work: Work, order: Order) -> Iterator[Retold]:
    tickets = work.of(Ticket).where("order_id", order.id)
    facts = tuple(fact_of(each) for each in tickets)
    yield Retold(order.issuer, sale_of(work, order, facts))
    for each in work.of(Payment).where("order_id", order.id):
        yield Retold(each.device, _payment(each, tuple(ticket.id for ticket in tickets)))
    for ticket in tickets:
        yield from (Retold(device, scan) for device, scan in standing(work, ticket))
    yield from (Retold(order.issuer, each) for each in _cancels(order, tickets))


def _cancels(order: Order, tickets: list[Ticket]) -> Iterator[Retellable]:
    gone = tuple(each.id for each in tickets if each.state == "cancelled")
    if gone:
        yield OrderCancelled(order.id, gone, ())
    asked = tuple(fact_of(each) for each in tickets if each.state != "cancelled")
    if order.status == "cancel_pending" and asked:
        yield CancelRequested(order.id, asked)


def _payment(row: Payment, tickets: tuple[str, ...]) -> PaymentTaken:
    method: Method = row.method  # type: ignore[assignment]  # written from such a message
    return PaymentTaken(
        order=row.order_id,
        payment=row.id,
        method=method,
        amount_minor=row.amount_minor,
        currency=row.currency,
        staff=row.staff,
        paid=row.paid,
        tickets=tickets,
    )
