"""Group commit: shared flushes, separate fates, no answer before COMMIT."""

from __future__ import annotations

import contextvars
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, ForeignKey, Integer, MetaData, Table, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from mqtt_bridge import group
from mqtt_bridge.database import Database
from mqtt_bridge.filelock import FileLock
from tests.mqtt_bridge.peers import until

metadata = MetaData()
fact = Table("fact", metadata, Column("id", Integer, primary_key=True), Column("value", Integer, nullable=False))
child = Table(
    "child", metadata, Column("parent", ForeignKey("fact.id", deferrable=True, initially="DEFERRED"), primary_key=True)
)
who: contextvars.ContextVar[str] = contextvars.ContextVar("who")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "facts.db")
    made.create(metadata)
    yield made
    made.close()


def put(db: Connection, number: int) -> int:
    db.execute(insert(fact).values(id=number, value=0))
    return number


def rows(database: Database) -> set[int]:
    """What an independent connection sees: committed rows only."""
    assert database.path is not None
    other = sqlite3.connect(database.path)
    try:
        return {row[0] for row in other.execute("SELECT id FROM fact")}
    finally:
        other.close()


def all_at_once(database: Database, works: Sequence[Callable[..., object]]) -> list[object]:
    """Run each in a thread that waits for the lock until all do; return results or exceptions in order."""
    assert database.path is not None
    outcomes: list[object] = [None] * len(works)

    def run(at: int) -> None:
        try:
            outcomes[at] = works[at]()
        except Exception as error:  # noqa: BLE001
            outcomes[at] = error

    elsewhere = FileLock(database.path.with_name("facts.db.lock"))
    threads = [threading.Thread(target=run, args=(at,)) for at in range(len(works))]
    with elsewhere():
        for thread in threads:
            thread.start()
        until(lambda: len(database._group._queue) == len(works) - 1)
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    elsewhere.forget()
    return outcomes


def test_threads_that_wait_share_one_commit(database: Database) -> None:
    before = database.commits
    works = [lambda number=number: database.run(lambda db: put(db, number)) for number in range(20)]
    assert all_at_once(database, works) == list(range(20))
    assert rows(database) == set(range(20))
    assert database.commits == before + 1


def test_one_that_raises_takes_only_its_own_rows_along(database: Database) -> None:
    """Wherever it stands in the group, the others' rows are committed and it gets its own exception."""

    def refuse(number: int) -> int:
        def work(db: Connection) -> int:
            put(db, number)
            raise KeyError(number)

        return database.run(work)

    works = [lambda n=n: refuse(n) if n % 3 == 0 else database.run(lambda db: put(db, n)) for n in range(12)]
    for number, outcome in enumerate(all_at_once(database, works)):
        if number % 3 == 0:
            assert isinstance(outcome, KeyError)
            assert outcome.args == (number,)
        else:
            assert outcome == number
    assert rows(database) == {n for n in range(12) if n % 3}


def test_a_failed_commit_fails_everybody_in_it(database: Database) -> None:
    """Nobody of the group is told that it worked; the next group works."""

    def poison(db: Connection) -> None:
        db.execute(insert(child).values(parent=999))

    works: list[Callable[[], object]] = [lambda n=n: database.run(lambda db: put(db, n)) for n in range(5)]  # type: ignore[misc]
    outcomes = all_at_once(database, [*works, lambda: database.run(poison)])
    assert all(isinstance(outcome, IntegrityError) for outcome in outcomes)
    assert rows(database) == set()
    assert database.run(lambda db: put(db, 1)) == 1
    assert rows(database) == {1}


def test_a_lock_that_cannot_be_had_is_told_and_the_next_in_line_tries(database: Database) -> None:
    """LockTimeout reaches its caller, nobody waits for a leader that gave up."""
    assert database.path is not None
    opened = database._open()
    assert isinstance(opened.lock, FileLock)
    opened.lock.patience_s = 0.05
    elsewhere = FileLock(database.path.with_name("facts.db.lock"))
    outcomes: list[object] = []

    def work() -> None:
        with pytest.raises(TimeoutError) as caught:
            database.run(lambda db: put(db, 1))
        outcomes.append(caught.value)

    threads = [threading.Thread(target=work) for _ in range(4)]
    with elsewhere():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    assert len(outcomes) == 4
    elsewhere.forget()
    assert database.run(lambda db: put(db, 1)) == 1


def test_nobody_returns_before_the_commit(database: Database) -> None:
    """Each thread finds its row through another connection the moment it returns."""

    def work(number: int) -> bool:
        database.run(lambda db: put(db, number))
        return number in rows(database)

    assert all(all_at_once(database, [lambda n=n: work(n) for n in range(16)]))


def test_a_function_runs_in_the_context_of_its_caller(database: Database) -> None:
    """Request, language and log fields belong to the caller, whichever thread runs the function."""

    def work(name: str) -> str:
        who.set(name)
        return database.run(lambda _db: who.get())

    names = [f"caller {number}" for number in range(10)]
    assert all_at_once(database, [lambda name=name: work(name) for name in names]) == names


def test_a_second_transaction_inside_the_first_is_a_clear_error(database: Database) -> None:
    with pytest.raises(RuntimeError, match="pass it on"):
        database.run(lambda _db: database.run(lambda db: put(db, 1)))
    assert rows(database) == set()
    assert database.run(lambda db: put(db, 1)) == 1


