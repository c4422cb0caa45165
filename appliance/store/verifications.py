"""What orders that are or were pending have to prove."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select, update

from appliance.store.tables import order, ticket, verification


def add(db: Connection, order_id: str, **values: Any) -> None:
    """Note what an order has to prove."""
    db.execute(verification.insert().values(order=order_id, **values))


def find(db: Connection, order_id: str) -> Row[Any] | None:
    """Return what an order has to prove; None where it never had to."""
    return db.execute(select(verification).where(verification.c.order == order_id)).first()


def change(db: Connection, order_id: str, **values: Any) -> None:
    """Set columns."""
    db.execute(update(verification).where(verification.c.order == order_id).values(**values))


def pending_in(db: Connection, event_session: str, issuers: Iterable[str]) -> list[str]:
    """Return ids of pending orders of these devices with a ticket for this session."""
    query = (
        select(order.c.id)
        .join(ticket, ticket.c.order == order.c.id)
        .where(order.c.issuer.in_(list(issuers)), order.c.status == "pending")
        .where(ticket.c.event_session == event_session)
        .distinct()
        .order_by(order.c.id)
    )
    return list(db.execute(query).scalars())
