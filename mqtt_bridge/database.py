"""One database, many processes: consistent reads, exclusive durable writes, on SQLite or PostgreSQL.

SQLite 3.7.0 to 3.51.2 can lose committed rows when checkpoints and writes of several connections overlap (the WAL-reset
bug, fixed in 3.51.3). The mitigation here is one lock of all processes (``<file>.lock``) held from BEGIN IMMEDIATE until
COMMIT returned, which includes the automatic checkpoint, around explicit checkpoints, around the first opening, and around
closing any connection, because the last one to close checkpoints too. Readers take no lock and never checkpoint.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from mqtt_bridge.filelock import FileLock, LockTimeout
from mqtt_bridge.group import GroupCommit

T = TypeVar("T")

READERS = 16
BUSY_TIMEOUT_MS = 10_000
ATTEMPTS = 6
PUT_AWAY_S = 0.5
# So long after its last transaction a server's connection is taken to be alive.
TRUSTED_S = 1.0
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
        self._opened: _Opened | None = None
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
        """Move the write-ahead log into the file and empty it, under the lock; does nothing on PostgreSQL."""
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

    def _open(self) -> _Opened:
        opened = self._opened
        if opened is not None:
            return opened
        with self._opening:
            if self._forked_open:
                msg = "this process was forked while a transaction was open; fork first, then use the database"
                raise ForkedWhileOpen(msg)
            if self._opened is None:
                self._opened = _Opened(self.url, self.isolation)
                self._finalizer = weakref.finalize(self, _put_away, self._opened)
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


class _Opened:
    """The connections of one process: up to ``READERS`` that read, one that writes."""

    def __init__(self, url: URL, isolation: str) -> None:
        self._ready_to_fork = False
        self.gate = threading.Lock()  # passed by each new connection; closed during a fork
        if url.get_backend_name() == "sqlite":
            path = Path(url.database or "")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self.lock: FileLock | _NoLock = FileLock(path.with_name(path.name + ".lock"))
            self.writer = _sqlite_engine(url, _Connector(path, self.lock, self.gate, writes=True))
            self.reader = _sqlite_engine(url, _Connector(path, self.lock, self.gate, writes=False))
            with self.lock(), self.writer.connect():
                pass  # makes the file a write-ahead-logged one before anybody reads
        else:
            self.lock = _NoLock()
            self.writer = create_engine(url, isolation_level=isolation, hide_parameters=True)
            _ask_after_a_pause(self.writer)
            self.reader = self.writer.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @property
    def idle(self) -> bool:
        """Whether nobody is inside a transaction."""
        return all(
            engine.pool.checkedout() == 0 for engine in (self.reader, self.writer) if isinstance(engine.pool, QueuePool)
        )

    def let_go(self) -> None:
        """Close the idle connections, unless one is in use: then all stay, so that none is freed without the lock."""
        if self.idle:
            self.reader.dispose()
            self.writer.dispose()

    def close(self) -> None:
        with self.lock():
            self.let_go()

    def before_fork(self) -> None:
        try:
            self.lock.acquire()
        except LockTimeout:  # the parent forks all the same, only the child goes without
            self._ready_to_fork = False
            return
        self.gate.acquire()
        self.let_go()
        self._ready_to_fork = True

    def after_fork_in_parent(self) -> None:
        if self._ready_to_fork:
            self.gate.release()
            self.lock.release()

    def after_fork_in_child(self) -> bool:
        """Give up everything inherited; tell whether this process may open the file anew."""
        self.lock.forget()
        # Freeing a connection closes it, and the parent's connections are not ours to close.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        return self._ready_to_fork and self.idle


def _put_away(opened: _Opened) -> None:
    """Close what nobody closed. Garbage is collected anywhere, also where this very thread holds the lock that closing needs."""
    closing_thread = threading.Thread(target=opened.close, name="put away a database", daemon=True)
    closing_thread.start()
    closing_thread.join(PUT_AWAY_S)


class _NoLock:
    """PostgreSQL orders its own writers."""

    @contextmanager
    def __call__(self) -> Iterator[None]:
        yield

    def acquire(self) -> None: ...

    def release(self) -> None: ...

    def contended(self) -> bool:
        return False

    def forget(self) -> None: ...


def _ask_after_a_pause(engine: Engine) -> None:
    """Ask a pooled connection of a server whether it still lives before it is used, unless it did so a moment ago.

    SQLAlchemy's own ``pool_pre_ping`` asks before every transaction, and a reconciler has hundreds of short ones a second.
    """

    def used(_raw: object, record: ConnectionPoolEntry) -> None:
        record.info["used_s"] = time.monotonic()

    def ask(raw: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        used_s = record.info.get("used_s")
        if used_s is None or time.monotonic() - used_s < TRUSTED_S:
            return
        try:
            engine.dialect.do_ping(raw)
        except Exception as error:
            raise DisconnectionError from error  # the pool opens another

    event.listen(engine, "checkin", used)
    event.listen(engine, "checkout", ask)


class _Connector:
    """Opens the connections of one pool."""

    def __init__(self, path: Path, lock: FileLock, gate: threading.Lock, *, writes: bool) -> None:
        self._path, self._lock, self._gate, self.writes = path, lock, gate, writes

    def __call__(self) -> sqlite3.Connection:
        with self._gate:
            return self._connect()

    def _connect(self) -> sqlite3.Connection:
        lock = self._lock

        class Locked(sqlite3.Connection):
            """Closes under the lock: the last connection to close writes a checkpoint."""

            def close(self) -> None:
                with lock():
                    super().close()

        db = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False, factory=Locked
        )
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        if self.writes:
            db.execute("PRAGMA journal_mode = WAL")
        else:
            db.execute("PRAGMA wal_autocheckpoint = 0")
            db.execute("PRAGMA query_only = ON")
        return db


def _sqlite_engine(url: URL, connector: _Connector) -> Engine:
    size, begin = (1, "BEGIN IMMEDIATE") if connector.writes else (READERS, "BEGIN")
    # An error's text ends up in logs, and its parameters may be names, contacts or tokens.
    pool = {"poolclass": QueuePool, "pool_size": size, "max_overflow": 0}
    engine = create_engine(url, creator=connector, hide_parameters=True, **pool)
    event.listen(engine, "begin", lambda db: db.exec_driver_sql(begin))
    return engine


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
