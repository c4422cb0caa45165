"""Open a device's database, brought up to date first."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, MetaData, inspect

from appliance.store import tables
from appliance.store.schema import FLOOR, HEAD
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox import tables as mailbox

MIGRATIONS = Path(__file__).with_name("migrations")


class NewerDatabase(RuntimeError):
    """The database was brought to a schema by a newer program in which this one cannot work."""


def complete_metadata() -> MetaData:
    """Return every table of the device's file: the appliance's own and the mailbox's."""
    every = MetaData()
    for metadata in (tables.metadata, mailbox.metadata):
        for table in metadata.sorted_tables:
            table.to_metadata(every)
    return every


def open_database(path: str | Path) -> Database:
    """Return the database in ``path``, created or migrated if it is older than this program.

    One that a newer program brought further stays as it is: after an update that was taken back, both slots use one file. Raises
    ``NewerDatabase`` where that schema is not for programs of this age.
    """
    database = Database(path)
    with database.read() as db:
        lack = unfit(db)
        newer = bool(lack) and (revision(db) or "") > HEAD
    if newer:
        database.close()
        raise NewerDatabase(f"{path}: {lack}; start the newer program, or update this one")
    if lack:
        migrate(database)
    return database


def revision(db: Connection) -> str | None:
    """Return the schema's revision, None in an empty file."""
    if not inspect(db).has_table("alembic_version"):
        return None
    return db.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def unfit(db: Connection) -> str:
    """Return why this program cannot work in the schema as it is, empty if it can."""
    found = revision(db)
    if found is None or found < HEAD:
        return f"at revision {found}, needs {HEAD}"
    if found == HEAD:
        return ""
    floor = db.exec_driver_sql("PRAGMA user_version").scalar() or 0
    return "" if 0 < floor <= int(HEAD) else f"at revision {found}, made by a newer program; this one knows {HEAD}"


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
        if target == "head":
            # In the file's header, part of the transaction; older programs read it.
            db.exec_driver_sql(f"PRAGMA user_version = {int(FLOOR)}")
    if target == "head":
        # Who chooses between slots reads it in the file, not in the log beside it.
        database.checkpoint()
