"""A reconciler as a process: real clocks, a real database, a name of its own."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable

from mqtt_bridge.cloud import samples
from mqtt_bridge.cloud.service import Reconciler, Wire
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.codec import Signer


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
        while not stop_event.is_set():
            reconciler.step(stop_event)
    finally:
        reconciler.leave()
        transport.stop()


def chores_of(database: Database) -> tuple[Callable[[int], object], ...]:
    """Return what is done once a minute beside reconciling; each takes the wall clock in ms."""
    return (lambda wall_ms: database.run(lambda db: samples.take(db, wall_ms)),)


def ticks_ms() -> int:
    """Milliseconds of a clock that only grows."""
    return time.monotonic_ns() // 1_000_000
