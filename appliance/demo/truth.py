"""Is any number wrong? The tickets in the venues' own files against the limits, and against what the cloud knows.

A demo can look into every file at once, which no cloud can: so a lost or doubled ticket would show here, whoever cut,
crashed or healed what.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from appliance.demo.venue import DemoVenue
from appliance.store import orders
from mqtt_bridge.cloud.overview import Overview, QuotaView, overview
from mqtt_bridge.database import Database
from mqtt_bridge.filelock import LockTimeout
from mqtt_bridge.protocol.topics import CLOUD

# A message may be under way between two looks; only a difference that stays is one.
SETTLED_S = 15.0
FRESH_S = 1.0


class QuotaTruth(msgspec.Struct, frozen=True):
    """A quota: ``issued`` valid tickets in the venues' files, of which the cloud knows ``known``; ``capacity`` is limit + extra."""

    quota: str
    name: str
    capacity: int
    issued: int
    known: int
    pool: int


class Truth(msgspec.Struct, frozen=True):
    """How often somebody looked, and what was ever wrong, in words, newest last."""

    looks: int
    wrong: tuple[str, ...]
    quotas: tuple[QuotaTruth, ...]


class Auditor:
    """Compares at most every ``FRESH_S`` seconds, however many ask."""

    def __init__(
        self, venues: Sequence[DemoVenue], cloud: Database, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._venues = venues
        self._cloud = cloud
        self._clock = clock
        self._lock = threading.Lock()
        self._next_s = 0.0
        self._differs_since_s: dict[str, float] = {}
        self._truth = Truth(0, (), ())

    def look(self) -> Truth:
        """Return the newest comparison; while a file cannot be read the last one stands."""
        with self._lock:
            now_s = self._clock()
            if now_s >= self._next_s:
                self._next_s = now_s + FRESH_S
                try:
                    self._truth = self._compare(now_s)
                except (SQLAlchemyError, LockTimeout, OSError):
                    return self._truth
            return self._truth

    def _compare(self, now_s: float) -> Truth:
        # The cloud first: what a venue sells in between is not yet expected there.
        with self._cloud.read() as db:
            view = overview(db, time.time_ns() // 1_000_000)
        issued: Counter[str] = Counter()
        waiting = any(view.waiting.values())  # a venue may not have heard yet that a request of its was met
        for venue in self._venues:
            counts, unsynced = venue.box.look(
                lambda unit: (orders.issued_by_quota(unit.db, unit.identity.device), unit.mail.backlog(CLOUD)[0])
            )
            issued.update(counts)
            waiting = waiting or unsynced > 0
        quotas = tuple(_quota(each, issued[each.id]) for each in view.quotas)
        wrong = [words for each in quotas if (words := self._wrong(each, waiting=waiting, now_s=now_s))]
        wrong += _frozen(view)
        fresh = [each for each in wrong if each not in self._truth.wrong]
        return Truth(self._truth.looks + 1, (*self._truth.wrong, *fresh)[-20:], quotas)

    def _wrong(self, each: QuotaTruth, *, waiting: bool, now_s: float) -> str:
        if each.issued > each.capacity:
            return f"{each.name}: {each.issued} tickets issued of {each.capacity}"
        if each.pool < 0:
            return f"{each.name}: the pool is {each.pool}"
        if waiting or each.issued == each.known:
            self._differs_since_s.pop(each.quota, None)
            return ""
        since_s = self._differs_since_s.setdefault(each.quota, now_s)
        if now_s - since_s < SETTLED_S:
            return ""
        return f"{each.name}: {each.issued} tickets issued, the cloud knows {each.known}, and nothing is under way"


def _quota(view: QuotaView, issued: int) -> QuotaTruth:
    title = view.event.title if view.event else view.id
    return QuotaTruth(view.id, f"{title}, {view.name}", view.capacity, issued, view.sold, view.pool)


def _frozen(view: Overview) -> list[str]:
    reasons = [view.frozen, *(each.frozen for each in view.quotas)]
    return [f"frozen: {each}" for each in reasons if each]
