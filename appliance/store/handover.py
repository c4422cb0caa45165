"""Short codes that lead from one browser to another."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, and_, func, not_, select

from appliance.domain.clock import Now
from appliance.store.tables import handover


def add(db: Connection, values: dict[str, Any]) -> None:
    """Insert a code."""
    db.execute(handover.insert().values(**values))


def of(db: Connection, purpose: str, subject: str, now: Now) -> Row[Any] | None:
    """Return the code that lives for a page."""
    mine = and_(handover.c.purpose == purpose, handover.c.subject == subject)
    return db.execute(select(handover).where(mine, _lives(now))).first()


def find(db: Connection, code: str, now: Now) -> Row[Any] | None:
    """Return where a code that lives leads."""
    return db.execute(select(handover).where(handover.c.code == code, _lives(now))).first()


def number(db: Connection) -> int:
    """Return how many codes there are."""
    return int(db.execute(select(func.count()).select_from(handover)).scalar_one())


def drop(db: Connection, code: str) -> None:
    """Delete a code: it is used once."""
    db.execute(handover.delete().where(handover.c.code == code))


def forget_over(db: Connection, now: Now) -> None:
    """Delete the codes whose life is over, or of another boot."""
    db.execute(handover.delete().where(not_(_lives(now))))


def _lives(now: Now) -> Any:
    return and_(handover.c.boot_id == now.boot_id, handover.c.expires_boot_ms > now.boot_ms)
