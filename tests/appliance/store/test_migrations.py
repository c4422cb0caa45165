from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, inspect
from sqlalchemy.exc import OperationalError

from appliance.services.readiness import OK, readiness
from appliance.slots.files import read_floor
from appliance.store.engine import (
    MIGRATIONS,
    NewerDatabase,
    complete_metadata,
    migrate,
    open_database,
    revision,
)
from appliance.store.schema import FLOOR, HEAD
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


def test_a_program_of_the_floor_can_write_into_todays_schema(tmp_path):
    """After an update that was taken back the older slot's program goes on in the newer one's database."""
    older, newer = Database(tmp_path / "older.db"), open_database(tmp_path / "newer.db")
    migrate(older, FLOOR)
    known = MetaData()
    with older.read() as db:
        known.reflect(db)
    with newer.write() as db:
        assert fill(db, "alembic_version", known=known)
    older.close()
    newer.close()


def _brought_further(path, floor: str) -> None:
    """What a newer program leaves behind: a table and a column that nobody here knows."""
    database = open_database(path)
    with database.write() as db:
        db.exec_driver_sql("CREATE TABLE of_tomorrow (id INTEGER PRIMARY KEY)")
        db.exec_driver_sql("ALTER TABLE orders ADD COLUMN of_tomorrow TEXT")
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9998'")
        db.exec_driver_sql(f"PRAGMA user_version = {int(floor)}")
    database.close()


def test_who_reads_the_header_alone_learns_at_once_which_programs_can_work_in_it(tmp_path):
    database = open_database(tmp_path / "a.db")
    assert read_floor(tmp_path / "a.db") == int(FLOOR)
    database.close()


def test_a_schema_that_a_newer_program_left_open_to_older_ones_is_used_as_it_is(tmp_path):
    """An update that adds and was taken back costs nothing: this program reads and writes, and migrates nothing down."""
    _brought_further(tmp_path / "a.db", HEAD)
    database = open_database(tmp_path / "a.db")
    with database.write() as db:
        assert fill(db, "alembic_version", known=complete_metadata())
        assert revision(db) == "9998"
    assert readiness(database)["schema"] == OK
    database.close()


@pytest.mark.parametrize("floor", ["9998", "0000"])
def test_a_schema_that_is_not_for_older_programs_is_refused_and_left_alone(tmp_path, floor):
    """It says which revision it is and what to do; one that says nothing about older programs is not for them."""
    _brought_further(tmp_path / "a.db", floor)
    with pytest.raises(NewerDatabase, match="at revision 9998, made by a newer program; this one knows"):
        open_database(tmp_path / "a.db")
    database = Database(tmp_path / "a.db")
    assert "9998" in readiness(database)["schema"]
    database.close()
