"""What this disk can do: durable SQLite commits of one client, one small row each."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.load import Outcome


def durable_commits_per_s(folder: Path, seconds: float) -> float:
    """Return commits/s of one client with WAL and synchronous=FULL: one flush each, nothing else."""
    return durable_commits(folder, seconds).per_s


def durable_commits(folder: Path, seconds: float) -> Outcome:
    """Return how long each commit took, for as many as fit into ``seconds``."""
    outcome = Outcome()
    with closing(_table(folder)) as db:
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            _commit(db, outcome)
        outcome.seconds = time.perf_counter() - began
    return outcome


@contextmanager
def commits_meanwhile(folder: Path, per_s: float) -> Iterator[Outcome]:
    """Commit so often beside whatever is measured in the block: what the disk itself took at that very time."""
    outcome, stop = Outcome(), threading.Event()

    def loop() -> None:
        with closing(_table(folder)) as db:
            while not stop.wait(1 / per_s):
                _commit(db, outcome)

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield outcome
    finally:
        stop.set()
        thread.join(10)


def _commit(db: sqlite3.Connection, outcome: Outcome) -> None:
    start = time.perf_counter()
    db.execute("INSERT INTO row (body) VALUES (?)", (b"x" * 300,))
    outcome.durations.append(time.perf_counter() - start)


def _table(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(folder / "raw.sqlite", isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)")
    return db
