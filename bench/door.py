"""The door: from a code to its committed verdict, and from a scanner's byte to the verdict's row and to the printer.

The second is a real ``marquee desk`` process with two scanners on pseudo-terminals and a printer on TCP. That printer is a
stopwatch: it draws nothing, so that what is measured is the desk. When a verdict was committed tells the wake that the desk
sends to the bridge after each COMMIT.
"""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from appliance.bootstrap.device import socket_path
from appliance.domain.client import Client
from appliance.services import booking, door
from appliance.services.booking import Item
from appliance.services.box import Box
from appliance.services.wake import Waiter
from bench import memory
from bench.load import Outcome
from bench.venue import TYPE, variables
from drivers.printer import status as words
from drivers.scanner.pty import PtyScanner
from mqtt_bridge.protocol.ids import shown

LANES = 2
SCANS_PER_S = 20
_PER_ORDER = 2
_WARM_UP = 20
_PATIENCE_S = 20.0
_QUESTION = 3  # bytes of DLE EOT n and of GS r n


@dataclass
class AtTheDesk:
    """Durations from the scanner's byte, and how much memory (MB, as ``memory`` counts it) the desk took."""

    verdict: Outcome = field(default_factory=Outcome)
    first_byte: Outcome = field(default_factory=Outcome)
    memory_mb: float = 0.0


def codes(box: Box, count: int) -> list[str]:
    """Sell ``count`` tickets and return their codes."""
    found: list[str] = []
    staff = Client("staff:bench", "desk", kind="staff")
    while len(found) < count:
        hold = box.run(lambda unit: booking.place_hold(unit, staff, (Item(TYPE, _PER_ORDER),)))
        order = box.run(lambda unit, held=hold.id: booking.confirm(unit, held))  # type: ignore[misc]
        found += [ticket.code for ticket in order.tickets]
    return found[:count]


def verdicts(box: Box, tickets: list[str]) -> Outcome:
    """Check every ticket in through the service, one after the other."""
    outcome, began = Outcome(), time.perf_counter()
    for code in tickets:
        start = time.perf_counter()
        seen = box.run(lambda unit, code=code: door.check_in(unit, code, "bench", "bench"))  # type: ignore[misc]
        if seen.verdict == "admitted":
            outcome.durations.append(time.perf_counter() - start)
        else:
            outcome.errors += 1
    outcome.seconds = time.perf_counter() - began
    return outcome


def through_the_desk(box: Box, folder: Path, tickets: list[str]) -> AtTheDesk:
    """Scan tickets at ``SCANS_PER_S`` over ``LANES`` lanes, after some to warm up; a ticket whose stub never came is an error."""
    found, scanned = AtTheDesk(), dict[str, float]()
    scanners = [PtyScanner() for _ in range(LANES)]
    with StopwatchPrinter() as printer, Verdicts(box, folder) as committed:
        addresses = {"PRINTER": printer.url} | {
            name: each.url for name, each in zip(("SCANNER", "SCANNER_2"), scanners, strict=True)
        }
        with _desk(folder, {f"MARQUEE_DESK_{name}": url for name, url in addresses.items()}) as pid:
            _scan_all(scanners, tickets[:_WARM_UP], scanned)
            _until(lambda: printer.jobs >= _WARM_UP)
            measured = tickets[_WARM_UP:]
            _scan_all(scanners, measured, scanned)
            _until(lambda: printer.jobs >= len(tickets))
            found.memory_mb = memory.family_mb(pid)
    for each in scanners:
        each.close()
    for code in measured:
        _note(found.verdict, scanned[code], committed.at.get(code))
        _note(found.first_byte, scanned[code], printer.first_byte_of(code))
    return found


def _note(outcome: Outcome, began: float, ended: float | None) -> None:
    if ended is None:
        outcome.errors += 1
    else:
        outcome.durations.append(ended - began)


def _scan_all(scanners: list[PtyScanner], tickets: list[str], scanned: dict[str, float]) -> None:
    """Visitors come at random moments, as many a second as planned."""
    chance, due = random.Random(1), time.perf_counter()
    for number, code in enumerate(tickets):
        due += 2 * chance.random() / SCANS_PER_S
        time.sleep(max(0.0, due - time.perf_counter()))
        scanned[code] = time.perf_counter()
        scanners[number % LANES].scan(code)


def _until(condition: object) -> None:
    end = time.perf_counter() + _PATIENCE_S
    while not condition() and time.perf_counter() < end:  # type: ignore[operator]
        time.sleep(0.05)


@contextmanager
def _desk(folder: Path, addresses: dict[str, str]) -> Iterator[int]:
    environment = {**os.environ, **variables(folder, 1), **addresses}
    process = subprocess.Popen([sys.executable, "-m", "appliance.cli", "desk"], env=environment)
    try:
        time.sleep(3)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


class Verdicts:
    """When each code's verdict was committed (``at``), noticed by the wake for the bridge; a context manager."""

    def __init__(self, box: Box, folder: Path) -> None:
        self.at: dict[str, float] = {}
        self._box = box
        self._waiter = Waiter(socket_path(folder, "bridge"))
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(2)
        self._waiter.close()

    def _run(self) -> None:
        last = 0
        while not self._stop.is_set():
            if not self._waiter.wait(0.2):
                continue
            woken = time.perf_counter()
            with self._box.database.read() as db:
                rows = db.exec_driver_sql("SELECT rowid, code FROM check_in WHERE rowid > ?", (last,)).all()
            for row in rows:
                last = max(last, row[0])
                self.at.setdefault(row[1], woken)


class StopwatchPrinter:
    """Answers every question with "well" at once and notes when each job's first byte came; a context manager."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"escpos+tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self._done: list[tuple[float, bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def jobs(self) -> int:
        """How many jobs were taken whole."""
        return len(self._done)

    def first_byte_of(self, code: str) -> float | None:
        """When the stub with this code began to arrive."""
        text = shown(code).encode()
        return next((began for began, job in self._done if text in job), None)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join(2)
        self._listener.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            if not select.select([self._listener], [], [], 0.2)[0]:
                continue
            client, _ = self._listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with client, contextlib.suppress(OSError):
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        began, job = 0.0, b""
        while not self._stop.is_set():
            if not select.select([client], [], [], 0.2)[0]:
                continue
            data = client.recv(65536)
            now = time.perf_counter()
            if not data:
                return
            if data[:2] == words.ASK_PRINTER[:2] and len(data) == _QUESTION:
                client.sendall(bytes([words.FIXED_BITS]))
                continue
            began, job = (began or now), job + data
            if job.endswith(words.ASK_IN_ORDER):
                client.sendall(b"\x00")
                self._done.append((began, job))
                began, job = 0.0, b""
