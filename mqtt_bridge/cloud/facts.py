"""Orders, tickets, payments and check-ins as devices tell them: rows that repeat nothing and contradict loudly.

Each fact may arrive before the one it is about (another device's outbox waits for its link), so nothing here demands order
across devices; ids make every insert idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from mqtt_bridge.cloud import contradictions, routing
from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.alarms import raise_alarm
from mqtt_bridge.cloud.routing import Sale
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    CheckedIn,
    CheckInUndone,
    OrderCancelled,
    OrderConfirmed,
    PaymentTaken,
    RefundPaid,
    TicketsVoided,
)


@dataclass(frozen=True)
class Telling:
    """Who tells a fact, and the transaction it is written in."""

    db: Connection
    device: str
    wall_ms: int

    def alarm(self, kind: str, subject: str, detail: str) -> None:
        """List a contradiction."""
        raise_alarm(self.db, kind, subject, detail, self.wall_ms)


def record(by: Telling, body: routing.Fact) -> None:
    """Write the rows of a fact; stock and keys are written elsewhere."""
    _WRITERS[type(body)](by, body)


def sale_of(db: Connection, body: routing.Fact, origin: str, venue_of: Callable[[str], str | None]) -> Sale | None:
    """Return who issued the tickets of a fact and which venues host them, None while the sale is unknown."""
    if isinstance(body, OrderConfirmed | CancelRequested):
        return Sale(origin, _venues((each.event_session for each in body.tickets), venue_of))
    if isinstance(body, CheckedIn | CheckInUndone):
        order = db.execute(sa.select(t.ticket.c.order_id).where(t.ticket.c.id == body.ticket)).scalar()
    else:
        order = body.order
    issuer = db.execute(sa.select(t.order.c.issuer).where(t.order.c.id == order)).scalar()
    if issuer is None:
        return None
    sessions = db.execute(sa.select(t.ticket.c.event_session).where(t.ticket.c.order_id == order).distinct())
    return Sale(issuer, _venues(sessions.scalars(), venue_of))


def _venues(sessions: Iterable[str], venue_of: Callable[[str], str | None]) -> frozenset[str]:
    return frozenset(venue for each in sessions if (venue := venue_of(each)) is not None)


def _order_confirmed(by: Telling, body: OrderConfirmed) -> None:
    known = by.db.execute(sa.select(t.order.c.issuer).where(t.order.c.id == body.order)).scalar()
    if known is not None:
        if known != by.device:
            by.alarm("order-twice", body.order, f"sold by {known} and by {by.device}")
        return
    paid_early = (t.payment.c.order_id == body.order, t.payment.c.paid)
    paid = body.payment == "paid" or by.db.execute(sa.select(t.payment.c.id).where(*paid_early)).first() is not None
    row = {"id": body.order, "code": body.code, "issuer": by.device, "payment": "paid" if paid else "promised"}
    by.db.execute(
        sa.insert(t.order).values(**row, status="confirmed", sold_by=body.sold_by, confirmed_at_ms=body.confirmed_at_ms)
    )
    _add_tickets(by, body)


def _add_tickets(by: Telling, body: OrderConfirmed) -> None:
    ids = [each.ticket for each in body.tickets]
    sold = {
        row.id: row.order_id
        for row in by.db.execute(sa.select(t.ticket.c.id, t.ticket.c.order_id).where(t.ticket.c.id.in_(ids)))
    }
    for ticket, order in sold.items():
        by.alarm("ticket-twice", ticket, f"in order {order} and, by {by.device}, in order {body.order}")
    admissions = _admissions(by.db, ids)
    columns = ("code", "ticket_type", "event_session", "quota", "epoch", "price_minor", "currency")
    rows = {
        each.ticket: {
            "id": each.ticket,
            "order_id": body.order,
            "state": "valid",
            "check_in": admissions.get(each.ticket),
        }
        | {name: getattr(each, name) for name in columns}
        for each in body.tickets
        if each.ticket not in sold
    }
    if rows:
        by.db.execute(sa.insert(t.ticket), list(rows.values()))


def _admissions(db: Connection, tickets: list[str]) -> dict[str, str]:
    """The first admission of each ticket that was scanned before its sale arrived here."""
    c = t.check_in.c
    counted = (c.ticket.in_(tickets), c.verdict == "admitted", c.undone.is_(False))
    rows = db.execute(sa.select(c.ticket, c.id).where(*counted).order_by(c.at_ms.desc()))
    return {row.ticket: row.id for row in rows}


def _payment_taken(by: Telling, body: PaymentTaken) -> None:
    columns = ("method", "amount_minor", "currency", "staff", "paid")
    values: dict[str, Any] = {name: getattr(body, name) for name in columns}
    if _insert(by.db, t.payment, body.payment, order_id=body.order, device=by.device, **values) and body.paid:
        by.db.execute(sa.update(t.order).where(t.order.c.id == body.order).values(payment="paid"))


def _refund_paid(by: Telling, body: RefundPaid) -> None:
    """Money that went back is a negative payment; more than was owed, at two desks that could not know, is listed."""
    values: dict[str, Any] = {"method": body.method, "currency": body.currency, "staff": body.staff, "paid": False}
    minor = -body.amount_minor
    if not _insert(by.db, t.payment, body.payment, order_id=body.order, device=by.device, amount_minor=minor, **values):
        return
    back = (t.payment.c.order_id == body.order, t.payment.c.amount_minor < 0)
    paid = -int(
        by.db.execute(sa.select(sa.func.coalesce(sa.func.sum(t.payment.c.amount_minor), 0)).where(*back)).scalar_one()
    )
    mine = (t.refund.c.order_id == body.order, t.refund.c.owed)
    owed = int(
        by.db.execute(sa.select(sa.func.coalesce(sa.func.sum(t.refund.c.amount_minor), 0)).where(*mine)).scalar_one()
    )
    if paid > owed:
        detail = f"{paid} paid back, {owed} owed ({body.currency}, minor units); {by.device} paid last"
        contradictions.add(by.db, "paid-back-twice", body.order, detail, by.wall_ms, order=body.order)


def _cancel_requested(by: Telling, body: CancelRequested) -> None:
    _set_status(by.db, body.order, "confirmed", "cancel_pending")


def _cancel_refused(by: Telling, body: CancelRefused) -> None:
    _set_status(by.db, body.order, "cancel_pending", "confirmed")


def _set_status(db: Connection, order: str, old: str, new: str) -> None:
    db.execute(sa.update(t.order).where(t.order.c.id == order, t.order.c.status == old).values(status=new))


def _tickets_voided(by: Telling, body: TicketsVoided) -> None:
    own = (t.ticket.c.id.in_(body.tickets), t.ticket.c.state == "valid")
    by.db.execute(sa.update(t.ticket).where(*own).values(state="voided"))


def _order_cancelled(by: Telling, body: OrderCancelled) -> None:
    mine = (t.ticket.c.id.in_(body.tickets), t.ticket.c.order_id == body.order)
    admitted = by.db.execute(sa.select(t.ticket.c.id).where(*mine, t.ticket.c.check_in.is_not(None))).scalars().all()
    for ticket in admitted:
        by.alarm("cancelled-and-admitted", ticket, f"{by.device} cancelled a ticket that was admitted")
    by.db.execute(sa.update(t.ticket).where(*mine).values(state="cancelled"))
    left = (t.ticket.c.order_id == body.order, t.ticket.c.state != "cancelled")
    if by.db.execute(sa.select(t.ticket.c.id).where(*left)).first() is None:
        by.db.execute(sa.update(t.order).where(t.order.c.id == body.order).values(status="cancelled"))


def _checked_in(by: Telling, body: CheckedIn) -> None:
    columns = ("verdict", "reason", "ticket", "event_session", "staff", "at_ms")
    values: dict[str, Any] = {name: getattr(body, name) for name in columns}
    new = _insert(by.db, t.check_in, body.check_in, device=by.device, **values)
    if not new or body.ticket is None or body.verdict != "admitted":
        return
    row = by.db.execute(sa.select(t.ticket.c.state, t.ticket.c.check_in).where(t.ticket.c.id == body.ticket)).first()
    if row is None:
        return
    if row.check_in is not None:
        by.alarm("admitted-twice", body.ticket, f"check-ins {row.check_in} and, by {by.device}, {body.check_in}")
        return
    if row.state == "cancelled":
        by.alarm("cancelled-and-admitted", body.ticket, f"{by.device} admitted a cancelled ticket")
    by.db.execute(sa.update(t.ticket).where(t.ticket.c.id == body.ticket).values(check_in=body.check_in))


def _check_in_undone(by: Telling, body: CheckInUndone) -> None:
    by.db.execute(sa.update(t.check_in).where(t.check_in.c.id == body.check_in).values(undone=True))
    by.db.execute(sa.update(t.ticket).where(t.ticket.c.check_in == body.check_in).values(check_in=None))


def _insert(db: Connection, table: Table, key: str, **values: Any) -> bool:
    """Insert a row unless its id is there; tells whether it was new."""
    if db.execute(sa.select(table.c.id).where(table.c.id == key)).first() is not None:
        return False
    db.execute(sa.insert(table).values(id=key, **values))
    return True


_WRITERS: dict[type, Callable[[Telling, Any], None]] = {
    OrderConfirmed: _order_confirmed,
    PaymentTaken: _payment_taken,
    CancelRequested: _cancel_requested,
    CancelRefused: _cancel_refused,
    TicketsVoided: _tickets_voided,
    OrderCancelled: _order_cancelled,
    CheckedIn: _checked_in,
    CheckInUndone: _check_in_undone,
    RefundPaid: _refund_paid,
}
