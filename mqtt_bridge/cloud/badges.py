"""Badges of staff: issued by whoever holds the cloud's key, revoked by an operator; every device hears of both with the key directory."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.catalogue import current_catalogue
from mqtt_bridge.cloud.directory import audit, keys_changed, lock
from mqtt_bridge.database import Database
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.protocol.badges import BadgeClaims, issue


class BadgeRefused(Exception):
    """What cannot be done with a badge; the sentence says why."""


@dataclass(frozen=True, slots=True)
class IssuedBadge:
    """A badge as the console shows it; ``name`` is whose it is, empty where the catalogue no longer knows."""

    serial: str
    badge: str
    name: str
    issued_at_ms: int
    revoked_at_ms: int | None


def issue_badge(database: Database, key: KeyFile, badge: str, serial: str, who: str, wall_ms: int) -> str:
    """Sign a badge for a member of staff and return its text, which is kept nowhere; earlier ones of theirs stay good.

    Raises ``BadgeRefused`` for somebody the catalogue does not know.
    """

    def work(db: Connection) -> str:
        lock(db)
        if badge not in {each.badge for each in current_catalogue(db).staff}:
            raise BadgeRefused(f"{badge!r} is nobody's badge in the catalogue; write it into its staff and import it")
        text = issue(BadgeClaims(badge, serial), key)
        row = {"serial": serial, "badge": badge, "public": key.public_hex, "issued_at_ms": wall_ms, "issued_by": who}
        db.execute(sa.insert(t.staff_badge).values(**row))
        keys_changed(db)
        audit(db, wall_ms, who, "badge issued", serial, badge)
        return text

    return database.run(work)


def revoke_badge(database: Database, serial: str, who: str, wall_ms: int) -> IssuedBadge:
    """Let a lost badge open nothing any more, at every device once it hears of it. Twice is once."""

    def work(db: Connection) -> IssuedBadge:
        lock(db)
        found = next((each for each in issued_badges(db) if each.serial == serial), None)
        if found is None:
            raise BadgeRefused(f"no badge has the number {serial!r}; list them first")
        if found.revoked_at_ms is None:
            mine = t.staff_badge.c.serial == serial
            db.execute(sa.update(t.staff_badge).where(mine).values(revoked_at_ms=wall_ms, revoked_by=who))
            keys_changed(db)
            audit(db, wall_ms, who, "badge revoked", serial, found.badge)
        return found

    return database.run(work)


def issued_badges(db: Connection) -> tuple[IssuedBadge, ...]:
    """Return every badge, by person, the newest first."""
    names = {each.badge: each.name for each in current_catalogue(db).staff}
    rows = db.execute(sa.select(t.staff_badge).order_by(t.staff_badge.c.badge, t.staff_badge.c.issued_at_ms.desc()))
    return tuple(
        IssuedBadge(row.serial, row.badge, names.get(row.badge, ""), row.issued_at_ms, row.revoked_at_ms)
        for row in rows
    )
