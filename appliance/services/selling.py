"""The moment of sale: totals, order, tickets, receipts and the message about them, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from appliance.domain.booking import OrderStatus
from appliance.domain.inventory import Line, Shelf, per_quota
from appliance.services.box import Unit
from appliance.services.stock import counts
from appliance.store import allocations, orders
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.messages import Channel, OrderConfirmed, OrderPending, Payment, Private, TicketFact, Verify
from mqtt_bridge.protocol.receipts import TicketClaims


@dataclass(frozen=True, slots=True)
class Sale:
    """What is being sold; ``held`` tells whether the stock is in an open hold or was claimed just now.

    ``hold`` is None where the hold it once came of is not known any more.
    """

    hold: str | None
    code: str
    client: str
    lines: tuple[Line, ...]
    epochs: dict[str, int]
    held: bool
    payment: Payment
    total_minor: int
    name: str
    contact: str
    sold_by: str


@dataclass(frozen=True, slots=True)
class Pledge:
    """What a sale still has to prove before it admits, and how; ``member`` is the number given, empty where none is asked for."""

    verify: Verify
    channel: Channel
    member: str = ""
    language: str = "en"


def record_sale(unit: Unit, sale: Sale, pledge: Pledge | None = None) -> str:
    """Write everything about a sale and return the order's id; the caller has claimed the stock.

    With a ``pledge`` it is a pre-enrolment: sold, and pending until what it promises was proven.
    """
    order_id = unit.secret()
    for quota, number in per_quota(sale.lines).items():
        step = partial(Shelf.confirm, quantity=number, held=sale.held)
        allocations.change(unit.db, quota, sale.epochs[quota], step)
    seq = unit.next_seq()
    tickets = [
        ticket_row(unit, order_id, line, sale.epochs[line.quota]) for line in sale.lines for _ in range(line.quantity)
    ]
    for each in tickets:
        paid = sale.payment == "paid"
        each["receipt"] = sign(unit, each, paid=paid, seq=seq, pending=pledge is not None)
    add_order(unit, order_id, sale, tickets, status="confirmed" if pledge is None else "pending")
    sent = unit.emit(*_told(unit, order_id, sale, tickets, pledge))
    if sent != seq:
        msg = f"receipts name message {seq}, but the sale was message {sent}"
        raise RuntimeError(msg)
    return order_id


def _told(
    unit: Unit, order_id: str, sale: Sale, tickets: list[dict[str, Any]], pledge: Pledge | None
) -> tuple[OrderConfirmed | OrderPending, Private | None]:
    facts, stock = tuple(fact(each) for each in tickets), counts(unit, sale.epochs.items())
    if pledge is None:
        private = private_part(unit, sale.name, sale.contact)
        at_ms, by = unit.now.wall_ms, sale.sold_by
        return OrderConfirmed(order_id, sale.code, sale.payment, facts, stock, at_ms, by), private
    private = private_part(unit, sale.name, sale.contact, pledge.member)
    proof = (unit.now.wall_ms, pledge.verify, pledge.channel, pledge.language)
    return OrderPending(order_id, sale.code, sale.payment, facts, stock, *proof), private


def private_part(unit: Unit, name: str, contact: str, member: str = "") -> Private | None:
    """Return what travels beside the signed message, None where nobody said who they are."""
    known = name or contact or member
    return Private(salt=unit.secret(), name=name, contact=contact, member=member) if known else None


def add_order(unit: Unit, order_id: str, sale: Sale, tickets: list[dict[str, Any]], *, status: OrderStatus) -> None:
    """Write an order of this device with its tickets."""
    values = {
        "id": order_id,
        "hold": sale.hold,
        "code": sale.code,
        "client": sale.client,
        "issuer": unit.identity.device,
        "status": status,
        "payment": sale.payment,
        "total_minor": sale.total_minor,
        "currency": tickets[0]["currency"],
        "name": sale.name,
        "contact": sale.contact,
        "sold_by": sale.sold_by,
        "created_at_ms": unit.now.wall_ms,
    }
    orders.add(unit.db, values, tickets)


def ticket_row(unit: Unit, order_id: str, line: Line, epoch: int) -> dict[str, Any]:
    """Return a new ticket of this device, not signed yet."""
    _, at, kind = unit.catalogue.ticket_type[line.ticket_type]
    return {
        "id": unit.secret(),
        "order": order_id,
        "code": unit.code(),
        "ticket_type": kind.id,
        "event_session": at.id,
        "quota": line.quota,
        "epoch": epoch,
        "issuer": unit.identity.device,
        "price_minor": kind.price_minor,
        "currency": kind.currency,
        "receipt": "",
        "voided": False,
        "counted_cancelled": False,
        "checked_in_by": None,
    }


def sign(unit: Unit, ticket: Mapping[str, Any], *, paid: bool, seq: int, pending: bool = False) -> str:
    """Return the receipt of a ticket row; message ``seq`` of this life told the cloud of it."""
    claims = TicketClaims(
        issuer=unit.identity.device,
        ticket=ticket["id"],
        event_session=ticket["event_session"],
        ticket_type=ticket["ticket_type"],
        code=ticket["code"],
        price_minor=ticket["price_minor"],
        currency=ticket["currency"],
        paid=paid,
        inc=receipts.inc_hash(unit.inc),
        seq=seq,
        epoch=ticket["epoch"],
        issued_at_s=unit.now.wall_ms // 1000 if unit.now.trusted else None,
        pending=pending,
    )
    return receipts.issue(claims, unit.box.signer)


def fact(ticket: Any) -> TicketFact:
    """Return what a message says of a ticket row."""
    row = ticket if isinstance(ticket, dict) else ticket._asdict()
    return TicketFact(
        ticket=row["id"],
        code=row["code"],
        ticket_type=row["ticket_type"],
        event_session=row["event_session"],
        quota=row["quota"],
        epoch=row["epoch"],
        price_minor=row["price_minor"],
        currency=row["currency"],
    )


def sign_anew(unit: Unit, order_id: str) -> None:
    """Issue receipts of our own for an order whose receipts are not here: we answer for it, or sold it in a life we forgot.

    They name the same tickets, so it does not matter which of the two a guest shows.
    """
    order = orders.find(unit.db, order_id)
    for row in orders.tickets(unit.db, order_id):
        if row.receipt or order is None:
            continue
        paid, pending = order.payment == "paid", order.status == "pending"
        receipt = sign(unit, row._asdict(), paid=paid, seq=unit.next_seq(), pending=pending)
        orders.change_tickets(unit.db, [row.id], receipt=receipt)


def sign_as_paid(unit: Unit, order_id: str) -> None:
    """Issue the receipts that we signed for an order again, now saying paid; everything else in them stays."""
    for row in orders.tickets(unit.db, order_id):
        claims = receipts.read(row.receipt).claims if row.receipt else None
        if claims is not None and claims.issuer == unit.identity.device and not claims.paid:
            paid = msgspec.structs.replace(claims, paid=True)
            orders.change_tickets(unit.db, [row.id], receipt=receipts.issue(paid, unit.box.signer))
