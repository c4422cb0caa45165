"""Bring a cloud database to this version's tables; costs one query when it already is there."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.database import Database

HEAD = "0022"


def version(db: Connection) -> str | None:
    """The version of the tables, None before the first upgrade."""
    if not sa.inspect(db).has_table("cloud_version"):
        return None
    row: str | None = db.execute(sa.text("SELECT version_num FROM cloud_version")).scalar()
    return row


def upgrade(database: Database) -> None:
    """Run the missing migrations in one transaction; several processes may try at once."""
    with database.read() as db:
        if version(db) == HEAD:
            return
    # Alembic takes a third of a second to import, so only an upgrade pays for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with database.write() as db:
        if db.dialect.name == "postgresql":
            db.execute(sa.text("SELECT pg_advisory_xact_lock(20260101)"))
        if version(db) != HEAD:
            config.attributes["connection"] = db
            command.upgrade(config, "head")
