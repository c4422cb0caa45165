"""A reconciler as a process: real clocks, a real database, a name of its own."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

import structlog

from mqtt_bridge.cloud import samples
from mqtt_bridge.cloud.ahead import Ahead
from mqtt_bridge.cloud.broker_watch import BrokerWatch
from mqtt_bridge.cloud.pruning import prune
from mqtt_bridge.cloud.repair import apply_rules
from mqtt_bridge.cloud.service import Reconciler, Wire
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.codec import Signer
from mqtt_bridge.protocol.moments import HOUR_MS

log = structlog.get_logger("marquee.reconciler")
# How soon what waited for stock is rebooked, rules are applied, and what the broker dropped is listed.
LOOK_EVERY_MS = 1_000
MINUTE_MS = 60_000
REPAIRS_AT_ONCE = 20


def run_reconciler(
    database: Database,
    transport: Wire,
    signer: Signer,
    org: str,
    clock: Callable[[], int],
    stop_event: threading.Event,
    counters: Wire | None = None,
) -> None:
    """Reconcile until ``stop_event``; starts and stops ``transport``. ``clock`` returns wall-clock ms since the Unix epoch.

    ``counters`` is a second connection that hears ``topics.DROPPED``, where the broker has such a thing.
    """
    name, store, ahead = secrets.token_hex(4), SqlStore(database), Ahead()
    reconciler = Reconciler(
        store,
        transport,
        signer,
        org,
        clock,
        ticks_ms,
        name=name,
        chores=chores_of(database),
        key_of=ahead.key_of,
        look_ahead=ahead.look,
    )
    watch = None if counters is None else BrokerWatch(counters)
    transport.start()
    if counters is not None:
        counters.start()
    try:
        next_look = 0
        while not stop_event.is_set():
            reconciler.step(stop_event)
            if ticks_ms() >= next_look:
                next_look = ticks_ms() + LOOK_EVERY_MS
                _look(database, store, watch, clock(), first=reconciler.membership.first)
    finally:
        reconciler.leave()
        transport.stop()
        if counters is not None:
            counters.stop()
        ahead.close()


def chores_of(database: Database) -> tuple[Callable[[int], object], ...]:
    """Return what is done once a minute beside reconciling; each takes the wall clock in ms."""

    def forget(wall_ms: int) -> None:
        if wall_ms % HOUR_MS < MINUTE_MS:
            database.run(lambda db: prune(db, wall_ms))

    return (lambda wall_ms: database.run(lambda db: samples.take(db, wall_ms)), forget)


def _look(database: Database, store: SqlStore, watch: BrokerWatch | None, wall_ms: int, *, first: bool) -> None:
    try:
        if first:
            apply_rules(database, wall_ms, most=REPAIRS_AT_ONCE)
        if watch is not None:
            watch.look(store, wall_ms, tells=first)
    except SqlStore.failures as error:
        log.error("look.failed", error=type(error).__name__)


def ticks_ms() -> int:
    """Milliseconds of a clock that only grows."""
    return time.monotonic_ns() // 1_000_000
