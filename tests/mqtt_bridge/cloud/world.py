"""A cloud on a real database and devices that keep their own totals, joined by a wire the test holds in its hands."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mqtt_bridge.cloud.service import Reconciler
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.cloud.store import apply_catalogue, register_device
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox.sender import hash_of
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Quota, TicketType, Venue
from mqtt_bridge.protocol.codec import decode, encode, key_id, private_hash, seal_envelope
from mqtt_bridge.protocol.messages import (
    Ack,
    Began,
    Content,
    DeviceState,
    Downlink,
    Envelope,
    HardwareReport,
    HardwareState,
    Hello,
    Need,
    OrderCancelled,
    OrderConfirmed,
    Private,
    QuotaNeed,
    Status,
    StockCount,
    TicketFact,
    Uplink,
)
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.transport import Link, Message

ORG = "acme"
START_MS = 1_700_000_000_000


class Key:
    """An Ed25519 signer in memory."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @property
    def kid(self) -> str:
        return key_id(bytes.fromhex(self.public))

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


def catalogue(limit: int = 25, extra: int = 0, venues: tuple[str, ...] = ("hall", "yard")) -> Catalogue:
    """One event with one session at the first venue, one quota ``q`` and one ticket type ``t``."""
    kind = TicketType("t", "Seat", "q", 1250, "EUR")
    at = EventSession(
        "s", "only", venues[0], START_MS, START_MS + 1, "Europe/Berlin", (Quota("q", "seats", limit, extra),), (kind,)
    )
    places = tuple(Venue(each, each.title(), "") for each in venues)
    return Catalogue(0, places, (Event("e", "night", "One Night", "", (at,)),))


class Wire:
    """A broker reduced to two queues and its retained messages."""

    def __init__(self) -> None:
        self.incoming: deque[Message | Link] = deque()
        self.out: list[tuple[str, bytes]] = []
        self.retained: dict[str, bytes] = {}
        self.filters: list[str] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def get(self, timeout_s: float) -> Message | Link | None:
        return self.incoming.popleft() if self.incoming else None

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        self.out.append((topic, payload))
        if retain:
            self.retained[topic] = payload
        return True

    def subscribe(self, topic_filter: str) -> None:
        self.filters.append(topic_filter)

    def unsubscribe(self, topic_filter: str) -> None:
        self.filters.remove(topic_filter)


@dataclass
class FakeDevice:
    """What a device counts and signs; nothing is sent before the test says so."""

    name: str
    venue: str
    key: Key = field(default_factory=Key)
    inc: str = "life-1"
    seq: int = 0
    epoch: int = 0
    totals: Totals = field(default_factory=Totals)
    held: int = 0
    inbox: int = 0
    generation: int = 0
    log: list[bytes] = field(default_factory=list)

    def count(self) -> StockCount:
        return StockCount("q", self.epoch, self.totals, self.held)

    def hello(
        self,
        world: World,
        *,
        key: Key | None = None,
        last_seq: int | None = None,
        began: Began = "",
        earlier: tuple[Ack, ...] = (),
    ) -> None:
        """``earlier`` is what it has still to tell of lives before."""
        shown = key or self.key
        stock = (self.count(),) if self.epoch else ()
        last = self.seq if last_seq is None else last_seq
        got = Ack(world.inc, self.inbox)
        who = (self.name, self.venue, self.inc, last, shown.kid, shown.public)
        untold = (*earlier, Ack(self.inc, last)) if last else earlier
        hello = Hello(*who, stock, got, world.now_ms, self.generation, began=began, untold=untold)
        world.say(self.name, "hello", encode(hello))

    def status(self, world: World, *, unsynced: int = 0, sent_at_ms: int | None = None) -> None:
        sent = world.now_ms if sent_at_ms is None else sent_at_ms
        states = {"printer": "READY"}
        status = Status(self.name, self.venue, self.inc, unsynced, 0, (self.count(),), True, states, sent)
        world.say(self.name, "status", encode(status))

    def health(self, world: World, *hardware: HardwareState, sent_at_ms: int | None = None) -> None:
        sent = world.now_ms if sent_at_ms is None else sent_at_ms
        world.say(self.name, "health", encode(HardwareReport(self.name, self.venue, hardware, sent, sent)))

    def need(self, world: World, wanted: int) -> None:
        world.say(self.name, "need", encode(Need(self.name, self.inc, (QuotaNeed("q", wanted, self.count()),))))

    def envelope(self, body: Uplink | Downlink, *, private: Private | None = None, key: Key | None = None) -> bytes:
        """The next message of this device's outbox."""
        self.seq += 1
        digest = private_hash(private) if private else None
        follows = hash_of(self.log[-1]) if self.log else ""
        content = Content(1, ORG, self.name, self.name, self.inc, self.seq, body, START_MS, digest, follows)
        self.log.append(encode(seal_envelope(content, key or self.key, private)))
        return self.log[-1]

    def put_back(self, seq: int) -> None:
        """Write on from the message of this number, as a card does that was put back: what came after it is forgotten."""
        self.seq = seq
        del self.log[seq:]

    def sell(self, order: str, quantity: int = 1, *, session: str = "s", private: Private | None = None) -> bytes:
        """Sell; the order's tickets are named after it."""
        self.totals = Totals(
            self.totals.granted, 0, self.totals.returned, self.totals.sold + quantity, self.totals.cancelled
        )
        tickets = tuple(
            TicketFact(f"{order}-{k}", f"{order}{k}", "t", session, "q", self.epoch, 1250, "EUR")
            for k in range(quantity)
        )
        return self.envelope(
            OrderConfirmed(order, order, "promised", tickets, (self.count(),), START_MS), private=private
        )

    def cancel(self, order: str, quantity: int = 1) -> bytes:
        self.totals = Totals(
            self.totals.granted, 0, self.totals.returned, self.totals.sold, self.totals.cancelled + quantity
        )
        return self.envelope(OrderCancelled(order, tuple(f"{order}-{k}" for k in range(quantity)), (self.count(),)))

    def hear(self, world: World) -> DeviceState:
        """Apply the newest state."""
        state = world.state(self.name)
        if state.inc == self.inc and not state.stop:
            grant = next(each for each in state.grants if each.quota == "q")
            if grant.epoch != self.epoch:
                self.epoch, self.totals = grant.epoch, Totals()
            self.totals = self.totals.merge(Totals(granted=grant.granted))
        return state


