"""Open a device's database, brought up to date first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, MetaData, inspect

from appliance.store import tables
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox import tables as mailbox

HEAD = "0022"
MIGRATIONS = Path(__file__).with_name("migrations")


def complete_metadata() -> MetaData:
    """Return every table of the device's file: the appliance's own and the mailbox's."""
    every = MetaData()
    for metadata in (tables.metadata, mailbox.metadata):
        for table in metadata.sorted_tables:
            table.to_metadata(every)
    return every


def open_database(path: str | Path) -> Database:
    """Return the database in ``path``, created or migrated if it is not at the newest revision."""
    database = Database(path)
    with database.read() as db:
        current = revision(db)
    if current != HEAD:
        migrate(database)
    return database


def revision(db: Connection) -> str | None:
    """Return the schema's revision, None in an empty file."""
    if not inspect(db).has_table("alembic_version"):
        return None
    return db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def migrate(database: Database, target: str = "head") -> None:
    """Bring the schema to ``target`` in one transaction under the write lock; a crash leaves the old schema whole."""
    # Alembic takes a third of a second to import; a device that is up to date never pays for it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.write() as db:
        config.attributes["connection"] = db
        command.upgrade(config, target)
