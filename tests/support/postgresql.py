"""A PostgreSQL server of our own, on a socket in a temporary folder, for tests that need a real one."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Start a server, give its SQLAlchemy URL, stop and delete it. Nothing is synced to the disk: speed, not safety."""
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="marquee-pg-"))
    if os.getuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data = folder / "data"
    make = [
        *_as_nobody(),
        str(programs / "initdb"),
        "-D",
        str(data),
        "-U",
        "marquee",
        "-A",
        "trust",
        "--no-sync",
        "-E",
        "UTF8",
    ]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    options = {"listen_addresses": "", "unix_socket_directories": str(folder), "fsync": "off", "shared_buffers": "16MB"}
    flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [*_as_nobody(), str(programs / "postgres"), "-D", str(data), *flags],
        stderr=subprocess.PIPE,
        cwd=folder,
    )
    try:
        _wait(server, folder)
        yield f"postgresql+psycopg://marquee@/postgres?host={folder}"
    finally:
        server.terminate()
        server.communicate(timeout=START_S)
        shutil.rmtree(folder)


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
