"""The reconciler's loop: queue -> batch -> one transaction -> publish what it decided.

Several may run side by side: what one does, the others find in rows. In memory there is only what may be lost, such as which
downlink messages were handed to the network a moment ago. Nothing here reads a clock: ``clock`` and ``ticks_ms`` are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.downlink import Downlinks
from mqtt_bridge.cloud.inbox import Inbox, Stop
from mqtt_bridge.cloud.incoming import Incoming, Outcome
from mqtt_bridge.cloud.listening import Listening
from mqtt_bridge.cloud.members import Membership
from mqtt_bridge.cloud.news import News
from mqtt_bridge.cloud.opened import Opened, Read
from mqtt_bridge.cloud.planner import Planner
from mqtt_bridge.cloud.reconcile import INTRODUCTIONS, Batch
from mqtt_bridge.cloud.records import Device
from mqtt_bridge.cloud.rows import Lock, Rows, Store
from mqtt_bridge.cloud.telling import Voice, tell
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.codec import Signer, Verifier, encode, public_key
from mqtt_bridge.transport import Link, Message

log = structlog.get_logger("marquee.reconciler")

TICK_MS = 1_000
# How long the broker gets to repeat the states it retained before anything is granted.
MEMORY_MS = 400
FIRST_RETRY_S, LAST_RETRY_S = 0.2, 5.0
# What a tick looks at, whether or not anything happened there: a share of all that does not grow with it.
DEVICES_PER_LOOK = 50
# While a further batch waits already, what nobody waits for is looked at this often, and not after every batch.
BUSY_MS = 250
DEVICES_PER_TELLING = 100
CHORES_EVERY_MS = 60_000


class Wire(Protocol):
    """What the loop needs of a ``transport.Transport``."""

    def start(self) -> None: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def get(self, timeout_s: float) -> Message | Link | None: ...  # noqa: D102
    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool: ...  # noqa: D102
    def subscribe(self, topic_filter: str) -> None: ...  # noqa: D102
    def unsubscribe(self, topic_filter: str) -> None: ...  # noqa: D102


class Reconciler:
    """One reconciler: ``step`` waits for messages, applies a batch of them and publishes.

    ``clock`` returns wall-clock ms since the Unix epoch, ``ticks_ms`` ms of a clock that only grows; ``name`` is this member's own.
    ``chores`` are called once a minute by one of the members. ``look_ahead`` is shown the messages of the batch after the next.
    """

    def __init__(
        self,
        store: Store,
        transport: Wire,
        signer: Signer,
        org: str,
        clock: Callable[[], int],
        ticks_ms: Callable[[], int],
        *,
        name: str = "one",
        chores: Sequence[Callable[[int], object]] = (),
        key_of: Callable[[str], Verifier] = public_key,
        look_ahead: Callable[[list[Read]], object] | None = None,
    ) -> None:
        self.store = store
        self.transport = transport
        self.org = org
        self.clock = clock
        self.ticks_ms = ticks_ms
        self.membership = Membership(name)
        self._voice = Voice(org, signer)
        self._chores = chores
        self._catalogues = Catalogues()
        self._opened = Opened(key_of)
        self._look_ahead = look_ahead
        self._inbox = Inbox(transport.get, org, ticks_ms)
        self._todo = Outcome()
        self._news = News(store, org, self._catalogues, transport.publish, ticks_ms)
        self._planner = Planner(store, self._catalogues, self._todo, clock, ticks_ms)
        self._downlinks = Downlinks(store, transport.publish, org)
        self._memory = topics.down(org, "+", "state")
        self._listening = False
        self._subscriptions = Listening(transport, org, self.membership, self._names)
        self._introducing: str | None = None
        self._device_cursor = ""
        self._pumped_ms: int | None = None
        self._sendable = False  # whether this step may have made something ready to be sent
        self._next_tick = 0
        self._next_chores = 0
        self._retry_s = FIRST_RETRY_S
        transport.subscribe(self._memory)

    def step(self, stop: Stop) -> None:
        """Do what is due, waiting at most until the next tick; what the database refuses for now is done again later."""
        try:
            self._collect(stop)
            if self._look_ahead is not None and (further := self._inbox.look_further()):
                told = (each.payload for each in further if each.leaf == "msg")
                self._look_ahead(self._opened.unfollowed(told))
            self._apply_pending()
            self._decide()
            if self._listening:
                if self.ticks_ms() >= self._next_tick:
                    self._tick()
                self._pump()
        except self.store.failures as error:
            log.error("database.failed", error=type(error).__name__, retry_s=self._retry_s)
            stop.wait(self._retry_s)
            self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)
        else:
            self._retry_s = FIRST_RETRY_S

    def leave(self) -> None:
        """Let the other members know that we go; without it they notice after some seconds."""
        try:
            self.store.run(self.membership.leave)
        except self.store.failures as error:
            log.error("database.failed", error=type(error).__name__)

    # --- what comes in

    def _collect(self, stop: Stop) -> None:
        """Have a batch of what is there or about to come, waiting until the next tick at most."""
        left_ms = min(TICK_MS, self._next_tick - self.ticks_ms()) if self._listening else TICK_MS
        link = self._inbox.fill(0.0 if self._introducing is not None else max(0, left_ms) / 1000, stop)
        if link is not None:
            log.info("link", up=link.up, reason=link.reason)
            if link.up:
                self._introduce()

    def _introduce(self) -> None:
        """After a connect: read what the broker still knows, then say everything, because it may know nothing."""
        if not self._listening:
            self._remember()
            self._listening = True
            self._listen()
        self._news.again()
        self._downlinks.restart()
        self._introducing = ""
        self._next_tick = self.ticks_ms()

    def _remember(self) -> None:
        """Compare the retained states with our rows before the first grant: the rows may be an old copy."""
        self._inbox.wait_out(MEMORY_MS)
        self.transport.unsubscribe(self._memory)

    def _apply_pending(self) -> None:
        """Introductions first, then messages in the order of their devices, then the rest as it came."""
        batch = self._inbox.batch
        if not batch:
            return
        self._sendable = self._sendable or any(each.leaf != "msg" for each in batch)
        introductions = [each for each in batch if each.leaf in INTRODUCTIONS]
        others = [each for each in batch if each.leaf not in INTRODUCTIONS]
        if introductions:
            self._apply(introductions, Lock.ALONE)
            self._inbox.batch = others
        if others:
            self._apply(
                sorted(others, key=lambda each: (each.leaf != "msg", each.leaf == "msg" and each.name)), Lock.CHANGE
            )
        self._inbox.applied(len(batch))

    def _apply(self, messages: list[Incoming], how: Lock, *, again: bool = False) -> None:
        """Apply in one transaction; if a value cannot be stored, in halves, until the one that holds it stands alone.

        Alone it is tried once more before it is listed: another process may have added the same row at that instant, which the
        next transaction finds.
        """
        try:
            self._done(self.store.run(lambda rows: self._batch(rows).run(messages, how)))
        except self.store.indigestible as error:
            log.warning("batch.refused", messages=len(messages), error=type(error).__name__)
            if len(messages) > 1:
                half = len(messages) // 2
                self._apply(messages[:half], how)
                self._apply(messages[half:], how)
            elif not again:
                self._apply(messages, how, again=True)
            else:
                self._list(messages, how)

    def _list(self, messages: list[Incoming], how: Lock) -> None:
        try:
            self._done(self.store.run(lambda rows: self._batch(rows, indigestible=True).run(messages, how)))
        except self.store.indigestible as error:
            log.error("message.refused", device=messages[0].name, error=type(error).__name__)

    def _batch(self, rows: Rows, *, indigestible: bool = False) -> Batch:
        return Batch(
            rows,
            self.org,
            self.clock(),
            self._catalogues,
            self._opened,
            self.store.failures,
            indigestible=indigestible,
        )

    def _done(self, outcome: Outcome) -> None:
        """What was committed is acknowledged at once; what does not leave, its device sends again."""
        for (device, _), ack in outcome.acks.items():
            self.transport.publish(topics.down(self.org, device, "ack"), encode(ack))
        self._downlinks.restart(outcome.restarted)
        self._todo.add(outcome)

    # --- what is decided

    def _decide(self) -> None:
        """Plan the quotas somebody waits for, tell those who wait, number letters."""
        if not self._listening:
            return
        todo = self._todo
        if todo.keys_changed and self._news.keys_due:
            self._tell_everybody()
        self._planner.plan(todo.waiting | self._calm(todo.moved))
        asked, others = set(todo.answered), todo.addressees - todo.answered
        self._tell(asked, others)
        self._sendable = self._sendable or bool(asked or others)
        todo.answered -= asked
        todo.addressees -= asked | others

    def _calm(self, quotas: Iterable[str]) -> set[str]:
        """Return those that are due for a look that nobody waits for."""
        least_ms = BUSY_MS if self._inbox.ahead else 0
        return {each for each in quotas if self._planner.calm(each, least_ms)}

    def _pump(self) -> None:
        """Send what waits for devices: at once what this step made ready, unless a further batch waits already; the rest soon."""
        now_ms = self.ticks_ms()
        at_once = self._pumped_ms is None or (self._sendable and not self._inbox.ahead)
        if at_once or now_ms - (self._pumped_ms or 0) >= BUSY_MS:
            self._pumped_ms, self._sendable = now_ms, False
            self._downlinks.pump(now_ms, self.membership.mine)

    def _tell(self, asked: Iterable[str], others: Iterable[str]) -> None:
        """Publish states and number letters, some devices per transaction."""
        wanted = dict.fromkeys(sorted(others), False) | dict.fromkeys(sorted(asked), True)
        names = sorted(wanted)
        for start in range(0, len(names), DEVICES_PER_TELLING):
            part = names[start : start + DEVICES_PER_TELLING]
            asked_now = {each for each in part if wanted[each]}
            publications = self.store.run(
                lambda rows, part=part, now=asked_now: tell(rows, self._voice, now, part, self.clock())  # type: ignore[misc]
            )
            for each in publications:
                self.transport.publish(*each)

    # --- what is due from time to time

    def _tick(self) -> None:
        now_ms = self.ticks_ms()
        self.store.run(lambda rows: self.membership.beat(rows, now_ms))
        self._sendable = True  # others number letters too, and what was not acknowledged is sent again
        self._listen()
        self._tell_everybody()
        self._planner.plan(self._calm(each for each in self._planner.next_ones() if self.membership.mine(each)))
        self._decide()
        self._look_at_devices()
        if self._introducing is None:
            self._next_tick = now_ms + TICK_MS
        if now_ms >= self._next_chores and self.membership.first:
            self._next_chores = now_ms + CHORES_EVERY_MS
            for chore in self._chores:
                chore(self.clock())

    def _listen(self) -> None:
        """Subscribe to what is ours."""
        if self._subscriptions.follow(self.ticks_ms()):
            self._news.again()  # one that was held up may have published what it had read before it was given up

    def _names(self) -> list[str]:
        return self.store.look(lambda rows: [each.name for each in rows.all(Device)])

    def _tell_everybody(self) -> None:
        """Catalogue and keys: the first of the members tells them, and one that becomes it anew takes nothing for known."""
        self._todo.keys_changed = False
        if self.membership.first:
            self._news.tell()
        else:
            self._news.again()

    def _look_at_devices(self) -> None:
        """Tell some devices their state if it is due, and those that must hear something soon."""
        introducing = self._introducing is not None
        cursor = self._introducing or "" if introducing else self._device_cursor

        def look(rows: Rows) -> tuple[list[Device], list[str]]:
            soon = {*rows.untold(DEVICES_PER_LOOK), *rows.addressees(DEVICES_PER_LOOK)}
            return rows.after(Device, (cursor,), DEVICES_PER_LOOK), sorted(soon)

        found, soon = self.store.look(look)
        names = {each.name for each in found if self.membership.mine(each.name)}
        urgent = {each for each in soon if self.membership.mine(each)}
        self._tell(names if introducing else (), names | urgent)
        last = found[-1].name if len(found) == DEVICES_PER_LOOK else ""
        if introducing:
            self._introducing = last or None
        else:
            self._device_cursor = last
