"""The one lock, consistent reads, crashes and forks, on real files with real processes."""

from __future__ import annotations

import functools
import gc
import multiprocessing
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, func, insert, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from mqtt_bridge.database import Database, ForkedWhileOpen, affected_by_wal_reset
from mqtt_bridge.filelock import FileLock, LockTimeout

metadata = MetaData()
fact = Table("fact", metadata, Column("writer", Integer, primary_key=True), Column("number", Integer, primary_key=True))
spawn = multiprocessing.get_context("spawn")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "data" / "facts.db")
    made.create(metadata)
    yield made
    made.close()


def put(db: Connection, writer: int, number: int) -> None:
    db.execute(insert(fact).values(writer=writer, number=number))


def count(database: Database) -> int:
    with database.read() as db:
        return db.execute(select(func.count()).select_from(fact)).scalar() or 0


def intact(path: Path) -> bool:
    db = sqlite3.connect(path)
    try:
        return bool(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    finally:
        db.close()


# Processes


def write_many(path: str, writer: int, rounds: int) -> None:
    """Write, checkpoint often, and open and close again and again, as processes that restart do."""
    database = Database(path)
    for number in range(rounds):
        with database.write() as db:
            if number == 0:
                db.exec_driver_sql("PRAGMA wal_autocheckpoint = 5")
            put(db, writer, number)
        if number % 50 == 49:
            database.checkpoint()
            database.close()
    database.close()


def test_the_footprint_of_a_database_changes_with_every_commit_and_with_no_read(database: Database) -> None:
    """Also with commits of another object on the same file, as of another process."""
    other = Database(str(database.path))
    seen = [database.footprint()]
    for number, writer in enumerate((database, other, database)):
        # Two commits within one tick of the file system's clock may look alike.
        time.sleep(0.02)
        writer.run(functools.partial(put, writer=1, number=number))
        seen.append(database.footprint())
    assert len(set(seen)) == len(seen)
    count(database)
    assert database.footprint() == seen[-1]
    other.close()


def test_two_processes_that_write_and_checkpoint_lose_nothing(database: Database) -> None:
    """The WAL-reset bug needs a checkpoint beside another writer; here none can be, so every row is there."""
    rounds = 400
    processes = [spawn.Process(target=write_many, args=(str(database.path), writer, rounds)) for writer in (1, 2)]
    for process in processes:
        process.start()
    while any(process.is_alive() for process in processes):
        seen = count(database)
        time.sleep(0.01)
        assert seen <= count(database)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    assert count(database) == 2 * rounds
    database.close()
    assert database.path is not None
    assert intact(database.path)


ENDLESS_WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.mqtt_bridge.test_database import Database, put
database = Database(Path(sys.argv[1]))
number = int(sys.argv[3])
while True:
    with database.write() as db:
        put(db, 1, number)
    print(number, flush=True)
    number += 1
"""


@pytest.mark.fault(3)
def test_kill_in_the_middle_keeps_every_committed_row(database: Database) -> None:
    """kill -9 at any moment: what was reported committed is there, the file is intact, and writing goes on at once."""
    root = Path(__file__).resolve().parents[2]
    following = 0
    for delay_s in (0.0, 0.03, 0.1):
        command = [sys.executable, "-c", ENDLESS_WRITER, str(database.path), str(root), str(following)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(delay_s)  # the moment of the kill, not a wait for something
            process.send_signal(signal.SIGKILL)
            reported = process.stdout.read().split()
        assert process.returncode == -signal.SIGKILL
        committed = count(database)
        assert committed >= (int(reported[-1]) + 1 if reported else following + 1)
        with database.write() as db:
            put(db, 2, committed)
        following = committed + 1
    database.close()
    assert database.path is not None
    assert intact(database.path)


# The lock


def test_a_write_waits_for_the_lock_of_another_process(database: Database) -> None:
    """Whoever holds the lock file, for instance over a checkpoint, keeps writers out and readers in."""
    assert database.path is not None
    elsewhere = FileLock(database.path.with_name("facts.db.lock"))
    done = threading.Event()

    def write() -> None:
        with database.write() as db:
            put(db, 1, 1)
        done.set()

    elsewhere.acquire()
    writer = threading.Thread(target=write)
    writer.start()
    assert not done.wait(0.3)
    assert count(database) == 0
    elsewhere.release()
    assert done.wait(10)
    writer.join(10)
    assert count(database) == 1
    elsewhere.forget()


@pytest.mark.parametrize("action", ["checkpoint", "close"])
def test_checkpoint_and_close_hold_the_lock(database: Database, action: str) -> None:
    """They wait for a writer elsewhere, because both may reset the log."""
    assert database.path is not None
    elsewhere = FileLock(database.path.with_name("facts.db.lock"))
    elsewhere.acquire()
    thread = threading.Thread(target=getattr(database, action))
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    elsewhere.release()
    thread.join(10)
    assert not thread.is_alive()
    elsewhere.forget()


def test_the_lock_is_held_from_begin_until_the_automatic_checkpoint_is_over(database: Database) -> None:
    """Seen from outside: while a transaction is open, and until COMMIT returned, nobody else gets the lock."""
    assert database.path is not None
    elsewhere = FileLock(database.path.with_name("facts.db.lock"), patience_s=0.05)
    with database.write() as db:
        with pytest.raises(LockTimeout, match="look for a process"):
            elsewhere.acquire()
        put(db, 1, 1)
    elsewhere.acquire()
    elsewhere.release()
    elsewhere.forget()


def test_a_lock_that_times_out_leaves_nothing_held(tmp_path: Path) -> None:
    one, two = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock", patience_s=0.02)
    with one():
        with pytest.raises(LockTimeout):
            two.acquire()
        with one():
            pass
    with two(), two():
        pass
    with one():
        pass
    one.forget()
    two.forget()


def take_turns(path: str, until: float) -> None:
    lock = FileLock(Path(path))
    while time.monotonic() < until:
        with lock():
            pass


def test_a_busy_process_does_not_starve_a_waiting_one(tmp_path: Path) -> None:
    """Another process that takes the lock in a tight loop lets us in again and again."""
    lock = FileLock(tmp_path / "lock", patience_s=5)
    other = spawn.Process(target=take_turns, args=(str(tmp_path / "lock"), time.monotonic() + 4))
    other.start()
    turns = 0
    while other.is_alive():
        with lock():
            turns += 1
        time.sleep(0.001)
    other.join(10)
    assert turns > 100
    lock.forget()


# Transactions


def test_a_read_is_one_snapshot(database: Database) -> None:
    """A reader sees the same rows until it ends, whatever is committed meanwhile, and does not hold writers up."""
    query = select(func.count()).select_from(fact)
    with database.read() as db:
        assert db.execute(query).scalar() == 0
        with database.write() as other:
            put(other, 1, 1)
        assert db.execute(query).scalar() == 0
    assert count(database) == 1


def test_a_read_cannot_write(database: Database) -> None:
    with pytest.raises(OperationalError, match="readonly"), database.read() as db:
        put(db, 1, 1)
    assert count(database) == 0


def test_an_error_does_not_repeat_the_values_it_was_about(database: Database) -> None:
    with pytest.raises(IntegrityError) as caught, database.write() as db:
        put(db, 7654321, 1)
        put(db, 7654321, 1)
    assert "7654321" not in str(caught.value)


def test_raising_rolls_back_and_the_next_write_works(database: Database) -> None:
    with pytest.raises(InterruptedError), database.write() as db:
        put(db, 1, 1)
        raise InterruptedError
    with pytest.raises(IntegrityError), database.write() as db:
        put(db, 1, 1)
        put(db, 1, 1)
    with database.write() as db:
        put(db, 1, 1)
    assert count(database) == 1


def test_a_failed_commit_raises_and_keeps_nothing(database: Database) -> None:
    """Here a deferred foreign key; a full disk takes the same path."""
    with database.write() as db:
        db.exec_driver_sql("CREATE TABLE child (parent INTEGER REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)")
        db.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
    with pytest.raises(IntegrityError), database.write() as db:
        put(db, 1, 1)
        db.exec_driver_sql("INSERT INTO child VALUES (1)")
    assert count(database) == 0
    with database.write() as db:
        put(db, 1, 1)
    assert count(database) == 1


def test_threads_take_turns(database: Database) -> None:
    """Read, compute, write in one transaction from eight threads: no update is lost."""
    with database.write() as db:
        put(db, 0, 0)

    def increment() -> None:
        for _ in range(25):
            database.run(lambda db: db.execute(text("UPDATE fact SET number = number + 1 WHERE writer = 0")))

    threads = [threading.Thread(target=increment) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with database.read() as db:
        assert db.execute(select(fact.c.number)).scalar() == 200


def test_commits_are_counted_when_they_wrote(database: Database) -> None:
    before = database.commits
    with database.write():
        pass
    with database.write() as db:
        put(db, 1, 1)
        put(db, 1, 2)
    with pytest.raises(InterruptedError), database.write() as db:
        put(db, 1, 3)
        raise InterruptedError
    assert database.commits == before + 1


# Forks


def in_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked child and return its exit status."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except ForkedWhileOpen:
            os._exit(7)
        except BaseException:  # noqa: BLE001  a child of a test must never return into pytest
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_child_may_use_what_the_parent_opened_before_the_fork(database: Database) -> None:
    """No connection survives the fork, so both write on, and closing in the child does not harm the parent."""

    def work() -> None:
        for number in range(20):
            database.run(lambda db, number=number: put(db, 2, number))  # type: ignore[misc]
        database.close()

    database.run(lambda db: put(db, 1, 0))
    assert in_child(work) == 0
    database.run(lambda db: put(db, 1, 1))
    assert count(database) == 22


def test_a_child_of_an_open_transaction_is_refused(database: Database) -> None:
    """Its copy of SQLite believes in locks that only the parent has; an error is better than a lost row."""
    with database.write() as db:
        put(db, 1, 0)
        assert in_child(lambda: database.run(lambda other: put(other, 2, 0))) == 7
    assert count(database) == 1


def test_a_child_that_dies_does_not_keep_the_lock(database: Database) -> None:
    """The lock file of the parent is closed in the child, so a child that lives on holds nothing."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    os.close(reading)
    try:
        database.run(lambda db: put(db, 1, 1))
        assert database.path is not None
        other = FileLock(database.path.with_name("facts.db.lock"), patience_s=1)
        with other():
            pass
        other.forget()
    finally:
        os.close(writing)
        os.waitpid(pid, 0)


# Facts


def test_files_are_private(database: Database) -> None:
    assert database.path is not None
    folder = database.path.parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    database.run(lambda db: put(db, 1, 1))
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
    assert set(modes) >= {"facts.db", "facts.db-wal", "facts.db.lock"}
    assert set(modes.values()) == {0o600}


def test_every_connection_is_durable_and_checks_references(database: Database) -> None:
    for open_ in (database.read, database.write):
        with open_() as db:
            settings = [
                db.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys")
            ]
        assert settings == ["wal", 2, 1]


def test_doctor_learns_engine_and_mitigation(database: Database) -> None:
    info = database.engine_info()
    assert info["engine"] == "sqlite"
    assert info["version"] == sqlite3.sqlite_version
    assert (info["journal_mode"], info["synchronous"]) == ("wal", "FULL")
    assert info["affected_by_wal_reset"] is affected_by_wal_reset(sqlite3.sqlite_version_info)
    assert ("lock" in info["mitigation"]) is info["affected_by_wal_reset"]


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
    ],
)
def test_versions_with_the_wal_reset_bug(version: tuple[int, ...], affected: bool) -> None:
    assert affected_by_wal_reset(version) is affected


def test_a_database_in_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="name a file"):
        Database("sqlite://")


def test_a_closed_database_leaves_no_file_open(tmp_path: Path) -> None:
    """A process that opens and closes many would run out of descriptors."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(10):
        database = Database(tmp_path / f"{number}.db")
        with database.write() as db:
            db.exec_driver_sql("CREATE TABLE t (x)")
        database.close()
        del database, db
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
