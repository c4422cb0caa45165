"""The reconciler's loop: queue -> batch -> one transaction -> publish what it decided.

Several may run side by side: what one does, the others find in rows. In memory there is only what may be lost, such as which
downlink messages were handed to the network a moment ago.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Protocol

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from mqtt_bridge.cloud import publish
from mqtt_bridge.cloud.downlink import Downlinks
from mqtt_bridge.cloud.incoming import Incoming, Outcome
from mqtt_bridge.cloud.publish import Publication
from mqtt_bridge.cloud.reconcile import Batch
from mqtt_bridge.database import Database
from mqtt_bridge.filelock import LockTimeout
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import Signer, encode
from mqtt_bridge.transport import Link, Message

log = structlog.get_logger("marquee.reconciler")

LARGEST_BATCH = 100
TICK_S = 1.0
# How long the broker gets to repeat the states it retained before anything is granted.
MEMORY_S = 0.4
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 5.0


class Wire(Protocol):
    """What the loop needs of a ``transport.Transport``."""

    def start(self) -> None: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def get(self, timeout_s: float) -> Message | Link | None: ...  # noqa: D102
    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool: ...  # noqa: D102
    def subscribe(self, topic_filter: str) -> None: ...  # noqa: D102
    def unsubscribe(self, topic_filter: str) -> None: ...  # noqa: D102


def run_reconciler(
    database: Database,
    transport: Wire,
    signer: Signer,
    org: str,
    clock: Callable[[], int],
    stop_event: threading.Event,
) -> None:
    """Reconcile until ``stop_event``; starts and stops ``transport``. ``clock`` returns wall-clock ms since the Unix epoch."""
    reconciler = Reconciler(database, transport, signer, org, clock)
    transport.start()
    try:
        while not stop_event.is_set():
            reconciler.step(stop_event)
    finally:
        transport.stop()


class Reconciler:
    """One reconciler: ``step`` waits for messages, applies a batch of them and publishes."""

    def __init__(self, database: Database, transport: Wire, signer: Signer, org: str, clock: Callable[[], int]) -> None:
        self.database = database
        self.transport = transport
        self.signer = signer
        self.org = org
        self.clock = clock
        self._catalogues: dict[int, Catalogue] = {}
        self._published: tuple[int, int] | None = None
        self._downlinks = Downlinks(database, transport.publish, org)
        self._memory = topics.down(org, "+", "state")
        self._listening = False
        self._next_tick = 0.0
        transport.subscribe(self._memory)

    def step(self, stop: threading.Event) -> None:
        """Do what is due, waiting at most until the next tick."""
        messages, links = self._collect()
        for link in links:
            log.info("link", up=link.up, reason=link.reason)
            if link.up:
                self._introduce(stop)
        if messages:
            self._reconcile(messages, stop)
        if time.monotonic() >= self._next_tick and self._listening:
            self._next_tick = time.monotonic() + TICK_S
            self._tick(stop)
        if self._listening:
            self._pump()

    def _collect(self) -> tuple[list[Incoming], list[Link]]:
        """Wait for the first event, then take what else is there."""
        messages: list[Incoming] = []
        links: list[Link] = []
        event = self.transport.get(
            max(0.0, min(TICK_S, self._next_tick - time.monotonic())) if self._listening else TICK_S
        )
        while event is not None:
            if isinstance(event, Link):
                links.append(event)
                break
            messages.append(Incoming(event.topic, event.payload))
            event = self.transport.get(0.0) if len(messages) < LARGEST_BATCH else None
        return messages, links

    def _introduce(self, stop: threading.Event) -> None:
        """After a connect: read what the broker still knows, then say everything, because it may know nothing."""
        if not self._listening:
            self._remember(stop)
            self.transport.subscribe(topics.up(self.org, "+", "+"))
            self._listening = True
        self._published = None
        self._downlinks.restart()
        self._tick(stop)

    def _remember(self, stop: threading.Event) -> None:
        """Compare the retained states with our rows before the first grant: the rows may be an old copy."""
        states: list[Incoming] = []
        end = time.monotonic() + MEMORY_S
        while (event := self.transport.get(max(0.0, end - time.monotonic()))) is not None:
            if isinstance(event, Message):
                states.append(Incoming(event.topic, event.payload))
        self.transport.unsubscribe(self._memory)
        if states:
            self._reconcile(states, stop)

    def _reconcile(self, messages: list[Incoming], stop: threading.Event) -> None:
        def batch(db: Connection) -> tuple[Outcome, list[Publication]]:
            return self._run(db, messages, every_quota=False)

        self._carry_out(self._patiently(batch, stop))

    def _tick(self, stop: threading.Event) -> None:
        """Look at everything: what another process imported or registered, and what time has made due."""

        def look(db: Connection) -> tuple[Outcome, list[Publication]]:
            return self._run(db, [], every_quota=True)

        self._carry_out(self._patiently(look, stop))

    def _run(self, db: Connection, messages: list[Incoming], *, every_quota: bool) -> tuple[Outcome, list[Publication]]:
        """One transaction; returns what to publish once it is committed."""
        batch = Batch(db, self.signer, self.org, self.clock(), self._catalogues)
        for message in messages:
            batch.take(message)
        news: list[Publication] = []
        current = (batch.cloud.catalogue_version, batch.keys_revision())
        if every_quota:
            batch.touch_everything(introduce=self._published is None)
        # A key that was just pinned is told at once: a door needs it for the first ticket that device sells.
        telling = every_quota or self._published is not None
        if telling and current != self._published:
            news = [*publish.catalogue(db, self.org, batch.catalogue), publish.keys(db, self.org)]
        outcome, states = batch.settle(everyone=every_quota)
        if telling:
            outcome.versions = current
        return outcome, [*news, *states]

    def _carry_out(self, done: tuple[Outcome, list[Publication]] | None) -> None:
        """Publish; what does not leave is repeated at the next connect, or asked for again by its device."""
        if done is None:
            return
        outcome, publications = done
        left = [self.transport.publish(*each) for each in publications]
        if outcome.versions is not None and all(left):
            self._published = outcome.versions
        for device, ack in outcome.acks.items():
            self.transport.publish(topics.down(self.org, device, "ack"), encode(ack))
        self._downlinks.restart(outcome.restarted)

    def _pump(self) -> None:
        try:
            self._downlinks.pump(int(time.monotonic() * 1000))
        except (SQLAlchemyError, LockTimeout, OSError) as error:
            log.error("database.failed", error=type(error).__name__)

    def _patiently(
        self, action: Callable[[Connection], tuple[Outcome, list[Publication]]], stop: threading.Event
    ) -> tuple[Outcome, list[Publication]] | None:
        """Repeat a transaction until the database takes it: meanwhile devices keep selling what they have."""
        wait_s = FIRST_RETRY_S
        while True:
            try:
                return self.database.run(action)
            except (SQLAlchemyError, LockTimeout, OSError) as error:
                log.error("database.failed", error=type(error).__name__, retry_s=wait_s)
            if stop.wait(wait_s):
                return None
            wait_s = min(2 * wait_s, LAST_RETRY_S)


def subscriptions(org: str) -> Iterable[str]:
    """What a reconciler reads, for the broker's access list."""
    return (topics.up(org, "+", "+"), topics.down(org, "+", "state"))
