"""Open the cloud's database and ask it things; what needs rules lives beside this, in the modules named after them."""

from __future__ import annotations

import secrets
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import migrations
from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.alarm_list import Alarm, alarms
from mqtt_bridge.cloud.catalogue import CatalogueRefused, apply_catalogue, current_catalogue
from mqtt_bridge.cloud.directory import DirectoryRefused, register_device
from mqtt_bridge.cloud.operators import (
    Attempt,
    attempt_sign_in,
    create_operator_token,
    end_sign_in,
    is_operator,
    lift_freeze,
    operator_by_hash,
    revoke_operator_tokens,
    sign_in_ended,
)
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.generations import incarnation

__all__ = [
    "Alarm",
    "Attempt",
    "CatalogueRefused",
    "DirectoryRefused",
    "alarms",
    "apply_catalogue",
    "attempt_sign_in",
    "create_operator_token",
    "current_catalogue",
    "end_sign_in",
    "is_empty",
    "is_operator",
    "lift_freeze",
    "open_cloud",
    "operator_by_hash",
    "register_device",
    "revoke_operator_tokens",
    "sign_in_ended",
    "tables_are_current",
]

FIRST_GENERATION = 1


def open_cloud(url: str | Path) -> Database:
    """Return the database at a SQLAlchemy URL or SQLite path, with tables of this version; made if it is empty."""
    database = Database(url)
    migrations.upgrade(database)
    with database.read() as db:
        known = _generation(db)
    if known is None:
        database.run(_first)
    return database


def is_empty(url: str | Path) -> bool:
    """Tell whether no cloud ever began in this database; makes nothing."""
    database = Database(url)
    if database.path is not None and not database.path.exists():
        return True
    try:
        with database.read() as db:
            return not sa.inspect(db).has_table("cloud") or _generation(db) is None
    finally:
        database.close()


def tables_are_current(db: Connection) -> bool:
    """Tell whether the database has exactly this version's tables."""
    return migrations.version(db) == migrations.HEAD


def _generation(db: Connection) -> int | None:
    found: int | None = db.execute(sa.select(t.cloud.c.generation).where(t.cloud.c.id == 1)).scalar()
    return found


def _first(db: Connection) -> None:
    """Name this cloud. The random part keeps devices from mistaking a new cloud's messages for an older one's."""
    if db.dialect.name == "postgresql":
        db.execute(sa.text("LOCK TABLE cloud"))
    if _generation(db) is None:
        inc = incarnation(FIRST_GENERATION, secrets.token_hex(4))
        row = {"id": 1, "generation": FIRST_GENERATION, "inc": inc, "catalogue_version": 0, "keys_revision": 0}
        db.execute(sa.insert(t.cloud).values(**row, frozen=""))
