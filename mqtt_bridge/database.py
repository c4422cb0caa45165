"""One database, many processes: consistent reads, exclusive durable writes, on SQLite or PostgreSQL.

SQLite 3.7.0 to 3.51.2 can lose committed rows when checkpoints and writes of several connections overlap (the WAL-reset
bug, fixed in 3.51.3). The mitigation here is one lock of all processes (``<file>.lock``) held from BEGIN IMMEDIATE until
COMMIT returned, which includes the automatic checkpoint, around the first opening, and around closing any connection, because
the last one to close checkpoints too. Readers take no lock and never checkpoint.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, MetaData, make_url
from sqlalchemy.exc import DBAPIError

from mqtt_bridge.connections import Connections, put_away
from mqtt_bridge.group import GroupCommit

T = TypeVar("T")

ATTEMPTS = 6
_BACK_PORTED = (((3, 44, 6), (3, 45, 0)), ((3, 50, 7), (3, 51, 0)))  # from .. below
_SERIALIZATION = {"40001", "40P01"}  # PostgreSQL: serialization_failure, deadlock_detected


class ForkedWhileOpen(RuntimeError):
    """A transaction was open in the parent at fork; SQLite's locks do not survive that, so the child may not use the file."""


class Database:
    """A database by SQLAlchemy URL or SQLite path; opened at first use, closed at exit, safe across threads and fork.

    ``?isolation=serializable`` in the URL of a server is for clusters that offer nothing less; READ COMMITTED is the default.

    ``commits`` counts transactions of this object that were committed with at least one changed row: on SQLite each is one
    flush to the disk (a transaction that changed nothing flushes nothing).
    """

    def __init__(self, where: str | Path) -> None:
        text = str(where)
        url = make_url(text if "://" in text else f"sqlite:///{Path(text).absolute()}")
        self.isolation = str(url.query.get("isolation", "READ COMMITTED")).upper().replace("_", " ")
        self.url = url.difference_update_query(["isolation"])
        self.dialect = self.url.get_backend_name()
        self.commits = 0
        self._opening = threading.Lock()
        self._opened: Connections | None = None
        self._forked_open = False
        self._group = GroupCommit(self.write, self._wanted_elsewhere)
        if self.dialect == "sqlite":
            if not self.url.database or self.url.database == ":memory:":
                msg = "a database in memory cannot be shared between processes; name a file"
                raise ValueError(msg)
            _databases.add(self)
        self._finalizer: weakref.finalize[..., Database] | None = None

    @property
    def path(self) -> Path | None:
        """The SQLite file, None on a server."""
        return Path(self.url.database or "") if self.dialect == "sqlite" else None

    def footprint(self) -> tuple[int, ...] | None:
        """A value that nearly always differs once anybody committed since; None on a server, where only a query can tell.

        It costs two looks at the files, so that whoever waits for news can ask many times a second. Two commits within one tick
        of the file system's clock may look alike: ask the rows themselves from time to time.
        """
        if self.path is None:
            return None
        found: list[int] = []
        for file in (self.path.with_name(f"{self.path.name}-wal"), self.path):
            try:
                seen = file.stat()
            except OSError:
                continue
            found += (seen.st_mtime_ns, seen.st_size)
        return tuple(found)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give one consistent snapshot; writing through it raises."""
        with self._open().reader.connect() as db, db.begin():
            yield db

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the one write transaction: commits on leaving, rolls back on an exception; a failed COMMIT raises.

        Raises ``LockTimeout`` if other writers keep the file for longer than the lock's patience.
        """
        opened = self._open()
        with opened.lock(), opened.writer.connect() as db:
            before = _changes(db)
            with db.begin():
                yield db
            if before is None or _changes(db) != before:
                self.commits += 1

    def run(self, fn: Callable[[Connection], T]) -> T:
        """Return ``fn`` of a write transaction, after COMMIT.

        On SQLite threads that wait at the same time share one COMMIT (``GroupCommit``); ``fn`` may run in another thread, in the
        context of this one. On PostgreSQL ``fn`` is repeated when the server asks for it.
        """
        if self.dialect == "sqlite":
            return self._group.run(fn)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with self.write() as db:
                    return fn(db)
            except DBAPIError as error:
                if attempt == ATTEMPTS or getattr(error.orig, "sqlstate", None) not in _SERIALIZATION:
                    raise
                time.sleep(0.01 * 2**attempt)
        raise AssertionError

    def create(self, *tables: MetaData) -> None:
        """Create the tables that are missing, in one transaction."""
        with self.write() as db:
            for metadata in tables:
                metadata.create_all(db)

    def checkpoint(self) -> None:
        """Move the write-ahead log into the file and empty it, under the lock; does nothing on PostgreSQL.

        No program of ours does; tests need whole files.
        """
        opened = self._open()
        if self.dialect == "sqlite":
            with opened.lock(), closing(opened.writer.raw_connection()) as raw:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def replace_by(self, source: sqlite3.Connection) -> None:
        """Make this SQLite file hold what ``source`` holds, in one transaction; others find it at their next one."""
        opened = self._open()
        with opened.lock(), closing(opened.writer.raw_connection()) as raw:
            source.backup(cast(sqlite3.Connection, raw.driver_connection))

    def engine_info(self) -> dict[str, Any]:
        """Facts for ``marquee doctor``: engine, version and, on SQLite, how the WAL-reset bug is kept out."""
        if self.dialect != "sqlite":
            with self.read() as db:
                return {"engine": self.dialect, "version": db.exec_driver_sql("SHOW server_version").scalar_one()}
        affected = affected_by_wal_reset(sqlite3.sqlite_version_info)
        with self.read() as db:
            pragma = {
                name: db.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")
            }
        return {
            "engine": "sqlite",
            "version": sqlite3.sqlite_version,
            "affected_by_wal_reset": affected,
            "mitigation": f"one lock over writes, checkpoints and closing: {self.path}.lock"
            if affected
            else "not needed",
            "journal_mode": pragma["journal_mode"],
            "synchronous": {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}[int(pragma["synchronous"])],
        }

    def close(self) -> None:
        """Close every idle connection; the next use opens again."""
        with self._opening:
            opened, self._opened = self._opened, None
            if self._finalizer is not None:
                self._finalizer.detach()
        if opened is not None:
            opened.close()

    def _wanted_elsewhere(self) -> bool:
        return self._open().lock.contended()

    def _open(self) -> Connections:
        opened = self._opened
        if opened is not None:
            return opened
        with self._opening:
            if self._forked_open:
                msg = "this process was forked while a transaction was open; fork first, then use the database"
                raise ForkedWhileOpen(msg)
            if self._opened is None:
                self._opened = Connections(self.url, self.isolation)
                self._finalizer = weakref.finalize(self, put_away, self._opened)
            return self._opened

    def _before_fork(self) -> None:
        """Leave no connection open over a fork, and let none be opened until it happened."""
        self._opening.acquire()
        if self._opened is not None:
            self._opened.before_fork()

    def _after_fork_in_parent(self) -> None:
        if self._opened is not None:
            self._opened.after_fork_in_parent()
        self._opening.release()

    def _after_fork_in_child(self) -> None:
        self._opening = threading.Lock()
        self._group = GroupCommit(self.write, self._wanted_elsewhere)
        opened, self._opened = self._opened, None
        if self._finalizer is not None:
            self._finalizer.detach()
        if opened is not None:
            self._forked_open = not opened.after_fork_in_child()


def affected_by_wal_reset(version: tuple[int, ...]) -> bool:
    """Tell whether a SQLite version has the WAL-reset bug: 3.7.0 to 3.51.2 without the fixes 3.44.6 and 3.50.7."""
    back_ported = any(first <= version < below for first, below in _BACK_PORTED)
    return (3, 7, 0) <= version < (3, 51, 3) and not back_ported


def _changes(db: Connection) -> int | None:
    raw = db.connection.driver_connection
    return raw.total_changes if isinstance(raw, sqlite3.Connection) else None


_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_forking: list[Database] = []


def _before_fork() -> None:
    _forking[:] = list(_databases)
    for each in _forking:
        each._before_fork()  # noqa: SLF001


def _after_fork_in_parent() -> None:
    for each in _forking:
        each._after_fork_in_parent()  # noqa: SLF001
    _forking.clear()


def _after_fork_in_child() -> None:
    for each in _forking:
        each._after_fork_in_child()  # noqa: SLF001
    _forking.clear()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
