"""A reconciler as a process: real clocks, a real database, a name of its own."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

import structlog

from mqtt_bridge.cloud import samples
from mqtt_bridge.cloud.repair import apply_rules
from mqtt_bridge.cloud.service import Reconciler, Wire
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.codec import Signer

log = structlog.get_logger("marquee.reconciler")
# How soon what waited for stock is rebooked, and rules are applied.
REPAIR_EVERY_MS = 1_000
REPAIRS_AT_ONCE = 20


def run_reconciler(
    database: Database,
    transport: Wire,
    signer: Signer,
    org: str,
    clock: Callable[[], int],
    stop_event: threading.Event,
) -> None:
    """Reconcile until ``stop_event``; starts and stops ``transport``. ``clock`` returns wall-clock ms since the Unix epoch."""
    name = secrets.token_hex(4)
    reconciler = Reconciler(
        SqlStore(database), transport, signer, org, clock, ticks_ms, name=name, chores=chores_of(database)
    )
    transport.start()
    try:
        next_look = 0
        while not stop_event.is_set():
            reconciler.step(stop_event)
            if reconciler.membership.first and ticks_ms() >= next_look:
                next_look = ticks_ms() + REPAIR_EVERY_MS
                _repair(database, clock())
    finally:
        reconciler.leave()
        transport.stop()


def chores_of(database: Database) -> tuple[Callable[[int], object], ...]:
    """Return what is done once a minute beside reconciling; each takes the wall clock in ms."""
    return (lambda wall_ms: database.run(lambda db: samples.take(db, wall_ms)),)


def _repair(database: Database, wall_ms: int) -> None:
    try:
        apply_rules(database, wall_ms, most=REPAIRS_AT_ONCE)
    except SqlStore.failures as error:
        log.error("repair.failed", error=type(error).__name__)


def ticks_ms() -> int:
    """Milliseconds of a clock that only grows."""
    return time.monotonic_ns() // 1_000_000
