"""Many venues in one process: signed messages made beforehand, sent as a relay sends them, counted when acknowledged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mqtt_bridge.mailbox.parcels import packed
from mqtt_bridge.mailbox.rows import Outgoing
from mqtt_bridge.mailbox.sender import hash_of, numbered
from mqtt_bridge.protocol import ids, topics
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Quota, TicketType, Venue
from mqtt_bridge.protocol.codec import decode, encode, key_id
from mqtt_bridge.protocol.messages import (
    Ack,
    CheckedIn,
    ContactCodeEntered,
    DeviceState,
    Hello,
    OrderConfirmed,
    OrderPending,
    PaymentTaken,
    Private,
    StockCount,
    TicketFact,
    Uplink,
)
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.transport import Message, Transport

ORG = "bench"
LIMIT = 2_000_000
QUOTAS = 4
PER_PARCEL = 16
MOST_UNDER_WAY = 3_000
PATIENCE_S = 60.0


class Key:
    """A signing key in memory."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public, self.kid = public.hex(), key_id(public)

    def sign(self, data: bytes) -> bytes:
        """Return the signature."""
        return self._key.sign(data)


def catalogue(venues: int) -> Catalogue:
    """A session at every venue, whose one ticket type draws from one of a few quotas that venues share."""
    at = tuple(session(k) for k in range(venues))
    places = tuple(Venue(venue_name(k), venue_name(k), "") for k in range(venues))
    return Catalogue(0, places, (Event(ids.event_id("bench"), "bench", "Bench", "", at),))


def session(number: int) -> EventSession:
    """The session of a venue; the first ones carry the quotas."""
    key = f"s{number}"
    quota = ids.quota_id("bench", f"s{number % QUOTAS}", "seats")
    kind = TicketType(ids.ticket_type_id("bench", key, "Seat"), "Seat", quota, 1250, "EUR")
    quotas = (Quota(quota, "seats", LIMIT),) if number < QUOTAS else ()
    at = ids.event_session_id("bench", key)
    return EventSession(at, key, venue_name(number), 1, 4_000_000_000_000, "UTC", quotas, (kind,))


def venue_name(number: int) -> str:
    """The name of a venue, and of its one device."""
    return f"venue-{number:04}"


@dataclass
class Device:
    """One venue's device: what it has still to send, and how far it was acknowledged."""

    name: str
    number: int
    org: str = ORG
    key: Key = field(default_factory=Key)
    seq: int = 0
    acked: int = 0
    epoch: int = 0
    granted: int = 0
    sold: int = 0
    last: str = ""
    waiting: deque[Outgoing] = field(default_factory=deque)

    def hello(self) -> bytes:
        """The first word."""
        last = ("life", self.seq)
        hello = Hello(self.name, self.name, *last, self.key.kid, self.key.public, (), Ack("", 0), now_ms())
        return encode(hello)

    def heard(self, state: DeviceState) -> None:
        """Take over the epoch and what was granted of the quota this device sells from."""
        kind = session(self.number).ticket_types[0]
        for grant in state.grants:
            if grant.quota == kind.quota:
                self.epoch, self.granted = grant.epoch, grant.granted

    def sell(self, orders: int, *, whole: bool) -> int:
        """Prepare orders of two tickets; with ``whole`` each is also paid and both its tickets scanned. Returns how many messages."""
        before = self.seq
        for _ in range(orders):
            self._order(whole)
        return self.seq - before

    def _order(self, whole: bool) -> None:
        at = session(self.number)
        kind = at.ticket_types[0]
        self.sold += 2
        order = f"{self.name}-{self.seq:032}"
        tickets = tuple(
            TicketFact(f"{order}-{k}", "ABCD2345", kind.id, at.id, kind.quota, self.epoch, 1250, "EUR")
            for k in range(2)
        )
        stock = StockCount(kind.quota, self.epoch, Totals(granted=self.granted, sold=self.sold))
        self._put(OrderConfirmed(order, "ABCD2345", "promised", tickets, (stock,), now_ms()))
        if whole:
            names = tuple(each.ticket for each in tickets)
            self._put(PaymentTaken(order, f"p-{order}", "cash", 2500, "EUR", "A7", True, names))
            for each in names:
                self._put(CheckedIn(f"c-{each}", "admitted", None, each, at.id, "A7", now_ms()))

    def enrol(self, orders: int) -> list[str]:
        """Prepare pre-enrolments of one ticket, each with a contact of its own; return their order ids."""
        at = session(self.number)
        kind = at.ticket_types[0]
        made = []
        for _ in range(orders):
            self.sold += 1
            order = f"{self.name}-{self.seq:032}"
            ticket = TicketFact(f"{order}-0", "ABCD2345", kind.id, at.id, kind.quota, self.epoch, 1250, "EUR")
            stock = StockCount(kind.quota, self.epoch, Totals(granted=self.granted, sold=self.sold))
            person = Private("salt", "Ada", f"{order}@example.org")
            body = OrderPending(order, "ABCD2345", "promised", (ticket,), (stock,), now_ms(), "contact", "mail")
            self._put(body, person)
            made.append(order)
        return made

    def type_code(self, order: str, code: str) -> None:
        """Prepare what a guest typed."""
        self._put(ContactCodeEntered(order, code))

    def _put(self, body: Uplink, private: Private | None = None) -> None:
        self.seq += 1
        row = numbered(
            "life",
            self.seq,
            body,
            signer=self.key,
            org=self.org,
            sender=self.name,
            origin=self.name,
            wall_ms=now_ms(),
            private=private,
            follows=self.last,
        )
        self.last = hash_of(row.envelope)
        self.waiting.append(row)


