"""The cloud's real parts on free ports and in temporary folders: Mosquitto, PostgreSQL, and ``marquee reconciler``."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.venue import free_port

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous true
persistence false
max_queued_messages 200000
max_queued_bytes 268435456
max_inflight_messages 200
set_tcp_nodelay true
"""


class ProgramMissing(RuntimeError):
    """A program to measure with is not installed; the sentence says what to install."""


@contextlib.contextmanager
def mosquitto(folder: Path) -> Iterator[str]:
    """Run a broker with the queues of the shipped template and give its address."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise ProgramMissing("Mosquitto is not installed: apt-get install mosquitto")
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(_MOSQUITTO.format(port=port))
    folder.chmod(0o755)  # started as root it reads this as its own user
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield f"mqtt://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@dataclass(frozen=True)
class PostgreSql:
    """A running server: the SQLAlchemy URL of its first database and the process id of its first process."""

    url: str
    pid: int

    def another(self, name: str) -> str:
        """Add a database and return its URL."""
        import psycopg

        psycopg.connect(self._driver_url(), autocommit=True).execute(f'CREATE DATABASE "{name}"').connection.close()
        return self.url.replace("@/postgres?", f"@/{name}?")

    def _driver_url(self) -> str:
        return self.url.replace("postgresql+psycopg://", "postgresql://")


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSql]:
    """Run a server with its own defaults, every commit flushed; stopped and deleted afterwards."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if not found:
        raise ProgramMissing("PostgreSQL is not installed: apt-get install postgresql")
    programs = found[-1].parent
    as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="marquee-bench-pg-"))
    if as_nobody:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    data = folder / "data"
    make = [*as_nobody, str(programs / "initdb"), "-D", str(data), "-U", "marquee", "-A", "trust", "-E", "UTF8"]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    run = [*as_nobody, str(programs / "postgres"), "-D", str(data)]
    options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
    server = subprocess.Popen([*run, *options], stderr=subprocess.DEVNULL, cwd=folder)
    try:
        _wait_for(folder, server)
        yield PostgreSql(f"postgresql+psycopg://marquee@/postgres?host={folder}", server.pid)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(60)
        shutil.rmtree(folder)


def _wait_for(folder: Path, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(600):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(f"host={folder} user=marquee dbname=postgres").close()
            return
        if server.poll() is not None:
            raise RuntimeError("PostgreSQL ended while starting")
        time.sleep(0.05)
    raise RuntimeError("PostgreSQL did not start")


@contextlib.contextmanager
def marquee(command: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our own processes until the block ends."""
    program = [sys.executable, "-m", "appliance.cli", command]
    process = subprocess.Popen(program, env={**os.environ, "MARQUEE_LOG_LEVEL": "error", **environment})
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def cpu_s(*pids: int) -> float:
    """Return the processor seconds that these processes and their children, gone ones included, have used."""
    return sum(_own_cpu_s(pid) for pid in pids) + sum(cpu_s(child) for pid in pids for child in _children(pid))


def _own_cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(int(fields[place]) for place in (11, 12, 13, 14)) / _TICKS_PER_S


def _children(pid: int) -> list[int]:
    """Children of all threads of a process."""
    found: list[int] = []
    for each in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(child) for child in each.read_text().split()]
    return found