def test_later_members_see_what_earlier_ones_did(database: Database) -> None:
    """The last ticket is sold once: a group is a sequence, not a set of snapshots."""
    database.run(lambda db: put(db, 0))

    def sell(db: Connection) -> bool:
        sold = db.execute(select(fact.c.value).where(fact.c.id == 0)).scalar_one()
        if sold >= 5:
            raise LookupError
        db.execute(update(fact).where(fact.c.id == 0).values(value=sold + 1))
        return True

    outcomes = all_at_once(database, [lambda: database.run(sell) for _ in range(30)])
    assert outcomes.count(True) == 5
    assert sum(isinstance(outcome, LookupError) for outcome in outcomes) == 25


def test_any_mix_of_success_and_failure_adds_up(database: Database, seed: int) -> None:
    """Sixteen threads, groups and plain writes, some raising: what was reported is what is there."""
    kept: list[int] = []

    def work(thread: int) -> None:
        chance = random.Random(seed + thread)
        for number in range(thread * 1000, thread * 1000 + 30):
            try:
                if chance.random() < 0.2:
                    with database.write() as db:
                        put(db, number)
                else:
                    fails = chance.random() < 0.3
                    database.run(lambda db, n=number, f=fails: put(db, n if not f else 1 // 0))  # type: ignore[misc]
            except ZeroDivisionError:
                continue
            kept.append(number)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert rows(database) == set(kept)
    with database.read() as db:
        assert db.execute(select(func.count()).select_from(fact)).scalar() == len(kept)


def test_a_group_waits_for_those_of_the_last_one_who_come_back(database: Database) -> None:
    """Clients that write again and again share flushes although none waits in the queue when the group opens."""
    before = database.commits

    def client(number: int) -> bool:
        for step in range(10):
            database.run(partial(put, number=100 * number + step))
            time.sleep(0.001)  # what a client does between two writes
        return True

    assert all(all_at_once(database, [lambda n=n: client(n) for n in range(8)]))
    assert database.commits - before <= 40
    assert len(rows(database)) == 80


def test_a_client_alone_never_waits_for_others(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer comes as fast as the disk."""
    waits: list[float] = []
    monkeypatch.setattr(database._group._came, "wait", waits.append)
    for number in range(5):
        database.run(partial(put, number=number))
    assert waits == []


def test_a_group_closes_when_another_process_wants_to_write(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many of ours come, the desk gets its turn: nobody is taken in once others wait and the time is up."""
    monkeypatch.setattr(group, "OPEN_S", 0.0)
    assert database.path is not None
    elsewhere = FileLock(database.path.with_name("facts.db.lock"))
    order: list[str] = []
    opened, waiting = threading.Event(), threading.Event()

    def first(db: Connection) -> None:
        opened.set()
        assert waiting.wait(10)
        put(db, 1)

    def other_process() -> None:
        assert opened.wait(10)
        with elsewhere():
            order.append("desk")

    def second(_db: Connection) -> None:
        order.append("guest")

    threads = [threading.Thread(target=database.run, args=(first,)), threading.Thread(target=other_process)]
    for thread in threads:
        thread.start()
    assert opened.wait(10)
    until(lambda: database._open().lock.contended())
    late = threading.Thread(target=database.run, args=(second,))
    late.start()
    until(lambda: len(database._group._queue) == 1)
    waiting.set()
    for thread in (*threads, late):
        thread.join(10)
    assert order == ["desk", "guest"]
    elsewhere.forget()


@pytest.mark.fault(3)
def test_who_was_answered_survives_a_kill_inside_the_window(tmp_path: Path, seed: int) -> None:
    """A process writes in groups and is killed with -9 at any moment: every number it reported is in the file."""
    chance = random.Random(seed)
    for life in range(6):
        command = [sys.executable, str(Path(__file__).with_name("write_in_groups.py")), str(tmp_path / "facts.db")]
        with subprocess.Popen([*command, str(life)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(chance.uniform(0.02, 0.4))
            process.kill()
            answered = {int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")}
        database = Database(tmp_path / "facts.db")
        assert answered <= rows(database)
        database.close()


def test_an_interrupted_waiter_leaves_no_gap_in_the_line(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a waiting thread: it leaves the queue, or hands the lead on; the others finish."""
    queue = database._group
    release, led = threading.Event(), threading.Event()

    def hold(_db: Connection) -> None:
        led.set()
        assert release.wait(20)

    leader = threading.Thread(target=lambda: database.run(hold))
    leader.start()
    assert led.wait(20)
    real = threading.Event.wait
    interrupted: list[BaseException] = []

    def interrupt(event: threading.Event, timeout: float | None = None) -> bool:
        if threading.current_thread().name == "interrupted":
            raise KeyboardInterrupt
        return real(event, timeout)

    def work() -> None:
        try:
            database.run(lambda db: put(db, 1))
        except KeyboardInterrupt as error:
            interrupted.append(error)

    monkeypatch.setattr(threading.Event, "wait", interrupt)
    thread = threading.Thread(target=work, name="interrupted")
    thread.start()
    thread.join(20)
    monkeypatch.undo()
    assert interrupted
    assert not queue._queue
    release.set()
    leader.join(20)
    assert database.run(lambda db: put(db, 2)) == 2
    assert rows(database) == {2}
