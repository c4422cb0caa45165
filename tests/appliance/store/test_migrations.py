from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.exc import OperationalError

from appliance.store.engine import HEAD, MIGRATIONS, complete_metadata, migrate, open_database, revision
from mqtt_bridge.database import Database
from tests.support.rows import fill


def test_the_migrations_end_where_the_tables_are(tmp_path):
    database = open_database(tmp_path / "a.db")
    with database.read() as db:
        assert compare_metadata(MigrationContext.configure(db), complete_metadata()) == []
        assert revision(db) == HEAD
    database.close()


def test_a_migrated_schema_equals_a_created_one_index_by_index(tmp_path):
    migrated, created = open_database(tmp_path / "a.db"), Database(tmp_path / "b.db")
    created.create(complete_metadata())
    assert _shape(migrated) == _shape(created)
    migrated.close()
    created.close()


def _shape(database: Database) -> dict:
    with database.read() as db:
        look = inspect(db)
        return {
            name: (
                [(each["name"], str(each["type"]), each["nullable"]) for each in look.get_columns(name)],
                look.get_pk_constraint(name)["constrained_columns"],
                sorted(
                    (each["name"], tuple(each["column_names"]), bool(each["unique"])) for each in look.get_indexes(name)
                ),
                sorted(tuple(each["constrained_columns"]) for each in look.get_foreign_keys(name)),
                sorted(tuple(each["column_names"]) for each in look.get_unique_constraints(name)),
            )
            for name in look.get_table_names()
            if name != "alembic_version"
        }


def test_the_constant_names_the_newest_migration():
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == HEAD


def test_a_migration_that_breaks_leaves_the_old_schema_whole(tmp_path):
    database = Database(tmp_path / "a.db")
    created = complete_metadata().tables["outbox"]
    with database.write() as db:
        created.create(db)  # makes the last part of the migration fail
    with pytest.raises(OperationalError, match="outbox"):
        migrate(database)
    with database.read() as db:
        assert inspect(db).get_table_names() == ["outbox"]
    database.close()


def test_many_processes_may_open_a_new_database_at_once(tmp_path):
    found = []

    def work() -> None:
        database = open_database(tmp_path / "a.db")
        with database.read() as db:
            found.append(revision(db))
        database.close()

    # Alembic's own context is one per process, so threads only stand for those that find the work done.
    work()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(30)
    assert found == [HEAD] * 5


def test_processes_that_race_for_the_first_migration_all_find_it_done(tmp_path):
    script = f"from appliance.store.engine import open_database; open_database({str(tmp_path / 'a.db')!r}).close()"
    racing = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [each.wait(60) for each in racing] == [0, 0, 0]


def test_a_database_that_is_up_to_date_opens_without_loading_alembic(tmp_path):
    open_database(tmp_path / "a.db").close()
    script = (
        "import sys; from appliance.store.engine import open_database; "
        f"open_database({str(tmp_path / 'a.db')!r}).close(); print('alembic' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert out.stdout.strip() == "False"


def test_a_database_of_the_first_release_keeps_its_rows(tmp_path):
    """Two rows in every table of the first revision are there afterwards, in tables of this version."""
    database = Database(tmp_path / "a.db")
    migrate(database, "0001")
    with database.write() as db:
        filled = fill(db, "alembic_version")
    database.close()
    opened = open_database(tmp_path / "a.db")
    with opened.read() as db:
        tables = complete_metadata().tables
        assert {len(db.execute(tables[name].select()).all()) for name in filled} == {2}
        assert revision(db) == HEAD
    opened.close()
