"""Whole copies of a database, made and put back while it is in use: SQLite by its online backup, PostgreSQL by pg_dump.

A copy is complete or not there: it is written beside its name, flushed, then renamed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import struct
import subprocess
from contextlib import closing
from pathlib import Path
from typing import cast

from sqlalchemy import URL

from mqtt_bridge.database import Database

SQLITE, POSTGRESQL = b"SQLite format 3\0", b"PGDMP"
PROGRAMS = Path("/usr/lib/postgresql")
# SQLite keeps this byte of the file beside a write-ahead log locked, shared, for as long as it has the database open (UNIX_SHM_DMS).
_OPEN_BYTE = 128
_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, process
_EMPTY = "DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"


class CopyRefused(Exception):
    """A copy that cannot be made or put back; the sentence says what to do."""


def save(database: Database, path: Path) -> int:
    """Write a consistent copy of ``database`` to ``path`` (mode 0600) and return its size in bytes."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        if database.dialect == "sqlite":
            _save_sqlite(database, unfinished)
        else:
            _run("pg_dump", "--format=custom", f"--file={unfinished}", url=database.url)
        _flush(unfinished)
        unfinished.replace(path)
        _flush(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)
    return path.stat().st_size


def put_back(database: Database, path: Path) -> None:
    """Replace all that is in ``database`` by a copy that ``save`` made of one of its kind; all of it or nothing."""
    kind = kind_of(path)
    if kind != database.dialect:
        msg = (
            f"{path} is a copy of a {kind} database, and this is {database.dialect}; name the right one in the settings"
        )
        raise CopyRefused(msg)
    if kind == "sqlite":
        with closing(sqlite3.connect(f"file:{path.absolute()}?mode=ro&immutable=1", uri=True)) as source:
            _check(source, path)
            database.replace_by(source)
        return
    script = path.with_name(f"{path.name}.{os.getpid()}.sql")
    os.close(os.open(script, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        _run("pg_restore", "--no-owner", f"--file={script}", str(path))
        whole = ("--single-transaction", "--set=ON_ERROR_STOP=1", "--quiet", "--no-psqlrc", "--output=/dev/null")
        database.close()
        _run("psql", *whole, f"--command={_EMPTY}", f"--file={script}", url=database.url)
    finally:
        script.unlink()


def held_open_by(path: Path) -> int:
    """Return the number of a process that has this SQLite file open, 0 if none has.

    To be asked by one that has not opened it yet: closing the file of the locks would free its own.
    """
    try:
        file = os.open(path.with_name(f"{path.name}-shm"), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _OPEN_BYTE, 1, 0)
        kind, _whence, _start, _length, process = struct.unpack(_FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    finally:
        os.close(file)
    return 0 if kind == fcntl.F_UNLCK else int(process)


def kind_of(path: Path) -> str:
    """Return ``sqlite`` or ``postgresql``; raises ``CopyRefused`` for a file that is neither, or cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise CopyRefused(f"{path} cannot be read: {error.strerror}") from error
    if start.startswith(SQLITE):
        return "sqlite"
    if start.startswith(POSTGRESQL):
        return "postgresql"
    raise CopyRefused(f"{path} is no backup that `marquee backup` made")


def _save_sqlite(database: Database, path: Path) -> None:
    # From inside a snapshot: no writer waits, and nothing that commits meanwhile is half in the copy.
    with database.read() as db, closing(sqlite3.connect(path)) as target:
        cast(sqlite3.Connection, db.connection.driver_connection).backup(target)
        target.execute("PRAGMA journal_mode = DELETE")


def _check(source: sqlite3.Connection, path: Path) -> None:
    try:
        (answer,) = source.execute("PRAGMA quick_check").fetchone()
    except sqlite3.DatabaseError as error:
        answer = str(error)
    if answer != "ok":
        raise CopyRefused(f"{path} is damaged: {answer}")


def _run(program: str, *arguments: str, url: URL | None = None) -> None:
    environment = dict(os.environ)
    where: list[str] = []
    if url is not None:
        # Not as an argument: everybody on the machine can read those.
        environment |= {"PGPASSWORD": url.password} if url.password else {}
        plain = url.set(drivername="postgresql", password=None)
        where = [f"--dbname={plain.render_as_string(hide_password=False)}"]
    done = subprocess.run(
        [_program(program), *where, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CopyRefused(f"{program} failed: {done.stderr.strip()[-500:]}")


def _program(name: str) -> str:
    """Find a PostgreSQL program, the newest one Debian installed before any in the path: it reads all older servers."""
    installed = sorted(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    found = str(installed[-1]) if installed else shutil.which(name)
    if found is None:
        raise CopyRefused(f"{name} is not installed: apt-get install postgresql-client")
    return found


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
