"""What this disk can do: durable SQLite commits per second, one small row each."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from bench.load import Outcome


def durable_commits_per_s(folder: Path, seconds: float) -> float:
    """Return commits/s of one client with WAL and synchronous=FULL: one flush each, nothing else."""
    return durable_commits(folder, seconds).per_s


def durable_commits(folder: Path, seconds: float) -> Outcome:
    """Return how long each commit took, for as many as fit into ``seconds``."""
    outcome = Outcome()
    with closing(sqlite3.connect(folder / "raw.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)")
        began = start = time.perf_counter()
        while start - began < seconds:
            db.execute("INSERT INTO row (body) VALUES (?)", (b"x" * 300,))
            ended = time.perf_counter()
            outcome.durations.append(ended - start)
            start = ended
        outcome.seconds = start - began
    return outcome
