"""A PostgreSQL server of our own, on a socket in a temporary folder, for tests that need a real one."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.database import Database

START_S = 30


def _programs() -> Path:
    """The folder of the newest installed server; skips the test, saying what to install, where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if not found:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


def _as_nobody() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []


class Server:
    """A server in a temporary folder; ``stop`` and ``start`` as often as you like. Nothing is synced: speed, not safety."""

    def __init__(self) -> None:
        self._programs = _programs()
        self.folder = Path(tempfile.mkdtemp(prefix="marquee-pg-"))
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
        self.url = f"postgresql+psycopg://marquee@/postgres?host={self.folder}"
        make = [*_as_nobody(), str(self._programs / "initdb"), "-D", str(self.folder / "data")]
        make += ["-U", "marquee", "-A", "trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Listen on a socket in the folder."""
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "shared_buffers": "16MB",
        }
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        command = [*_as_nobody(), str(self._programs / "postgres"), "-D", str(self.folder / "data"), *flags]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stderr=log, cwd=self.folder)
        _wait(self._process, self.folder)
        return self

    def stop(self) -> None:
        """Hang up on everybody and end."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)  # its fast shutdown; SIGTERM would wait for clients
            process.wait(START_S)

    def close(self) -> None:
        """Stop and delete everything."""
        self.stop()
        shutil.rmtree(self.folder)


def empty(url: str | Path) -> None:
    """Give the database of ``url`` a fresh schema without tables."""
    database = Database(url)
    with database.write() as db:
        db.exec_driver_sql("DROP SCHEMA public CASCADE")
        db.exec_driver_sql("CREATE SCHEMA public")
    database.close()


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Start a server, give its SQLAlchemy URL, stop and delete it."""
    server = Server()
    try:
        yield server.start().url
    finally:
        server.close()


def _wait(server: subprocess.Popen[bytes], folder: Path) -> None:
    import psycopg

    end = time.monotonic() + START_S
    while True:
        try:
            psycopg.connect(f"host={folder} user=marquee dbname=postgres").close()
        except psycopg.OperationalError:
            assert server.poll() is None, "PostgreSQL ended while starting"
            assert time.monotonic() < end, "PostgreSQL did not start"
            time.sleep(0.05)
        else:
            return
