"""Opening, upgrading and registering."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from mqtt_bridge.cloud import migrations, tables
from mqtt_bridge.cloud.records import KINDS
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.store import (
    DirectoryRefused,
    create_operator_token,
    is_operator,
    open_cloud,
    register_device,
    revoke_operator_tokens,
)
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox import tables as mailbox
from tests.mqtt_bridge.cloud.world import World
from tests.support.rows import fill


def test_the_migrations_lead_to_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    database = Database(tmp_path / "cloud.db")
    migrations.upgrade(database)
    merged = MetaData()
    for table in (*tables.metadata.tables.values(), *mailbox.metadata.tables.values()):
        table.to_metadata(merged)
    with database.read() as db:
        options = {"version_table": "cloud_version"}
        context = MigrationContext.configure(db, opts=options)
        assert compare_metadata(context, merged) == []
        assert migrations.version(db) == migrations.HEAD
    database.close()


def test_a_database_of_the_first_release_keeps_its_rows(tmp_path: Path) -> None:
    """Two rows in every table of the first revision; afterwards they are there and read as records of this version."""
    database = Database(tmp_path / "cloud.db")
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with database.write() as db:
        config.attributes["connection"] = db
        command.upgrade(config, "0001")
    with database.write() as db:
        filled = fill(db, "cloud_version")
    migrations.upgrade(database)
    with database.read() as db:
        rows = SqlRows(db)
        kept = {kind.TABLE: len(rows.all(kind)) for kind in KINDS}
        counted = {name: db.exec_driver_sql(f'SELECT count(*) FROM "{name}"').scalar_one() for name in filled}
    assert set(counted.values()) == {2}
    assert {name for name, number in kept.items() if number} == set(filled) & set(kept)
    database.close()


def test_opening_again_keeps_the_clouds_name_and_writes_nothing(tmp_path: Path) -> None:
    first = open_cloud(tmp_path / "cloud.db")
    with first.read() as db:
        name = db.exec_driver_sql("SELECT inc FROM cloud").scalar_one()
    first.close()
    second = open_cloud(tmp_path / "cloud.db")
    with second.read() as db:
        assert db.exec_driver_sql("SELECT inc FROM cloud").scalar_one() == name
    assert second.commits == 0
    second.close()


def test_registering_twice_changes_nothing_and_moving_is_refused(world: World) -> None:
    assert register_device(world.database, "hall-1", "hall", 1)
    assert not register_device(world.database, "hall-1", "hall", 2)
    with pytest.raises(DirectoryRefused, match="belongs to venue 'hall'"):
        register_device(world.database, "hall-1", "yard", 3)


def test_the_first_device_of_a_venue_is_its_door(world: World) -> None:
    for name in ("hall-b", "hall-a"):
        register_device(world.database, name, "hall", 1)
    assert world.rows("SELECT name FROM device WHERE door") == [("hall-b",)]


@pytest.mark.parametrize("name", ["cloud", "Hall", "a/b", "+", "", "x" * 64])
def test_a_name_that_cannot_be_a_topic_is_refused(world: World, name: str) -> None:
    with pytest.raises(DirectoryRefused):
        register_device(world.database, name, "hall", 1)


def test_only_the_hash_of_an_operator_token_is_kept(world: World) -> None:
    create_operator_token(world.database, "secret-token", 1)
    create_operator_token(world.database, "secret-token", 2)
    with world.database.read() as db:
        assert is_operator(db, "secret-token")
        assert not is_operator(db, "secret-tokem")
    assert world.scalar("SELECT count(*) FROM operator_token WHERE sha256 LIKE '%secret%'") == 0


def test_a_revoked_operator_token_opens_nothing_and_a_new_one_does(world: World) -> None:
    create_operator_token(world.database, "of yesterday", 1)
    revoke_operator_tokens(world.database, 2)
    create_operator_token(world.database, "of today", 3)
    with world.database.read() as db:
        assert (is_operator(db, "of yesterday"), is_operator(db, "of today")) == (False, True)
