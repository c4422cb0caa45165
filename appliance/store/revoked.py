"""Tokens of the gateway that were revoked."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from appliance.store.tables import token_revoked
from mqtt_bridge.prepared import Prepared

_ANY = Prepared(
    select(token_revoked.c.name).where(token_revoked.c.name.in_(bindparam("names", expanding=True))).limit(1)
)


def add(db: Connection, name: str, at_ms: int, who: str) -> None:
    """Revoke; what was revoked before stays as it is."""
    db.execute(insert(token_revoked).values(name=name, at_ms=at_ms, revoked_by=who).on_conflict_do_nothing())


def any_of(db: Connection, names: Iterable[str]) -> bool:
    """Return whether one of these was revoked."""
    return _ANY.first(db, names=list(names)) is not None


def drop_before(db: Connection, at_ms: int) -> None:
    """Forget what was revoked before then."""
    db.execute(token_revoked.delete().where(token_revoked.c.at_ms < at_ms))
