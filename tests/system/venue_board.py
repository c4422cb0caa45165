"""A board that has become a venue: provisioned by the cloud on this machine, and sold from by a phone on its hotspot."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import secrets
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.ports import free_port
from tests.system.board import Board, Unanswered
from tests.system.board.machine import Hardware
from tests.system.cloud import Cloud
from tests.system.image import PROJECT

DEVICE, SSID = "hall-1", "Town Hall"
INSIDE_PORT = 8000
CARD_BYTES = 4 << 30
NAME = "tickets.home.arpa"
# What another life left on a card: a block in every so many bytes, of the tables of the file systems too.
OLD, OLD_EVERY = b"\xa5" * 4096, 64 << 10
# A boot of the emulated board, on a machine that also does other things, from power to box office.
READY_S = 1500.0
_ORDERS = (
    "import sqlite3; db = sqlite3.connect('file:/var/lib/marquee/marquee.db?mode=ro', uri=True);"
    " print(db.execute('PRAGMA quick_check(1)').fetchone()[0]);"
    " print(*(row[0] for row in db.execute(\"SELECT id FROM orders WHERE status = 'confirmed'\")), sep='\\n')"
)


@dataclass
class Sales:
    """What the host was told: ids of orders that were answered with success, and how many requests failed in between."""

    confirmed: set[str] = field(default_factory=set)
    refused: int = 0
    unanswered: int = 0


class Venue:
    """The board, its cloud, and the way to its portal."""

    def __init__(self, board: Board, cloud: Cloud, port: int) -> None:
        self.board, self.cloud, self.port = board, cloud, port
        self.sales = Sales()

    def start(self, flashed_from: Path | None = None) -> None:
        """Put the provisioning file on the card, plug it in, wait until it is a box office.

        With ``flashed_from``, the packed image, an operator's way: ``marquee flash`` writes both, onto a card that held something else.
        """
        content = self.cloud.provisioning(DEVICE)
        if flashed_from is None:
            self.board.card.write(1, "provisioning.toml", content)
        else:
            self._flash(flashed_from, content)
        self.board.start()
        self.board.wait_boot(0, READY_S)
        self.wait_ready()
        # The data partition grows under what has just started, and must stay where it is.
        taken = self.board.run("journalctl -b -o cat --no-pager | grep '^Unmounted data.mount'").output
        assert not taken, taken

    def _flash(self, packed: Path, content: bytes) -> None:
        card = self.board.card.path
        with card.open("r+b") as old:
            for offset in range(0, card.stat().st_size, OLD_EVERY):
                old.seek(offset)
                old.write(OLD)
        file = card.with_name("provisioning.toml")
        file.write_bytes(content)
        command = [
            sys.executable,
            "-m",
            "appliance.cli",
            "flash",
            str(packed),
            str(card),
            "--provisioning",
            str(file),
            "--yes",
        ]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def wait_ready(self, timeout_s: float = READY_S) -> None:
        """Wait until this boot is complete and its slot marked. Raises ``AssertionError`` with what the gate says."""
        end_s = time.monotonic() + timeout_s
        while self.board.run("systemctl is-active -q marquee-good.service").status:
            assert time.monotonic() < end_s, self.board.run("journalctl -b -u 'marquee-*' -n 80 --no-pager").output
            time.sleep(2)

    def join(self) -> None:
        """Put the phone on the air; wait until the portal has something to sell."""
        self.board.phone(SSID, INSIDE_PORT)
        end_s = time.monotonic() + 300
        while not self.available():
            assert time.monotonic() < end_s, "nothing came on sale"
            time.sleep(2)

    def available(self) -> int:
        """How many tickets the portal has to sell; 0 also while it does not answer."""
        try:
            return sum(each["available"] or 0 for each in self.ask("GET", "/api/v1/availability")[1]["items"])
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            return 0

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask the portal over the air. Raises ``OSError`` or ``HTTPException`` where there is no whole answer."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            headers = {"Host": NAME, "Content-Type": "application/json", "Idempotency-Key": secrets.token_hex(16)}
            line.request(method, path, None if body is None else json.dumps(body), headers)
            answer = line.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            line.close()

    def hold(self) -> tuple[int, Any]:
        """Ask for a hold on one ticket; return status and answer."""
        _, listing = self.ask("GET", "/api/v1/events")
        kind = listing["events"][0]["sessions"][0]["ticket_types"][0]["id"]
        return self.ask("POST", "/api/v1/holds", {"items": [{"ticket_type": kind, "quantity": 1}]})

    def confirm(self, hold: str) -> int:
        """Book what is held; return the status, 201 only for an order that is confirmed to us."""
        status, order = self.ask("POST", "/api/v1/orders", {"hold": hold})
        if status == http.HTTPStatus.CREATED:
            if order["status"] != "confirmed":
                raise ValueError(f"the order is {order['status']}")
            self.sales.confirmed.add(order["order"])
        return status

    def sell(self) -> bool:
        """Book one ticket; True if it was confirmed to us."""
        try:
            status, held = self.hold()
            if status == http.HTTPStatus.CREATED and self.confirm(held["hold"]) == http.HTTPStatus.CREATED:
                return True
        except (OSError, http.client.HTTPException, ValueError, LookupError):
            self.sales.unanswered += 1
            return False
        self.sales.refused += 1
        return False

    @contextlib.contextmanager
    def selling(self, phones: int = 3, pause_s: float = 0.0) -> Iterator[Sales]:
        """Book and book again, as several people at once, each pausing after a booking, until the block ends."""
        over = threading.Event()

        def buy() -> None:
            while not over.is_set():
                over.wait(pause_s if self.sell() else max(pause_s, 0.5))

        threads = [threading.Thread(target=buy, daemon=True) for _ in range(phones)]
        for each in threads:
            each.start()
        try:
            yield self.sales
        finally:
            over.set()
            for each in threads:
                each.join(90)

    def check_kept(self) -> int:
        """Every order that was confirmed to us is in the database, and that is whole; return how many it has."""
        whole, *orders = self.board.check(f"python3 -c {shlex.quote(_ORDERS)}").split()
        assert whole == "ok", whole
        lost = self.sales.confirmed - set(orders)
        assert not lost, f"{len(lost)} confirmed orders are lost: {sorted(lost)[:5]}"
        return len(orders)

    def slots(self) -> dict[str, Any]:
        """What `marquee slot` says."""
        return dict(json.loads(self.board.check("/usr/bin/marquee slot status --json")))

    def recovered(self, number: int, partition: int) -> None:
        """Wait for boot ``number``; it must run from ``partition``, become a box office and know every order."""
        self._booted(number, partition)
        self.wait_ready()
        self.check_kept()

    def sells_again(self, number: int, partition: int) -> None:
        """As ``recovered``, but only until a phone on the air finds something to book."""
        self._booted(number, partition)
        self.join()
        self.check_kept()

    def _booted(self, number: int, partition: int) -> None:
        boot = self.board.wait_boot(number, READY_S)
        assert boot.partition == partition, f"boot {number} came from partition {boot.partition}, not {partition}"


@contextlib.contextmanager
def venue(
    image: Path, seed: int, say: Callable[[str], None], folder: Path | None = None, *, radios: int = 2
) -> Iterator[Venue]:
    """A venue with a card of its own, from a cloud of its own; both are gone afterwards."""
    port = free_port()
    hardware = Hardware(radios=radios, forwards=((port, INSIDE_PORT),), share=PROJECT)
    board = Board(image, hardware=hardware, card_bytes=CARD_BYTES, folder=folder, lost=random.Random(seed), say=say)
    with Cloud() as cloud, board:
        yield Venue(board, cloud, port)


def failed(error: BaseException) -> str:
    """Words for a failure of a part."""
    return f"{type(error).__name__}: {error}" if isinstance(error, (AssertionError, Unanswered)) else repr(error)
