"""Orders, tickets and payments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, Row, and_, bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert

from appliance.domain.requests import NO_STOCK
from appliance.store.tables import check_in, guest, order, payment, ticket
from mqtt_bridge.prepared import Prepared, PreparedChange
from mqtt_bridge.protocol.money import MONEY

# Statements of the hot path are built once: building one costs as much as running it.
_ID: BindParameter[str] = bindparam("id_")
_ADD = PreparedChange(order.insert())
_ADD_TICKET = PreparedChange(ticket.insert())
_FIND = Prepared(select(order).where(order.c.id == _ID))
_BY_HOLD = Prepared(select(order.c.id).where(order.c.hold == _ID))
_TICKETS = Prepared(
    select(ticket, check_in.c.at_ms.label("admitted_at_ms"))
    .outerjoin(check_in, check_in.c.id == ticket.c.checked_in_by)
    .where(ticket.c.order == _ID)
    .order_by(ticket.c.event_session, ticket.c.ticket_type, ticket.c.id)
)
_TICKET = Prepared(select(ticket).where(ticket.c.id == _ID))
_TICKETS_BY_CODE = Prepared(select(ticket).where(ticket.c.code == bindparam("code")))
_SUM = select(func.coalesce(func.sum(payment.c.amount_minor), 0)).where(payment.c.order == _ID)
_PAID = Prepared(_SUM.where(payment.c.amount_minor > 0))
_PAYMENTS = Prepared(select(payment.c.method, payment.c.amount_minor).where(payment.c.order == _ID))
_COME_IN = PreparedChange(update(ticket).where(ticket.c.id == _ID).values(checked_in_by=bindparam("by"), left_by=None))
_GO_OUT = PreparedChange(update(ticket).where(ticket.c.id == _ID).values(left_by=bindparam("by")))
_BEFORE = Prepared(select(ticket).where(ticket.c.replaced_by == _ID).limit(1))
_OF_CLIENT = Prepared(
    select(ticket.c.event_session, ticket.c.price_minor, order.c.payment, func.count().label("number"))
    .join(order, order.c.id == ticket.c.order)
    .where(
        order.c.client == bindparam("client_"),
        order.c.status.in_(bindparam("statuses", expanding=True)),
        ticket.c.voided.is_(False),
    )
    .group_by(ticket.c.event_session, ticket.c.price_minor, order.c.payment)
)


def add(db: Connection, values: dict[str, Any], tickets: list[dict[str, Any]]) -> None:
    """Insert an order with its tickets."""
    _ADD.run(db, **values)
    for each in tickets:
        _ADD_TICKET.run(db, **each)


def find(db: Connection, order_id: str) -> Row[Any] | None:
    """Return the order row."""
    return _FIND.first(db, id_=order_id)


def find_by_hold(db: Connection, hold_id: str) -> str | None:
    """Return the id of the order a hold became."""
    found: str | None = _BY_HOLD.scalar(db, id_=hold_id)
    return found


def by_code(db: Connection, code: str) -> list[str]:
    """Return ids of the orders with this code, or with a ticket of this code."""
    through = select(ticket.c.order).where(ticket.c.code == code)
    return list(db.execute(select(order.c.id).where(order.c.code == code).union(through)).scalars())


def change(db: Connection, order_id: str, **values: Any) -> None:
    """Set columns of an order."""
    db.execute(update(order).where(order.c.id == order_id).values(**values))


def tickets(db: Connection, order_id: str) -> list[Row[Any]]:
    """Return ticket rows of an order with ``admitted_at_ms`` of the check-in that counts, in a stable order."""
    return _TICKETS.all(db, id_=order_id)


def find_ticket(db: Connection, ticket_id: str) -> Row[Any] | None:
    """Return a ticket row."""
    return _TICKET.first(db, id_=ticket_id)


def tickets_by_code(db: Connection, code: str) -> list[Row[Any]]:
    """Return ticket rows with this code."""
    return _TICKETS_BY_CODE.all(db, code=code)


def orders_of_tickets(db: Connection, ticket_ids: Iterable[str]) -> list[str]:
    """Return ids of the orders these tickets belong to."""
    query = select(ticket.c.order).where(ticket.c.id.in_(list(ticket_ids))).distinct().order_by(ticket.c.order)
    return list(db.execute(query).scalars())


def change_tickets(db: Connection, ticket_ids: Iterable[str], **values: Any) -> None:
    """Set columns of tickets."""
    db.execute(update(ticket).where(ticket.c.id.in_(list(ticket_ids))).values(**values))


def come_in(db: Connection, ticket_id: str, check_in_id: str) -> None:
    """Note the scan by which a ticket's holder is inside."""
    _COME_IN.run(db, id_=ticket_id, by=check_in_id)


