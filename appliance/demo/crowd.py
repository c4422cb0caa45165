"""Visitors who book at every venue for as long as they are let in, and come back to see whether their order is still there."""

from __future__ import annotations

import json
import random
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec

from appliance.demo.venue import DemoVenue

PAUSE_S = 0.3
PATIENCE_S = 6.0
MOST_TICKETS = 3
KEPT_ORDERS = 500


class CrowdState(msgspec.Struct, frozen=True):
    """What the visitors saw: orders ``booked`` and ``cancelled``, honest refusals, no answer at all, and orders ``lost``."""

    on: bool
    booked: int
    cancelled: int
    refused: int
    unanswered: int
    lost: int


class Crowd:
    """One thread of visitors, one after the other, at random venues."""

    def __init__(self, venues: Sequence[DemoVenue], seed: int | None = None) -> None:
        self._venues = venues
        self._random = random.Random(seed)
        self._in = threading.Event()
        self._stop = threading.Event()
        self._seen: Counter[str] = Counter()
        self._orders: list[str] = []
        self._thread: threading.Thread | None = None

    @property
    def state(self) -> CrowdState:
        """What they saw so far."""
        names = CrowdState.__struct_fields__[1:]
        return CrowdState(self._in.is_set(), *(self._seen[name] for name in names))

    def let_in(self, *, on: bool) -> None:
        """Open or close the doors."""
        if not on:
            self._in.clear()
            return
        self._in.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="crowd", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Send everybody home."""
        self._stop.set()
        self._in.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S + 1)

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            self._in.wait()
            if not self._stop.is_set():
                self._seen[self._visit()] += 1

    def _visit(self) -> str:
        """Do one thing and name what came of it."""
        chance = self._random.random()
        if self._orders and chance < 0.3:
            return self._look_again()
        if self._orders and chance < 0.45:
            return self._cancel()
        return self._book()

    def _book(self) -> str:
        base = self._random.choice(self._venues).url
        status, events = _ask("GET", f"{base}api/v1/events")
        types = [
            each["id"]
            for event in (events or {}).get("events", ())
            for at in event["sessions"]
            for each in at["ticket_types"]
            if each["state"] == "on_sale" and not each.get("verify")
        ]
        if status != 200:
            return "unanswered"
        if not types:
            return "refused"
        item = {"ticket_type": self._random.choice(types), "quantity": self._random.randint(1, MOST_TICKETS)}
        status, hold = _ask("POST", f"{base}api/v1/holds", {"items": [item]})
        if status != 201 or hold is None:
            return "refused" if 400 <= status < 500 else "unanswered"
        status, order = _ask("POST", f"{base}api/v1/orders", {"hold": hold["hold"]})
        if status != 201 or order is None:
            return "refused" if 400 <= status < 500 else "unanswered"
        self._orders = [*self._orders[-KEPT_ORDERS:], f"{base}api/v1/orders/{order['order']}"]
        return "booked"

    def _look_again(self) -> str:
        """An order that was once answered must never be unknown."""
        url = self._random.choice(self._orders)
        status, _ = _ask("GET", url)
        if status == 404:
            self._orders.remove(url)
            return "lost"
        return "unanswered" if status != 200 else "looked"

    def _cancel(self) -> str:
        url = self._random.choice(self._orders)
        status, _ = _ask("DELETE", url)
        return "cancelled" if 200 <= status < 300 else "refused" if 400 <= status < 500 else "unanswered"


def _ask(method: str, url: str, body: object = None) -> tuple[int, Any]:
    """Return (status, JSON); status 0 where nobody answered."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310  our own loopback address
        url, data, {"Content-Type": "application/json"} if data else {}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:  # noqa: S310  see above
            return int(answer.status), json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None
    except (OSError, ValueError):
        return 0, None
