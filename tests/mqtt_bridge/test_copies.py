"""Copies of a database while it is written, and putting them back."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge import copies
from mqtt_bridge.copies import CopyRefused
from mqtt_bridge.database import Database
from tests.support import postgresql


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with one table of two numbers that are always equal."""
    if request.param == "sqlite":
        yield from _filled(Database(tmp_path / "a.db"))
        return
    with postgresql.running() as url:
        yield from _filled(Database(url))


def _filled(database: Database) -> Iterator[Database]:
    with database.write() as db:
        db.exec_driver_sql("CREATE TABLE pair (a INTEGER, b INTEGER)")
        db.exec_driver_sql("INSERT INTO pair VALUES (1, 1)")
    yield database
    database.close()


def write(database: Database, number: int) -> None:
    with database.write() as db:
        db.exec_driver_sql(f"UPDATE pair SET a = {number}")
        db.exec_driver_sql(f"UPDATE pair SET b = {number}")


def read(database: Database) -> tuple[int, int]:
    with database.read() as db:
        row = db.exec_driver_sql("SELECT a, b FROM pair").one()
        return row[0], row[1]


def test_a_copy_made_while_others_write_is_of_one_moment_and_can_be_put_back(
    database: Database, tmp_path: Path
) -> None:
    """Both numbers of a pair come from one commit; later commits are gone after putting it back."""
    stop = threading.Event()

    def work() -> None:
        number = 2
        while not stop.is_set():
            write(database, number)
            number += 1

    writer = threading.Thread(target=work)
    writer.start()
    try:
        size = copies.save(database, tmp_path / "copy")
    finally:
        stop.set()
        writer.join()
    assert size == (tmp_path / "copy").stat().st_size
    assert (tmp_path / "copy").stat().st_mode & 0o077 == 0
    write(database, 10**6)
    copies.put_back(database, tmp_path / "copy")
    a, b = read(database)
    assert a == b < 10**6
    write(database, 7)
    assert read(database) == (7, 7)
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == ["copy"]


def test_a_copy_of_another_kind_or_none_is_refused_and_nothing_changes(database: Database, tmp_path: Path) -> None:
    """Each sentence says what the file is."""
    other = tmp_path / "other"
    other.write_bytes(b"PGDMP..." if database.dialect == "sqlite" else b"SQLite format 3\0")
    with pytest.raises(CopyRefused, match="is a copy of a"):
        copies.put_back(database, other)
    other.write_bytes(b"a letter")
    with pytest.raises(CopyRefused, match="is no backup"):
        copies.put_back(database, other)
    with pytest.raises(CopyRefused, match="cannot be read"):
        copies.put_back(database, tmp_path / "missing")
    assert read(database) == (1, 1)


def test_a_damaged_copy_is_refused(tmp_path: Path) -> None:
    """Half of a page was overwritten."""
    database = Database(tmp_path / "a.db")
    with database.write() as db:
        db.exec_driver_sql("CREATE TABLE t (a TEXT)")
        db.exec_driver_sql("INSERT INTO t VALUES (hex(randomblob(20000)))")
    copies.save(database, tmp_path / "copy")
    raw = bytearray((tmp_path / "copy").read_bytes())
    raw[4096:8192] = b"\xff" * 4096
    (tmp_path / "copy").write_bytes(raw)
    with pytest.raises((CopyRefused, sqlite3.DatabaseError), match="damaged|malformed"):
        copies.put_back(database, tmp_path / "copy")
    database.close()


HOLDING = """
import sys
from mqtt_bridge.database import Database
database = Database(sys.argv[1])
with database.read() as db:
    db.exec_driver_sql("SELECT 1")
print("open", flush=True)
sys.stdin.read()
"""


def test_who_has_a_database_open_is_known_also_while_nothing_is_asked_of_it(tmp_path: Path) -> None:
    """As long as it has connections, and no longer: also where it was killed and its files stayed."""
    path = tmp_path / "a.db"
    assert copies.held_open_by(path) == 0
    words = [sys.executable, "-c", HOLDING, str(path)]
    for killed in (False, True):
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout.readline() == "open\n"
            assert copies.held_open_by(path) == other.pid
            if killed:
                other.kill()
        assert path.with_name("a.db-shm").exists() == killed
        assert copies.held_open_by(path) == 0


def test_a_missing_program_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With the package that has it."""
    monkeypatch.setattr(copies, "PROGRAMS", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CopyRefused, match="pg_dump is not installed: apt-get install postgresql-client"):
        copies.save(Database("postgresql+psycopg://nobody@127.0.0.1:1/none"), tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []
