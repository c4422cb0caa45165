"""Operators: whoever holds a token; only hashes are kept, attempts are limited and written down."""

from __future__ import annotations

import hashlib
from enum import Enum

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.directory import audit, lock
from mqtt_bridge.database import Database

WINDOW_MS = 60_000
ATTEMPTS_PER_ADDRESS = 10


class Attempt(Enum):
    """What came of a sign-in."""

    GOOD = "good"
    WRONG = "wrong"
    TOO_MANY = "too many"


def create_operator_token(database: Database, token: str, wall_ms: int) -> None:
    """Let whoever holds ``token`` operate the console. Repeating it changes nothing."""
    digest = _digest(token)

    def create(db: Connection) -> None:
        lock(db)
        if db.execute(sa.select(t.operator_token.c.sha256).where(t.operator_token.c.sha256 == digest)).scalar() is None:
            db.execute(sa.insert(t.operator_token).values(sha256=digest, created_at_ms=wall_ms))
            audit(db, wall_ms, "operator", "operator token created", digest[:8])

    database.run(create)


def revoke_operator_tokens(database: Database, wall_ms: int) -> int:
    """Let none of the tokens made so far open the console any more; return how many did."""

    def revoke(db: Connection) -> int:
        lock(db)
        live = t.operator_token.c.revoked.is_(False)
        ended = db.execute(sa.update(t.operator_token).where(live).values(revoked=True)).rowcount
        if ended:
            audit(db, wall_ms, "operator", "operator tokens revoked", "")
        return ended

    return database.run(revoke)


def is_operator(db: Connection, token: str) -> bool:
    """Tell whether a token opens the console; looking up a hash leaks nothing of the token by its timing."""
    return operator_by_hash(db, _digest(token))


def operator_by_hash(db: Connection, digest: str) -> bool:
    """Tell whether the token with this hash exists and was not revoked."""
    good = (t.operator_token.c.sha256 == digest, t.operator_token.c.revoked.is_(False))
    return db.execute(sa.select(t.operator_token.c.sha256).where(*good)).scalar() is not None


def attempt_sign_in(database: Database, token: str, address: str, wall_ms: int) -> Attempt:
    """Check a token and count the attempt; beyond the limit of an address nothing is checked.

    There is no limit over all addresses: a stranger could use it to keep the operator out.
    """

    def attempt(db: Connection) -> Attempt:
        lock(db)
        window = wall_ms // WINDOW_MS
        db.execute(sa.delete(t.rate).where(t.rate.c.window < window - 1))
        if _count(db, f"sign-in {address}"[:80], window) > ATTEMPTS_PER_ADDRESS:
            return Attempt.TOO_MANY
        good = is_operator(db, token)
        who = _digest(token)[:8] if good else "unknown"
        audit(db, wall_ms, who, "signed in" if good else "sign-in refused", "console", address[:64])
        return Attempt.GOOD if good else Attempt.WRONG

    return database.run(attempt)


def end_sign_in(database: Database, sign_in: str, who: str, until_ms: int, wall_ms: int) -> None:
    """Let ``sign_in`` open nothing more though it would have until ``until_ms``; ending it twice changes nothing."""
    digest = _digest(sign_in)

    def end(db: Connection) -> None:
        lock(db)
        db.execute(sa.delete(t.ended_sign_in).where(t.ended_sign_in.c.until_ms < wall_ms))
        if not sign_in_ended(db, sign_in):
            db.execute(sa.insert(t.ended_sign_in).values(sha256=digest, until_ms=until_ms))
            audit(db, wall_ms, who, "signed out", "console")

    database.run(end)


def sign_in_ended(db: Connection, sign_in: str) -> bool:
    """Tell whether a sign-in was ended by signing out."""
    row = sa.select(t.ended_sign_in.c.sha256).where(t.ended_sign_in.c.sha256 == _digest(sign_in))
    return db.execute(row).scalar() is not None


def lift_freeze(database: Database, who: str, wall_ms: int, quota: str | None = None) -> bool:
    """Grant again, of one quota or (None) at all, because a person looked into the reason; tells whether it was frozen.

    What was known when it was lifted does not freeze it again, new contradictions do. A cloud that was put back from a backup
    grants again when its devices are confirmed, not before (``restoring``).
    """

    def lift(db: Connection) -> bool:
        lock(db)
        table = t.cloud if quota is None else t.quota
        rows = [table.c.frozen != ""] if quota is None else [table.c.frozen != "", t.quota.c.id == quota]
        reason = db.execute(sa.select(table.c.frozen).where(*rows)).scalar()
        if reason is None or (quota is None and db.execute(sa.select(t.cloud.c.restoring)).scalar_one()):
            return False
        db.execute(sa.update(table).where(*rows).values(frozen=""))
        audit(db, wall_ms, who, "freeze lifted", quota or "all", reason)
        return True

    return database.run(lift)


def _count(db: Connection, bucket: str, window: int) -> int:
    row = (t.rate.c.bucket == bucket, t.rate.c.window == window)
    if not db.execute(sa.update(t.rate).where(*row).values(count=t.rate.c.count + 1)).rowcount:
        db.execute(sa.insert(t.rate).values(bucket=bucket, window=window, count=1))
    return int(db.execute(sa.select(t.rate.c.count).where(*row)).scalar_one())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
