"""Rows of passkeys and of the questions asked of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, select, update

from appliance.domain.clock import Now
from appliance.store.tables import passkey, passkey_challenge


def add(db: Connection, values: dict[str, Any]) -> None:
    """Insert a passkey."""
    db.execute(passkey.insert().values(**values))


def find(db: Connection, credential: str) -> Row[Any] | None:
    """Return a passkey by the id of its credential."""
    return db.execute(select(passkey).where(passkey.c.id == credential)).first()


def of(db: Connection, badge: str) -> list[Row[Any]]:
    """Return somebody's passkeys, oldest first."""
    return list(
        db.execute(select(passkey).where(passkey.c.badge == badge).order_by(passkey.c.made_at_ms, passkey.c.id))
    )


def everybodys(db: Connection) -> list[Row[Any]]:
    """Return all passkeys by whose they are."""
    return list(db.execute(select(passkey).order_by(passkey.c.badge, passkey.c.made_at_ms, passkey.c.id)))


def used(db: Connection, credential: str, sign_count: int, at_ms: int) -> None:
    """Note that a passkey was used, and how often it says that was."""
    values = {"sign_count": sign_count, "used_at_ms": at_ms}
    db.execute(update(passkey).where(passkey.c.id == credential).values(**values))


def drop(db: Connection, credential: str) -> None:
    """Delete a passkey."""
    db.execute(passkey.delete().where(passkey.c.id == credential))


def drop_of(db: Connection, badges: Iterable[str]) -> None:
    """Delete every passkey of these people."""
    db.execute(passkey.delete().where(passkey.c.badge.in_(list(badges))))


def add_challenge(db: Connection, values: dict[str, Any]) -> None:
    """Insert a question."""
    db.execute(passkey_challenge.insert().values(**values))


def take_challenge(db: Connection, sha256: str) -> Row[Any] | None:
    """Return a question and delete it: it is answered once, rightly or not."""
    row = db.execute(select(passkey_challenge).where(passkey_challenge.c.sha256 == sha256)).first()
    if row is not None:
        db.execute(passkey_challenge.delete().where(passkey_challenge.c.sha256 == sha256))
    return row


def forget_over(db: Connection, now: Now) -> None:
    """Delete questions whose time is over, or which were asked before this boot."""
    over = (passkey_challenge.c.boot_id != now.boot_id) | (passkey_challenge.c.expires_boot_ms <= now.boot_ms)
    db.execute(passkey_challenge.delete().where(over))
