"""Names and codes of orders, for looking somebody up."""

from __future__ import annotations

from sqlalchemy import Connection, select

from appliance.store.tables import order, ticket


def names(db: Connection) -> list[tuple[str, str]]:
    """Return (order, name) of every order whose name is known here, newest first."""
    query = (
        select(order.c.id, order.c.name).where(order.c.name != "").order_by(order.c.created_at_ms.desc(), order.c.id)
    )
    return [(row.id, row.name) for row in db.execute(query)]


def by_part_of_code(db: Connection, part: str, limit: int) -> list[str]:
    """Return ids of the orders whose code, or the code of a ticket of theirs, has ``part`` in it."""
    through = select(ticket.c.order).where(ticket.c.code.contains(part, autoescape=True))
    query = select(order.c.id).where(order.c.code.contains(part, autoescape=True)).union(through)
    return list(db.execute(query.limit(limit)).scalars())
