"""What this disk can do: durable SQLite commits per second, one small row each."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path


def durable_commits_per_s(folder: Path, seconds: float) -> float:
    """Return commits/s of one client with WAL and synchronous=FULL: one flush each, nothing else."""
    with closing(sqlite3.connect(folder / "raw.sqlite", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, body BLOB)")
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < seconds:
            db.execute("INSERT INTO row (body) VALUES (?)", (b"x" * 300,))
            done += 1
        return done / (time.perf_counter() - began)