class Fleet:
    """All devices of a cloud over one connection."""

    def __init__(self, url: str, venues: int, org: str = ORG) -> None:
        self.devices = {venue_name(k): Device(venue_name(k), k, org) for k in range(venues)}
        self._org = org
        filters = [topics.down(org, "+", "ack"), topics.down(org, "+", "state")]
        self._transport = Transport(url, f"{org}-fleet", filters)
        self._transport.start()

    def introduce(self) -> None:
        """Say hello, again where nothing was heard, until every device has stock."""
        end = time.monotonic() + PATIENCE_S
        while left := [each for each in self.devices.values() if not each.granted]:
            for each in left:
                self._transport.publish(topics.up(self._org, each.name, "hello"), each.hello())
            self._listen(2.0, lambda left=left: all(each.granted for each in left))
            if time.monotonic() > end:
                raise RuntimeError(f"{len(left)} devices were granted nothing")
        self._transport.unsubscribe(topics.down(self._org, "+", "state"))  # nobody reads them while other fleets send

    def send(self) -> float:
        """Send everything, as much under way as a relay would have, and return the seconds until all is acknowledged."""
        began = time.monotonic()
        turns = deque(each for each in self.devices.values() if each.waiting)
        left = sum(len(each.waiting) for each in turns)
        under_way = 0
        while left:
            while turns and under_way < MOST_UNDER_WAY:
                device = turns.popleft()
                parcel = [device.waiting.popleft() for _ in range(min(PER_PARCEL, len(device.waiting)))]
                leaf, payload = packed(parcel)
                self._transport.publish(topics.up(self._org, device.name, leaf), payload)
                under_way += len(parcel)
                if device.waiting:
                    turns.append(device)
            done = sum(self._acks(0.5))
            under_way -= done
            left -= done
            if time.monotonic() - began > PATIENCE_S * 5:
                raise RuntimeError(f"{left} messages were not acknowledged")
        return time.monotonic() - began

    def _acks(self, timeout_s: float) -> Iterator[int]:
        """How many messages each ack that arrives is news for."""
        event = self._transport.get(timeout_s)
        while event is not None:
            if isinstance(event, Message) and event.topic.endswith("/ack"):
                device = self.devices[event.topic.split("/")[4]]
                upto = decode(event.payload, Ack).upto
                yield max(0, upto - device.acked)
                device.acked = max(device.acked, upto)
            event = self._transport.get(0)

    def _listen(self, seconds: float, until: object) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and not until():  # type: ignore[operator]
            event = self._transport.get(0.1)
            if isinstance(event, Message) and event.topic.endswith("/state"):
                state = decode(event.payload, DeviceState)
                self.devices[state.device].heard(state)

    def stop(self) -> None:
        """Disconnect."""
        self._transport.stop()


def now_ms() -> int:
    """The wall clock in ms."""
    return time.time_ns() // 1_000_000
