"""The pump of a device: outbox -> publish -> the reconciler's ack; received -> inbox -> handler -> our ack.

One thread does everything in ``step``; it never waits for the broker and outlives whatever a handler raises. Rows are sent only
after the cloud answered this connection's Hello: until then a device whose card was restored could take the cloud's ack of
a lost message for that of a new one with the same number.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, Generic, Protocol

import structlog

from mqtt_bridge.edge import EdgeHandlers, Health, InUnit, Names, U
from mqtt_bridge.gap import Gap
from mqtt_bridge.greeting import Greeting
from mqtt_bridge.mailbox import receiver, sender
from mqtt_bridge.mailbox.parcels import packed, parcels
from mqtt_bridge.mailbox.pump import Pump
from mqtt_bridge.pictures import Pictures
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import Verifier, decode, encode, open_envelope, public_key
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError
from mqtt_bridge.protocol.messages import (
    Ack,
    Content,
    DeviceState,
    Envelope,
    HardwareState,
    KeyDirectory,
    Need,
    Private,
)
from mqtt_bridge.protocol.topics import CLOUD
from mqtt_bridge.retries import Retries
from mqtt_bridge.transport import Link, Message, Tls, Transport, Will

log = structlog.get_logger("marquee.relay")

BURST = 64
POLL_S = 1.0
STATUS_EVERY_MS = 2_000
REPORT_EVERY_MS = 60_000
NEED_AGAIN_MS = 500
LINK_AGAIN_MS = 1_000
STALLED_REPEATS = 5  # 3 + 6 + 12 + 24 + 30 s without any ack: the subscription may be lost, start over


class Wire(Protocol):
    """What the relay needs of a ``transport.Transport``, which describes each."""

    @property
    def connected(self) -> bool: ...  # noqa: D102
    @property
    def error(self) -> str: ...  # noqa: D102
    @property
    def refused(self) -> int: ...  # noqa: D102
    def start(self) -> None: ...  # noqa: D102
    def stop(self) -> None: ...  # noqa: D102
    def wake(self) -> None: ...  # noqa: D102
    def drop(self, reason: str) -> None: ...  # noqa: D102
    def get(self, timeout_s: float) -> Message | Link | None: ...  # noqa: D102
    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool: ...  # noqa: D102
    def subscribe(self, topic_filter: str) -> None: ...  # noqa: D102
    def unsubscribe(self, topic_filter: str) -> None: ...  # noqa: D102


def edge_transport(
    url: str,
    names: Names,
    before: Iterable[str] = (),
    tls: Tls | None = None,
    username: str | None = None,
    password: str | None = None,
) -> Transport:
    """Return the (not yet started) transport of a device with its topics and its will; ``before`` are older addresses of its broker."""
    mine = [topics.down(names.org, names.device, leaf) for leaf in ("state", "ack", "msg")]
    shared = [topics.everyone(names.org, leaf) for leaf in ("catalogue", "keys")]
    will = Will(topics.up(names.org, names.device, "link"), _link_payload(up=False))
    client_id = f"marquee-{names.org}-{names.device}"
    return Transport(
        url, client_id, [*mine, *shared], before=before, tls=tls, username=username, password=password, will=will
    )


class Relay(Generic[U]):
    """Joins a device's outbox and inbox to the cloud; made by bootstrap, driven by ``run`` or, in tests, ``step``."""

    def __init__(
        self,
        transport: Wire,
        names: Names,
        in_unit: InUnit[U],
        in_view: InUnit[U],
        handlers: EdgeHandlers[U],
        *,
        wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        ticks_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
        key_of: Callable[[str], Verifier] = public_key,
    ) -> None:
        self._transport = transport
        self._names = names
        self._cloud_key = key_of(names.cloud_key)
        self._run: InUnit[U] = in_unit
        self._look: InUnit[U] = in_view
        self._handlers = handlers
        self._wall_ms = wall_ms
        self._ticks_ms = ticks_ms
        self._pump = Pump(CLOUD)
        self._greeting = Greeting()
        self._gap = Gap()
        self._pictures = Pictures(transport, names.org, in_unit, in_view, handlers)
        self._status_due_ms = 0
        self._report_due_ms = 0
        self._reported: tuple[HardwareState, ...] | None = None
        self._need_due_ms = 0
        self._told_link: bool | None = None
        self._link_due_ms = 0
        self._acks: dict[str, Ack] = {}
        self._heard: dict[str, int] = {}
        self._generation = 0
        self._retries = Retries()
        self._failing: dict[str, str] = {}
        self._rejected = 0
        self._refused = 0
        self._pulse: Callable[[], None] = lambda: None

    @property
    def health(self) -> Health:
        """The relay's own state, for logs, doctor and metrics."""
        return Health(
            connected=self._transport.connected,
            answered=self._greeting.answered,
            reason=self._transport.error,
            failing=dict(self._failing),
            rejected=self._rejected,
            refused_by_broker=self._transport.refused,
        )

    def wake(self) -> None:
        """Let ``step`` look at the outbox and the needs now; any thread may call it."""
        self._need_due_ms = 0
        self._transport.wake()

    def run(
        self,
        stop: threading.Event,
        wait: Callable[[float], object] | None = None,
        pulse: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the transport and step until ``stop`` is set; ``wait(timeout_s)`` returns when another process wakes us, ``pulse`` is called in
        each turn, and for each thing that is done in it.
        """
        self._pulse = pulse
        self._transport.start()
        if wait is not None:
            threading.Thread(target=self._forward_wakes, args=(stop, wait), name="relay wakes", daemon=True).start()
        try:
            while not stop.is_set():
                self._pulse()
                self.step(POLL_S)
        finally:
            self.close()

    def close(self) -> None:
        """Say goodbye and disconnect."""
        self._publish("link", _link_payload(up=False), retain=True)
        self._transport.stop()
        self._greeting.answered = False
        self._tell_link()

    def step(self, timeout_s: float) -> None:
        """Wait at most ``timeout_s`` for an event, handle what arrived, then send what is due."""
        event = self._transport.get(timeout_s)
        for _ in range(BURST):
            if event is None:
                break
            self._on_event(event)
            event = self._transport.get(0)
        else:
            if event is not None:
                self._on_event(event)
        self._again()
        self._commit_acks()
        self._notice_refusals()
        self._tell_link()
        if self._transport.connected:
            self._say_hello()
            if self._greeting.answered:
                self._send_rows()
                self._send_needs()
            self._send_status()

    def _forward_wakes(self, stop: threading.Event, wait: Callable[[float], object]) -> None:
        while not stop.is_set():
            wait(POLL_S)
            self.wake()

    # What arrives

    def _on_event(self, event: Message | Link) -> None:
        if isinstance(event, Message):
            self._on_message(event, attempts=0)
            return
        log.info("relay.link", up=event.up, reason=event.reason)
        self._greeting.anew()
        self._reported = None
        self._pump.restart()
        self._heard.clear()
        if event.up:
            self._publish("link", _link_payload(up=True), retain=True)
            self._guard("assets", self._pictures.ask)

    def _on_message(self, message: Message, attempts: int) -> None:
        leaf = self._leaf(message.topic)
        key = message.topic if leaf != "msg" else f"{message.topic} {hashlib.sha256(message.payload).hexdigest()}"
        self._retries.drop(key)
        if leaf is None or self._guard(leaf.partition("/")[0], lambda: self._handle(leaf, message)):
            return
        self._retries.keep(key, message, attempts, self._ticks_ms())

    def _again(self) -> None:
        for retry in self._retries.due(self._ticks_ms()):
            self._on_message(retry.message, retry.attempts)

    def _leaf(self, topic: str) -> str | None:
        for prefix in (topics.down(self._names.org, self._names.device, ""), topics.everyone(self._names.org, "")):
            if topic.startswith(prefix):
                return topic.removeprefix(prefix)
        return None

    def _handle(self, leaf: str, message: Message) -> None:
        if leaf == "msg":
            self._receive(message.payload)
        elif leaf == "ack":
            self._note_ack(decode(message.payload, Ack))
        elif leaf == "state":
            self._on_state(decode(message.payload, DeviceState), live=not message.retained)
        elif leaf == "catalogue":
            catalogue = decode(message.payload, Catalogue)
            self._run(lambda unit: self._handlers.apply_catalogue(unit, catalogue))
            self._pictures.ask()
        elif leaf == "keys":
            keys = decode(message.payload, KeyDirectory)
            self._run(lambda unit: self._handlers.apply_keys(unit, keys))
        elif leaf.startswith("asset/"):
            self._pictures.take(leaf.removeprefix("asset/"), message)

    def _receive(self, payload: bytes) -> None:
        def use_case(unit: U) -> Ack:
            def apply(content: Content, private: Private | None) -> None:
                self._handlers.apply_message(unit, content, private)

            return receiver.receive(unit.mail, CLOUD, payload, self._open, apply, self._wall_ms())

        ack = self._run(use_case)
        self._publish("ack", encode(ack))
        if self._gap.shows(ack, self._ticks_ms()):
            self._greeting.again()

    def _open(self, payload: bytes) -> tuple[Content, Private | None]:
        envelope = decode(payload, Envelope)
        content = open_envelope(envelope, self._cloud_key)
        if content.org != self._names.org:
            msg = f"a message for {content.org} reached {self._names.org}"
            raise BadSignature(msg)
        return content, envelope.private

    def _note_ack(self, ack: Ack) -> None:
        self._heard[ack.inc] = ack.upto
        ack = self._pump.believed(ack)
        known = self._acks.get(ack.inc, ack)
        if (ack.generation, ack.upto) >= (known.generation, known.upto):
            self._acks[ack.inc] = ack

    def _commit_acks(self) -> None:
        """Write the acks of one burst in one transaction; what fails is acknowledged again after the next repeat."""
        acks, self._acks = self._acks, {}

        def use_case(unit: U) -> None:
            for ack in acks.values():
                # Not of an earlier generation: that cloud is gone, and its backup may lack what it had acknowledged.
                if ack.generation >= self._generation and not sender.settle(unit.mail, CLOUD, ack, self._wall_ms()):
                    self._handlers.went_back(unit, ack.inc)
                    self._greeting.again()

        if acks:
            self._guard("ack", lambda: self._run(use_case))

    def _on_state(self, state: DeviceState, *, live: bool) -> None:
        """Apply the cloud's view; a live one for our incarnation that does not know more than we do opens the sending.

        A cloud of a later generation was restored from a backup: it is sent what it lacks, after another hello.
        """
        if state.device != self._names.device:
            msg = f"a state for {state.device} reached {self._names.device}"
            raise ProtocolError(msg)
        before = self._greeting.said or self._look(self._handlers.hello)
        self._generation = max(self._generation, before.generation, state.generation)

        def use_case(unit: U) -> None:
            if state.inc == before.inc and state.generation > before.generation:
                sender.start_over(unit.mail, CLOUD, Ack(state.inc, state.upto))
            self._handlers.apply_state(unit, state)

        self._run(use_case)
        hello = self._look(self._handlers.hello)
        said = self._greeting.said
        if said is None or (hello.inc, hello.generation) != (said.inc, said.generation):
            self._greeting.again()
        elif live and state.inc == hello.inc and not state.stop and state.written <= hello.last_seq:
            # A state that was under way when we said hello answers nothing: a restored cloud would wait for us for ever.
            self._greeting.answered |= state.heard is None or state.heard >= hello.generation

    # What leaves

    def _say_hello(self) -> None:
        if not self._greeting.due(self._ticks_ms()):
            return

        def say() -> None:
            hello = self._look(self._handlers.hello)
            if self._publish("hello", encode(hello)):
                self._greeting.spoken(hello)
                self._generation = max(self._generation, hello.generation)

        self._guard("hello", say)

    def _send_rows(self) -> None:
        now_ms = self._ticks_ms()

        def send() -> None:
            for parcel in parcels(self._look(lambda unit: self._pump.due(unit.mail, now_ms))):
                if not self._publish(*packed(parcel)):
                    break
                self._pump.sent(parcel, now_ms)

        self._guard("outbox", send)
        if self._pump.repeats >= STALLED_REPEATS and self._guard("outbox", lambda: self._run(self._send_lost_again)):
            self._pump.restart()
            self._transport.drop("the cloud acknowledged nothing for more than a minute")

    def _send_lost_again(self, unit: U) -> None:
        """Send again what a cloud had acknowledged that now answers with less: its database was swapped without a word.

        What it has after all it knows by its number.
        """
        for inc, acked in unit.mail.streams(CLOUD).items():
            if (heard := self._heard.get(inc, acked)) < acked:
                count = unit.mail.rewind(CLOUD, Ack(inc, heard))
                log.warning("relay.sent-again", inc=inc, after=heard, count=count)

    def _send_needs(self) -> None:
        now_ms = self._ticks_ms()
        if now_ms < self._need_due_ms:
            return
        self._need_due_ms = now_ms + NEED_AGAIN_MS

        def send() -> None:
            needs = self._look(self._handlers.needs)
            if needs and (said := self._greeting.said) is not None:
                self._publish("need", encode(Need(self._names.device, said.inc, needs)))

        self._guard("need", send)

    def _send_status(self) -> None:
        now_ms = self._ticks_ms()
        if now_ms >= self._status_due_ms:
            self._status_due_ms = now_ms + STATUS_EVERY_MS
            self._guard("status", lambda: self._publish("status", encode(self._look(self._handlers.status))))
            self._guard("health", lambda: self._report(now_ms))

    def _report(self, now_ms: int) -> None:
        """Say how the hardware is when that changed, and from time to time so that "as of" goes on."""
        report = self._look(self._handlers.hardware)
        if report is None or (report.hardware == self._reported and now_ms < self._report_due_ms):
            return
        if self._publish("health", encode(report), retain=True):
            self._reported, self._report_due_ms = report.hardware, now_ms + REPORT_EVERY_MS

    def _notice_refusals(self) -> None:
        """A broker that refuses what we say, behind the success of a PUBACK, is no link to the cloud: hello until it is taken."""
        refused = self._transport.refused
        if refused != self._refused:
            self._refused, self._greeting.answered = refused, False

    def _tell_link(self) -> None:
        """Let the device know whether the cloud answers; repeated until that is written down."""
        up, now_ms = self._greeting.answered and self._transport.connected, self._ticks_ms()
        if up == self._told_link:
            self._failing.pop("link", None)  # what could not be written down is not so any more
            return
        if now_ms < self._link_due_ms:
            return
        self._link_due_ms = now_ms
        if self._guard("link", lambda: self._run(lambda unit: self._handlers.link_changed(unit, up))):
            self._told_link = up
        else:
            self._link_due_ms = now_ms + LINK_AGAIN_MS

    def _publish(self, leaf: str, payload: bytes, *, retain: bool = False) -> bool:
        return self._transport.publish(topics.up(self._names.org, self._names.device, leaf), payload, retain)

    def _guard(self, what: str, action: Callable[[], Any]) -> bool:
        """Run ``action`` and tell whether it need not be repeated; nothing it raises ends the relay."""
        # One turn may be many of these, each waiting for a database that somebody else holds.
        self._pulse()
        try:
            action()
        except ProtocolError as error:
            self._rejected += 1
            log.warning("relay.rejected", what=what, error=str(error), total=self._rejected)
            return True
        except Exception as error:  # noqa: BLE001  a handler's bug or a full disk must not stop the stream for good
            if what not in self._failing:
                log.error("relay.failing", what=what, error=f"{type(error).__name__}: {error}")
            self._failing[what] = f"{type(error).__name__}: {error}"
            return False
        if self._failing.pop(what, None) is not None:
            log.info("relay.recovered", what=what)
        return True


def _link_payload(*, up: bool) -> bytes:
    return encode({"up": up})
