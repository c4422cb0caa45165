"""The edge: what sharing flushes brings on a slow card, and a sell-out by a crowd over HTTP."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event

from appliance.domain.client import Client as Guest
from appliance.services import booking
from appliance.services.booking import Item
from appliance.services.box import Box, Unit
from appliance.services.views import OrderView
from bench import venue
from bench.load import Client, Outcome
from bench.memory import family_mb

T = TypeVar("T")
CARD_FLUSH_S = 0.005
CLIENTS = 50
CROWD, TICKETS = 500, 2_000
_ONE = (Item(venue.TYPE, 1),)
Run = Callable[[Callable[[Unit], Any]], Any]


@contextmanager
def slow_flushes(seconds: float) -> Iterator[None]:
    """Let every COMMIT that changed rows take this much longer, as its flush does on a card."""

    def before_commit(db: Connection) -> None:
        raw: Any = db.connection.driver_connection
        if raw.total_changes != db.info.get("flushed", 0):
            db.info["flushed"] = raw.total_changes
            time.sleep(seconds)

    event.listen(Engine, "commit", before_commit)
    try:
        yield
    finally:
        event.remove(Engine, "commit", before_commit)


@dataclass(frozen=True)
class Card:
    """Orders/s of 50 clients on a card, by how they flush, and flushes per order where they share."""

    shared: float
    one_per_order: float
    one_per_step: float
    flushes: float


def on_a_card(new: Callable[[str], Path], seconds: float) -> Card:
    """Book in the service, hold and then order, for ``seconds`` each way."""
    with slow_flushes(CARD_FLUSH_S):
        shared, flushes = _orders_per_s(new("shared"), seconds, lambda box: _two_steps(box.run))
        per_order, _ = _orders_per_s(new("order"), seconds, lambda box: _one_step(_alone(box)))
        per_step, _ = _orders_per_s(new("step"), seconds, lambda box: _two_steps(_alone(box)))
    return Card(shared, per_order, per_step, flushes)


def _alone(box: Box) -> Run:
    """Run use cases as if no flush were ever shared."""

    def run(use_case: Callable[[Unit], T]) -> T:
        with box.database.write() as db:
            return use_case(Unit(box, db))

    return run


def _two_steps(run: Run) -> Callable[[Guest], OrderView]:
    def book(guest: Guest) -> OrderView:
        hold = run(lambda unit: booking.place_hold(unit, guest, _ONE))
        order: OrderView = run(lambda unit: booking.confirm(unit, hold.id, client=guest))
        return order

    return book


def _one_step(run: Run) -> Callable[[Guest], OrderView]:
    def both(unit: Unit, guest: Guest) -> OrderView:
        return booking.confirm(unit, booking.place_hold(unit, guest, _ONE).id, client=guest)

    def book(guest: Guest) -> OrderView:
        order: OrderView = run(lambda unit: both(unit, guest))
        return order

    return book


def _orders_per_s(
    folder: Path, seconds: float, way: Callable[[Box], Callable[[Guest], OrderView]]
) -> tuple[float, float]:
    """Return orders/s and flushes per order of ``CLIENTS`` threads."""
    box = venue.open_box(folder, 1)
    book, done, lock = way(box), Counter[str](), threading.Lock()
    began, flushed = time.perf_counter(), box.database.commits

    def loop(client: int) -> None:
        number = 0
        while time.perf_counter() - began < seconds:
            book(Guest(f"nonce:{client}-{number}", f"10.0.0.{client}"))
            number += 1
        with lock:
            done["orders"] += number

    _all(loop, CLIENTS)
    took = time.perf_counter() - began
    flushes = (box.database.commits - flushed) / max(1, done["orders"])
    box.database.close()
    return done["orders"] / took, flushes


@dataclass
class SellOut:
    """What came of a crowd that wanted everything."""

    requests: Outcome = field(default_factory=Outcome)
    statuses: Counter[int] = field(default_factory=Counter)
    tickets: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    memory_mb: float = 0.0

    @property
    def oversold(self) -> int:
        """Tickets beyond the stock, counting one that was given twice as two."""
        return max(0, len(self.tickets) - TICKETS) + len(self.tickets) - len(set(self.tickets))


def sell_out(folder: Path) -> SellOut:
    """Let 500 clients buy 2,000 tickets of one venue over HTTP until each was told that there are none."""
    port, result, lock = venue.free_port(), SellOut(), threading.Lock()
    venue.open_box(folder, port, TICKETS).database.close()

    def loop(_client: int) -> None:
        client = Client(port)
        while True:
            began = time.perf_counter()
            status, hold = _timed(
                client, result, lock, "/api/v1/holds", {"items": [{"ticket_type": venue.TYPE, "quantity": 1}]}
            )
            if status != 201:
                break
            status, order = _timed(client, result, lock, "/api/v1/orders", {"hold": hold["hold"]})
            if status != 201:
                break
            with lock:
                result.tickets += [each["ticket"] for each in order["tickets"]]
                result.waits_s.append(time.perf_counter() - began)
        client.close()

    with venue.portal(folder, port) as process:
        began = time.perf_counter()
        _all(loop, CROWD)
        result.seconds = result.requests.seconds = time.perf_counter() - began
        result.memory_mb = family_mb(process.pid)
    return result


def _timed(client: Client, result: SellOut, lock: threading.Lock, path: str, body: object) -> tuple[int, Any]:
    began = time.perf_counter()
    try:
        status, answer = client("POST", path, body)
    except OSError:
        status, answer = 0, None
    with lock:
        result.statuses[status] += 1
        if 200 <= status < 500:
            result.requests.durations.append(time.perf_counter() - began)
        else:
            result.requests.errors += 1
    return status, answer


def _all(loop: Callable[[int], None], number: int) -> None:
    threads = [threading.Thread(target=loop, args=(client,)) for client in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