def go_out(db: Connection, ticket_id: str, check_in_id: str) -> None:
    """Note the scan by which a ticket's holder left."""
    _GO_OUT.run(db, id_=ticket_id, by=check_in_id)


def add_ticket(db: Connection, values: dict[str, Any]) -> None:
    """Insert one ticket."""
    _ADD_TICKET.run(db, **values)


def drop(db: Connection, order_id: str) -> None:
    """Delete an order that has no tickets and payments any more."""
    db.execute(order.delete().where(order.c.id == order_id))


def move_payments(db: Connection, source: str, target: str) -> None:
    """Give an order's payments to another one."""
    db.execute(update(payment).where(payment.c.order == source).values(order=target))


def add_payment(db: Connection, values: dict[str, Any]) -> bool:
    """Insert a payment; return False if it was known already."""
    return db.execute(insert(payment).values(**values).on_conflict_do_nothing()).rowcount > 0


def paid_minor(db: Connection, order_id: str) -> int:
    """Return the sum of an order's payments, not counting what was paid back."""
    return int(_PAID.scalar(db, id_=order_id))


class Paid(NamedTuple):
    """An order's payments in sums: all but what went back, the money among it (not given away), and what went back, positive."""

    paid_minor: int
    taken_minor: int
    paid_back_minor: int


def paid(db: Connection, order_id: str) -> Paid:
    """Return what was paid for an order, and paid back."""
    rows = _PAYMENTS.all(db, id_=order_id)
    came = [row for row in rows if row.amount_minor > 0]
    return Paid(
        sum(row.amount_minor for row in came),
        sum(row.amount_minor for row in came if row.method in MONEY),
        -sum(row.amount_minor for row in rows if row.amount_minor < 0),
    )


def replaced(db: Connection, ticket_id: str) -> Row[Any] | None:
    """Return the ticket that this one took the place of."""
    return _BEFORE.first(db, id_=ticket_id)


def tickets_of_client(db: Connection, client_id: str, statuses: Iterable[str]) -> list[Row[Any]]:
    """Return (event_session, price_minor, payment, number) of a client's valid tickets, grouped."""
    return _OF_CLIENT.all(db, client_=client_id, statuses=list(statuses))


def unpaid_in(db: Connection, event_session: str, issuers: Iterable[str]) -> list[str]:
    """Return ids of confirmed, unpaid orders of these devices with a ticket for this session."""
    query = (
        select(order.c.id)
        .join(ticket, ticket.c.order == order.c.id)
        .where(order.c.issuer.in_(list(issuers)), order.c.status == "confirmed", order.c.payment == "promised")
        .where(ticket.c.event_session == event_session)
        .distinct()
        .order_by(order.c.id)
    )
    return list(db.execute(query).scalars())


def sold_and_admitted(db: Connection, sessions: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """Return (valid tickets known here, admitted, outside again) per session; what was only asked for is none."""
    counts = (
        func.count().label("sold"),
        func.count(ticket.c.checked_in_by).label("admitted"),
        func.count(ticket.c.left_by).label("outside"),
    )
    query = (
        select(ticket.c.event_session, *counts)
        .where(ticket.c.event_session.in_(list(sessions)), ticket.c.voided.is_(False), ticket.c.epoch != NO_STOCK)
        .group_by(ticket.c.event_session)
    )
    return {row.event_session: (row.sold, row.admitted, row.outside) for row in db.execute(query)}


def issued_by_quota(db: Connection, issuer: str) -> dict[str, int]:
    """Return how many valid tickets this device issued and has not counted cancelled, by quota."""
    query = (
        select(ticket.c.quota, func.count())
        .where(ticket.c.issuer == issuer, ticket.c.counted_cancelled.is_(False), ticket.c.epoch != NO_STOCK)
        .group_by(ticket.c.quota)
    )
    return {row[0]: row[1] for row in db.execute(query)}


class DoorRowFound(NamedTuple):
    """A standing ticket as a door list needs it; ``note`` is that of a guest list, None for who came by none."""

    name: str
    code: str
    ticket_type: str
    payment: str
    price_minor: int
    inside: bool
    note: str | None = None


def door_rows(db: Connection, event_session: str) -> list[DoorRowFound]:
    """Return the tickets of a session that admit or will once they are paid."""
    query = (
        select(
            order.c.name,
            ticket.c.code,
            ticket.c.ticket_type,
            order.c.payment,
            ticket.c.price_minor,
            and_(ticket.c.checked_in_by.is_not(None), ticket.c.left_by.is_(None)),
            guest.c.note,
        )
        .join_from(ticket, order)
        .outerjoin(guest, guest.c.order == order.c.id)
        .where(ticket.c.event_session == event_session, ticket.c.voided.is_(False))
        .where(order.c.status.in_(("confirmed", "cancel_pending")), ticket.c.replaced_by.is_(None))
    )
    return [DoorRowFound(*row) for row in db.execute(query)]
