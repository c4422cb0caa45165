"""Runs ``marquee demo`` as a person would and reads what it prints."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.http import Answer, request
from tests.support.ports import block_of_ports

START_S = 90


class Demo:
    """One running demo; use ``running(...)`` to get one that is stopped afterwards."""

    def __init__(self, process: subprocess.Popen[str], base_port: int, data: Path | None = None) -> None:
        self.process = process
        self.data = data
        self.base_port = base_port
        self.lines: list[str] = []
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if line.strip() == "ready":
                self._ready.set()
        self._ready.set()

    def wait_ready(self) -> None:
        """Return when the demo said ``ready``; raise with its output when it ended or took too long."""
        if not self._ready.wait(START_S) or self.process.poll() is not None:
            raise AssertionError("the demo did not get ready:\n" + "\n".join(self.lines[-60:]))

    def word(self, prefix: str) -> str:
        """Return what follows the first printed ``prefix``."""
        return next(line.removeprefix(prefix).strip() for line in self.lines if line.startswith(prefix))

    @property
    def pids(self) -> dict[tuple[str, str], int]:
        """Newest pid per (venue, process)."""
        found = [line.split() for line in self.lines if line.startswith("pid: ")]
        return {(venue, process): int(pid) for _, venue, process, pid in found}

    @property
    def staff(self) -> dict[str, str]:
        """Header of a signed-in staff member."""
        return {"Authorization": f"Bearer {self.word('staff-token:')}"}

    @property
    def operator(self) -> dict[str, str]:
        """Header of the operator."""
        return {"Authorization": f"Bearer {self.word('operator-token:')}"}

    def venue(self, k: int, path: str) -> str:
        """URL of a path at venue ``k`` (from 1)."""
        return f"http://127.0.0.1:{self.base_port + k - 1}{path}"

    def console(self, path: str) -> str:
        """URL of a path at the console."""
        return f"http://127.0.0.1:{self.base_port + 10}{path}"

    def control(self, k: int, what: str, body: object) -> Answer:
        """Use a switch of the demo page: ``link``, ``scan`` or ``printer``."""
        url = f"http://127.0.0.1:{self.base_port + 11}/demo/v1/venues/{k}/{what}"
        return request("POST", url, body) if body is not None else request("GET", url)

    def link(self, k: int, *, up: bool) -> None:
        """Cut or heal the link of venue ``k``."""
        answer = self.control(k, "link", {"up": up})
        assert answer.status < 300, answer

    def stock(self) -> list[dict[str, Any]]:
        """The console's stock, one entry per quota."""
        answer = request("GET", self.console("/api/v1/stock"), headers=self.operator)
        assert answer.status == 200, answer
        return answer.json

    def stop(self) -> int:
        """Press Ctrl-C and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            status = self.process.wait(20)
            self._reader.join(5)
            if self.process.stdout is not None:
                self.process.stdout.close()
            return status
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the demo did not stop within 20 s:\n" + "\n".join(self.lines[-60:])) from None


@contextlib.contextmanager
def running(*, data: Path | None = None, catalogue: Path | None = None, venues: int = 2) -> Iterator[Demo]:
    """Start a demo, wait until it is ready, stop it cleanly."""
    base_port = block_of_ports()
    command = [sys.executable, "-m", "appliance.cli", "demo", "--venues", str(venues), "--base-port", str(base_port)]
    command += ["--data", str(data)] if data else []
    command += ["--catalogue", str(catalogue)] if catalogue else []
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    demo = Demo(process, base_port, data)
    try:
        demo.wait_ready()
        yield demo
    finally:
        demo.stop()


def wait_for(condition: Callable[[], object], what: str, limit_s: float = 60) -> object:
    """Return the first truthy value of ``condition``, which may find nobody listening yet; raise after ``limit_s`` seconds."""
    end = time.monotonic() + limit_s
    value: object = None
    while time.monotonic() < end:
        try:
            value = condition()
        except OSError as error:
            value = error
        if value and not isinstance(value, OSError):
            return value
        time.sleep(0.1)
    raise AssertionError(f"waited {limit_s} s for {what}; last seen: {value!r}")
