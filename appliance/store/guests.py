"""Who came onto this device by a guest list, and with how many tickets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, select, update

from appliance.store.tables import guest


def add(db: Connection, values: dict[str, Any]) -> None:
    """Insert a guest's order."""
    db.execute(guest.insert().values(**values))


def listed(db: Connection, event_session: str) -> dict[str, int]:
    """Return tickets by key of everybody who was listed for a date, also of orders that were cancelled since."""
    query = (
        select(guest.c.key, func.sum(guest.c.tickets).label("tickets"))
        .where(guest.c.event_session == event_session, guest.c.key != "")
        .group_by(guest.c.key)
    )
    return {row.key: int(row.tickets) for row in db.execute(query)}


def tickets_of(db: Connection, key: str) -> int:
    """Return how many tickets somebody was listed with."""
    query = select(func.coalesce(func.sum(guest.c.tickets), 0)).where(guest.c.key == key)
    return int(db.execute(query).scalar_one())


def notes(db: Connection, orders: Iterable[str]) -> dict[str, str]:
    """Return the note of each of these orders that came by a list; empty where the list had none."""
    query = select(guest.c.order, guest.c.note).where(guest.c.order.in_(list(orders)))
    return {row.order: row.note for row in db.execute(query)}


def forget(db: Connection, orders: Iterable[str]) -> None:
    """Forget who these were."""
    db.execute(update(guest).where(guest.c.order.in_(list(orders))).values(key="", note=""))
