"""How one process holds a database open: connections that read, one that writes, and what becomes of them at a fork.

On SQLite all of it happens under the one lock that ``database`` tells of: the first opening, each write, and each closing.
"""

from __future__ import annotations

import ctypes
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from mqtt_bridge.filelock import FileLock, LockTimeout

READERS = 16
BUSY_TIMEOUT_MS = 10_000
PUT_AWAY_S = 0.5
# So long after its last transaction a server's connection is taken to be alive.
TRUSTED_S = 1.0


class Connections:
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
        """Close the idle connections, as ``let_go``, under the lock."""
        with self.lock():
            self.let_go()

    def before_fork(self) -> None:
        """Keep lock and gate over a fork and leave no idle connection open; without the lock the child will be told so."""
        try:
            self.lock.acquire()
        except LockTimeout:  # the parent forks all the same, only the child goes without
            self._ready_to_fork = False
            return
        self.gate.acquire()
        self.let_go()
        self._ready_to_fork = True

    def after_fork_in_parent(self) -> None:
        """Go on as before the fork."""
        if self._ready_to_fork:
            self.gate.release()
            self.lock.release()

    def after_fork_in_child(self) -> bool:
        """Give up everything inherited; tell whether this process may open the file anew."""
        self.lock.forget()
        # Freeing a connection closes it, and the parent's connections are not ours to close.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self))
        return self._ready_to_fork and self.idle


def put_away(opened: Connections) -> None:
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
