"""Shifts, what was entered into them, and the payments that belong to them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from appliance.store.tables import payment, shift, shift_entry
from mqtt_bridge.prepared import Prepared

# Part of every payment, so built once.
_OPEN = Prepared(select(shift).where(shift.c.badge == bindparam("badge_"), shift.c.closed_at_ms.is_(None)).limit(1))


def add(db: Connection, values: dict[str, Any]) -> int:
    """Insert a shift; return its number."""
    return int(db.execute(shift.insert().values(**values).returning(shift.c.number)).scalar_one())


def find(db: Connection, number: int) -> Row[Any] | None:
    """Return a shift."""
    return db.execute(select(shift).where(shift.c.number == number)).first()


def open_of(db: Connection, badge: str) -> Row[Any] | None:
    """Return the open shift of a person."""
    return _OPEN.first(db, badge_=badge)


def latest(db: Connection, limit: int) -> list[Row[Any]]:
    """Return shifts, open ones and then the newest first."""
    query = select(shift).order_by(shift.c.closed_at_ms.is_not(None), shift.c.number.desc()).limit(limit)
    return list(db.execute(query))


def close(db: Connection, number: int, values: dict[str, Any]) -> bool:
    """Close an open shift; return False if it was closed before, and then change nothing."""
    query = update(shift).where(shift.c.number == number, shift.c.closed_at_ms.is_(None)).values(**values)
    return db.execute(query).rowcount > 0


def add_entry(db: Connection, values: dict[str, Any]) -> None:
    """Insert an entry."""
    db.execute(shift_entry.insert().values(**values))


def entries(db: Connection, number: int) -> list[Row[Any]]:
    """Return the entries of a shift in the order in which they were made."""
    return list(db.execute(select(shift_entry).where(shift_entry.c.shift == number).order_by(shift_entry.c.id)))


def moves(db: Connection, number: int) -> list[tuple[str, int]]:
    """Return (method, amount) of the payments of a shift."""
    query = select(payment.c.method, payment.c.amount_minor).where(payment.c.shift == number)
    return [(row.method, row.amount_minor) for row in db.execute(query)]


def moves_since(db: Connection, since_ms: int) -> list[Row[Any]]:
    """Return (staff, method, amount_minor, taken_at_ms, shift) of what moved at this device; shift 0 where none was open."""
    c = payment.c
    query = select(c.staff, c.method, c.amount_minor, c.taken_at_ms, c.shift)
    return list(db.execute(query.where(c.shift.is_not(None), c.taken_at_ms >= since_ms).order_by(c.taken_at_ms)))
