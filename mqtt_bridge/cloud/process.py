"""A reconciler as a process: real clocks, a real database, a name of its own."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

import structlog

from mqtt_bridge.cloud import samples
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
