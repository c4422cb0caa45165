"""Small rows around the bookings: audit, print jobs, hardware, switches, rates, replies, staff tokens, issuers' keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert

from appliance.domain.clock import Now
from appliance.store.tables import audit, hardware, idempotency, issuer_key, rate, staff_token, switch
from mqtt_bridge.prepared import Prepared, PreparedChange

# Statements of the hot path are built once: building one costs as much as running it.
_ADD_AUDIT = PreparedChange(audit.insert())
_SWITCHES = Prepared(select(switch.c.name, switch.c.value))
_RATE_KEY = and_(
    rate.c.bucket == bindparam("bucket_"), rate.c.window == bindparam("window_"), rate.c.boot_id == bindparam("boot")
)
_RATE = Prepared(select(rate.c.count).where(_RATE_KEY))
_COUNT_ONCE = insert(rate).values(count=1)
_COUNT = PreparedChange(
    _COUNT_ONCE.on_conflict_do_update(index_elements=["bucket", "window", "boot_id"], set_={"count": rate.c.count + 1})
)
_UNCOUNT = update(rate).where(_RATE_KEY, rate.c.count > 0).values(count=rate.c.count - 1)
_REPLY = Prepared(
    select(idempotency).where(idempotency.c.scope == bindparam("scope_"), idempotency.c.key == bindparam("key_"))
)
_ADD_REPLY = PreparedChange(idempotency.insert())
_STAFF_TOKEN = Prepared(select(staff_token).where(staff_token.c.sha256 == bindparam("hash")))


def add_audit(db: Connection, at_ms: int, who: str, action: str, subject: str, detail: str) -> None:
    """Insert one line of who did what."""
    _ADD_AUDIT.run(db, at_ms=at_ms, who=who, action=action, subject=subject, detail=detail)


def hardware_rows(db: Connection) -> list[Row[Any]]:
    """Return what the desk last saw of each device."""
    return list(db.execute(select(hardware).order_by(hardware.c.name)))


def keep_hardware(db: Connection, names: Iterable[str]) -> None:
    """Delete the rows of all devices but these."""
    db.execute(delete(hardware).where(hardware.c.name.not_in(list(names))))


def put_hardware(db: Connection, name: str, state: str, reason: str, since_ms: int, now: Now) -> None:
    """Write how a device is doing."""
    values = {"state": state, "reason": reason, "since_ms": since_ms, "seen_at_ms": now.wall_ms}
    values |= {"seen_boot_id": now.boot_id, "seen_boot_ms": now.boot_ms}
    db.execute(insert(hardware).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values))


def switches(db: Connection) -> dict[str, str]:
    """Return every staff switch that is set."""
    return {row.name: row.value for row in _SWITCHES.all(db)}


def put_switch(db: Connection, name: str, value: str | None, at_ms: int, who: str) -> None:
    """Set a switch; None removes it, so that the clock decides again."""
    if value is None:
        db.execute(switch.delete().where(switch.c.name == name))
        return
    values = {"value": value, "changed_at_ms": at_ms, "changed_by": who}
    db.execute(insert(switch).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values))


def rate_count(db: Connection, bucket: str, window: int, boot_id: str) -> int:
    """Return how often ``bucket`` was counted in the window that began at ``window`` (boot-time in ms) of this boot."""
    return _RATE.scalar(db, bucket_=bucket, window_=window, boot=boot_id) or 0


def rate_add(db: Connection, bucket: str, window: int, boot_id: str) -> None:
    """Count one more."""
    _COUNT.run(db, bucket=bucket, window=window, boot_id=boot_id)


def rate_take(db: Connection, bucket: str, window: int, boot_id: str) -> None:
    """Count one less, never below zero."""
    db.execute(_UNCOUNT, {"bucket_": bucket, "window_": window, "boot": boot_id})


def find_reply(db: Connection, scope: str, key: str) -> Row[Any] | None:
    """Return the remembered answer under a key."""
    return _REPLY.first(db, scope_=scope, key_=key)


def add_reply(db: Connection, values: dict[str, Any]) -> None:
    """Remember an answer."""
    _ADD_REPLY.run(db, **values)


def add_staff_token(db: Connection, values: dict[str, Any]) -> None:
    """Insert a staff token; the same one again is renewed."""
    db.execute(insert(staff_token).values(**values).on_conflict_do_update(index_elements=["sha256"], set_=values))


def find_staff_token(db: Connection, sha256: str) -> Row[Any] | None:
    """Return a staff token."""
    return _STAFF_TOKEN.first(db, hash=sha256)


def set_training(db: Connection, sha256: str, name: str) -> None:
    """Note which copy a sign-in practises on, empty for none."""
    db.execute(update(staff_token).where(staff_token.c.sha256 == sha256).values(training=name))


def trainings(db: Connection, now: Now) -> set[str]:
    """Return the copies that sign-ins practise on which have not ended."""
    alive = and_(staff_token.c.boot_id == now.boot_id, staff_token.c.expires_boot_ms > now.boot_ms)
    query = select(staff_token.c.training).where(staff_token.c.training != "", alive)
    return set(db.execute(query).scalars())


def drop_staff_token(db: Connection, sha256: str) -> None:
    """Delete a staff token."""
    db.execute(staff_token.delete().where(staff_token.c.sha256 == sha256))


def drop_staff_tokens_of(db: Connection, badges: Iterable[str]) -> None:
    """Delete every token of these badges."""
    db.execute(staff_token.delete().where(staff_token.c.badge.in_(list(badges))))


def forget_old(db: Connection, now: Now, rates_before: int) -> None:
    """Delete counts of past windows, tokens that ended and, where the clock is trusted, answers nobody will ask for again."""
    db.execute(rate.delete().where((rate.c.boot_id != now.boot_id) | (rate.c.window < rates_before)))
    ended = (staff_token.c.boot_id != now.boot_id) | (staff_token.c.expires_boot_ms <= now.boot_ms)
    db.execute(staff_token.delete().where(ended))
    if now.trusted:
        db.execute(idempotency.delete().where(idempotency.c.keep_until_ms < now.wall_ms))


def find_issuer(db: Connection, kid: str) -> Row[Any] | None:
    """Return the device a key belongs to."""
    return db.execute(select(issuer_key).where(issuer_key.c.kid == kid)).first()


def issuers_answered_by(db: Connection, device: str) -> set[str]:
    """Return the sealed devices whose orders ``device`` answers for."""
    query = select(issuer_key.c.device).where(issuer_key.c.sealed, issuer_key.c.answered_by == device)
    return set(db.execute(query).scalars())


def put_issuer(db: Connection, values: dict[str, Any]) -> None:
    """Write a device's public key."""
    db.execute(insert(issuer_key).values(**values).on_conflict_do_update(index_elements=["kid"], set_=values))