class World:
    """A reconciler, its database and its wire; ``run`` lets it work until there is nothing to do."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.wire = Wire()
        self.key = Key()
        self.now_ms = START_MS
        self.reconciler = self.another()
        self.connect()

    def another(self) -> Reconciler:
        """A reconciler process, with nothing in memory."""
        store = SqlStore(self.database)
        return Reconciler(store, self.wire, self.key, ORG, lambda: self.now_ms, lambda: self.now_ms)

    def connect(self) -> None:
        self.wire.incoming.append(Link(True))
        self.run()

    @property
    def inc(self) -> str:
        return str(self.scalar("SELECT inc FROM cloud"))

    def scalar(self, sql: str) -> object:
        with self.database.read() as db:
            return db.exec_driver_sql(sql).scalar()

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with self.database.read() as db:
            return [tuple(row) for row in db.exec_driver_sql(sql)]

    def alarms(self) -> set[str]:
        return {str(row[0]) for row in self.rows("SELECT kind FROM alarm")}

    def say(self, device: str, leaf: str, payload: bytes) -> None:
        self.wire.incoming.append(Message(topics.up(ORG, device, leaf), payload, False))

    def tell(self, device: FakeDevice, *envelopes: bytes) -> None:
        """Deliver messages and let the cloud work."""
        for each in envelopes:
            self.say(device.name, "msg", each)
        self.run()

    def run(self) -> None:
        stop = threading.Event()
        self.reconciler.step(stop)
        while self.wire.incoming:
            self.reconciler.step(stop)

    def tick(self, ms: int = 1000) -> None:
        """Let time pass and the periodic look happen."""
        self.now_ms += ms
        self.reconciler._next_tick = 0
        self.run()

    def state(self, device: str) -> DeviceState:
        return decode(self.wire.retained[topics.down(ORG, device, "state")], DeviceState)

    def acked(self, device: str) -> Ack | None:
        ack = self.last_ack(device)
        return None if ack is None else Ack(ack.inc, ack.upto)

    def last_ack(self, device: str) -> Ack | None:
        """The same with the message that it names."""
        found = [payload for topic, payload in self.wire.out if topic == topics.down(ORG, device, "ack")]
        if not found:
            return None
        ack = decode(found[-1], Ack)
        assert bool(ack.digest) == (ack.upto > 0)
        return ack

    def sent(self, device: str) -> list[Envelope]:
        """Every envelope sent to a device, repeats included."""
        return [
            decode(payload, Envelope) for topic, payload in self.wire.out if topic == topics.down(ORG, device, "msg")
        ]

    def downlink(self, device: str) -> list[Content]:
        """Every message sent to a device so far, each once, in order."""
        contents = [decode(each.content, Content) for each in self.sent(device)]
        return [each for _, each in sorted({each.seq: each for each in contents}.items())]

    def bodies(self, device: str) -> list[object]:
        return [each.body for each in self.downlink(device)]

    def add(self, name: str, venue: str) -> FakeDevice:
        """Register a device, let it say hello and hear its state."""
        register_device(self.database, name, venue, self.now_ms)
        device = FakeDevice(name, venue)
        self.tick()
        device.hello(self)
        self.run()
        device.hear(self)
        return device

    def totals(self) -> dict[tuple[str, int], Totals]:
        """What the rows say, by (device, epoch)."""
        columns = "granted, confirmed, returned, sold, cancelled"
        rows = self.rows(f"SELECT device, epoch, {columns} FROM allocation WHERE quota = 'q'")
        return {(str(row[0]), int(str(row[1]))): Totals(*(int(str(each)) for each in row[2:])) for row in rows}

    def pool(self) -> int:
        limit, extra = self.rows("SELECT \"limit\", extra FROM quota WHERE id = 'q'")[0]
        out = sum(each.granted - each.returned + each.confirmed for each in self.totals().values())
        return int(str(limit)) + int(str(extra)) - out


def import_into(world: World, **figures: int) -> list[str]:
    return apply_catalogue(world.database, catalogue(**figures), {}, world.now_ms)  # type: ignore[arg-type]
