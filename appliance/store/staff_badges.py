"""What verifies badges of staff, and which one a lane's scanner read just now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select
from sqlalchemy.dialects.sqlite import insert

from appliance.store.tables import badge_seen, badge_trust


def trusted(db: Connection) -> tuple[set[str], set[str]]:
    """Return (public keys that sign badges, serials of lost ones)."""
    rows = db.execute(select(badge_trust)).all()
    return {row.value for row in rows if row.kind == "key"}, {row.value for row in rows if row.kind == "revoked"}


def add(db: Connection, kind: str, values: Iterable[str]) -> None:
    """Know these from now on; what is known stays."""
    for each in values:
        db.execute(insert(badge_trust).values(value=each, kind=kind).on_conflict_do_nothing())


def put_seen(db: Connection, values: dict[str, Any]) -> None:
    """Note what a lane read last."""
    db.execute(insert(badge_seen).values(**values).on_conflict_do_update(index_elements=["lane"], set_=values))


def seen(db: Connection, boot_id: str, since_boot_ms: int) -> list[Row[Any]]:
    """Return what lanes read since then in this boot, newest first."""
    late = (badge_seen.c.boot_id == boot_id) & (badge_seen.c.boot_ms >= since_boot_ms)
    return list(db.execute(select(badge_seen).where(late).order_by(badge_seen.c.boot_ms.desc())))


def forget_seen(db: Connection, seen_id: str) -> None:
    """Forget what a lane read: it is used once."""
    db.execute(badge_seen.delete().where(badge_seen.c.id == seen_id))


def forget_before(db: Connection, boot_id: str, boot_ms: int) -> None:
    """Forget what lanes read before then, or in another boot."""
    db.execute(badge_seen.delete().where((badge_seen.c.boot_id != boot_id) | (badge_seen.c.boot_ms < boot_ms)))
