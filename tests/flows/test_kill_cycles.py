"""Orders that were answered survive kill -9 of everything, again and again, under load."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.flows.test_cut_off import catalogue, ticket_type
from tests.support.demo import Demo, running, wait_for
from tests.support.http import Answer, request

__all__ = ["catalogue"]
CYCLES = 15
CLIENTS = 6


class Shoppers:
    """Clients that book at both venues until told to stop, and remember every order that was answered."""

    def __init__(self, demo: Demo, kind: str) -> None:
        self._demo, self._kind = demo, kind
        self.orders: dict[str, int] = {}
        self.answered = threading.Event()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._shop, args=(1 + n % 2,), daemon=True) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def _post(self, k: int, path: str, body: object) -> Answer | None:
        try:
            return request("POST", self._demo.venue(k, path), body, timeout_s=3)
        except OSError:
            self._stop.wait(0.2)
            return None

    def _shop(self, k: int) -> None:
        while not self._stop.is_set():
            held = self._post(k, "/api/v1/holds", {"items": [{"ticket_type": self._kind, "quantity": 1}]})
            if held is None or held.status != 201:
                self._stop.wait(0.05)
                continue
            order = self._post(k, "/api/v1/orders", {"hold": held.json["hold"]})
            if order is not None and order.status == 201:
                self.orders[order.json["order"]] = k
                self.answered.set()

    def stop(self) -> None:
        """Let every client finish what it does."""
        self._stop.set()
        for thread in self._threads:
            thread.join(10)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_answered_order_is_lost_over_many_kills(catalogue: Path, tmp_path: Path) -> None:
    """After each kill -9 of all processes of a random venue, the moment an order was answered, every order is still there."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    catalogue.write_text(catalogue.read_text().replace("seats: 25", "seats: 100000"))
    with running(data=tmp_path / "box", catalogue=catalogue) as demo:
        shoppers = Shoppers(demo, ticket_type(demo, 1))
        for _ in range(CYCLES):
            shoppers.answered.clear()
            assert shoppers.answered.wait(30), f"nobody can book any more (seed {seed})"
            _kill(demo, chance.choice(("hall", "yard", "cloud")))
        shoppers.stop()
        wait_for(lambda: all(_kept(demo, k, order) for order, k in shoppers.orders.items()), "every answered order", 60)
        issued = _issued(demo, 1) + _issued(demo, 2)
        assert issued >= len(shoppers.orders)
        wait_for(lambda: _sold(demo) == issued, f"{issued} tickets in the cloud", 60)
        wait_for(lambda: not _unsynced(demo), "an empty outbox everywhere")


def _kill(demo: Demo, place: str) -> None:
    for (venue, process), pid in demo.pids.items():
        if venue == place and process != "broker":
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def _kept(demo: Demo, k: int, order: str) -> bool:
    return request("GET", demo.venue(k, f"/api/v1/orders/{order}"), timeout_s=3).status == 200


def _unsynced(demo: Demo) -> int:
    return sum(device["unsynced"] for device in demo.stock()[0]["devices"])


def _sold(demo: Demo) -> int:
    return sum(device["sold"] for device in demo.stock()[0]["devices"])


def _issued(demo: Demo, k: int) -> int:
    """Tickets that venue ``k`` itself sold, counted in its database without the product's help."""

    assert demo.data is not None
    venue = ("hall", "yard")[k - 1]
    path = demo.data / venue / "marquee.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT count(*) FROM ticket WHERE issuer = ?", (f"{venue}-1",)).fetchone()[0])
