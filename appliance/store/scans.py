"""Check-ins. Scans that another door reported have the lane ``@<device>`` and are not this door's own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, select, text, update
from sqlalchemy.dialects.sqlite import insert

from appliance.store.tables import check_in
from mqtt_bridge.prepared import Prepared, PreparedChange

_ADD = PreparedChange(insert(check_in).on_conflict_do_nothing())
_FIND = Prepared(select(check_in).where(check_in.c.id == bindparam("id_")))


def add(db: Connection, values: dict[str, Any]) -> None:
    """Insert a scan; the same one twice is kept once."""
    _ADD.run(db, **values)


def find(db: Connection, check_in_id: str) -> Row[Any] | None:
    """Return a scan."""
    return _FIND.first(db, id_=check_in_id)


def recent(db: Connection, limit: int) -> list[Row[Any]]:
    """Return this door's latest scans, newest first."""
    query = select(check_in).where(check_in.c.lane.not_like("@%"))
    # In the order they were written: two scans may share a millisecond, and the wall clock may step back.
    return list(db.execute(query.order_by(text("check_in.rowid DESC")).limit(limit)))


def lanes(db: Connection) -> list[str]:
    """Return the lanes of this door's latest thousand scans."""
    latest = select(check_in.c.lane).where(check_in.c.lane.not_like("@%")).order_by(text("rowid DESC")).limit(1000)
    return list(db.execute(select(latest.subquery().c.lane).distinct()).scalars())


def admitted_before(db: Connection, ticket: str, at_ms: int) -> int | None:
    """Return when a ticket was admitted, up to then."""
    query = select(func.max(check_in.c.at_ms)).where(
        check_in.c.ticket == ticket, check_in.c.verdict == "admitted", check_in.c.at_ms <= at_ms
    )
    return db.execute(query).scalar()


def undo(db: Connection, check_in_id: str, at_ms: int) -> None:
    """Mark a scan as taken back."""
    db.execute(update(check_in).where(check_in.c.id == check_in_id).values(undone_at_ms=at_ms))


def admitted_since(db: Connection, at_ms: int) -> list[int]:
    """Return when people were admitted here from then on, in ms since the epoch; scans that were undone do not count."""
    query = select(check_in.c.at_ms).where(
        check_in.c.at_ms >= at_ms,
        check_in.c.verdict == "admitted",
        check_in.c.undone_at_ms.is_(None),
        check_in.c.lane.not_like("@%"),
    )
    return list(db.execute(query).scalars())
