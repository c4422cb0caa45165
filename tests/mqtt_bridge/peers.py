"""A device and a cloud reduced to what the relay needs: real databases, mailboxes, keys and transports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, func, insert, select

from mqtt_bridge.database import Database
from mqtt_bridge.edge import Names
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.mailbox import receiver, sender, tables
from mqtt_bridge.mailbox.pump import Pump
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import decode, encode, open_envelope, public_key
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import (
    Ack,
    CheckInUndone,
    Content,
    DeviceState,
    Envelope,
    HardwareReport,
    HardwareState,
    Hello,
    KeyDirectory,
    Private,
    QuotaNeed,
    Status,
)
from mqtt_bridge.relay import Relay, edge_transport
from mqtt_bridge.transport import Link, Message, Transport

T = TypeVar("T")
ORG, DEVICE, INC, GENERATION = "org", "venue-1", "life-1", "gen-1"
SECONDS = 30.0

extra = MetaData()
applied = Table(
    "applied", extra, Column("place", Integer, primary_key=True), Column("inc", String), Column("name", String)
)


def until(condition: Callable[[], T], timeout_s: float = SECONDS) -> T:
    """Return the first true result of ``condition``; fail after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, "the awaited condition never came true"
        time.sleep(0.02)


def fact(name: str) -> CheckInUndone:
    return CheckInUndone(check_in=name, ticket=None, staff="")


def open_database(path: Path) -> Database:
    database = Database(path)
    database.create(tables.metadata, extra)
    return database


def names_applied(database: Database) -> list[str]:
    with database.read() as db:
        return list(db.execute(select(applied.c.name).order_by(applied.c.place)).scalars())


def note(db: Connection, content: Content) -> None:
    assert isinstance(content.body, CheckInUndone)
    place = (db.execute(select(func.max(applied.c.place))).scalar() or 0) + 1
    db.execute(insert(applied).values(place=place, inc=content.inc, name=content.body.check_in))


class Unit:
    def __init__(self, db: Connection) -> None:
        self.db = db
        self.mail = SqlMail(db)


class Device:
    """A device with an outbox; ``failing`` names handlers that raise for now."""

    def __init__(self, folder: Path, url: str, cloud_key: str) -> None:
        self.names = Names(ORG, DEVICE, cloud_key)
        self.key = KeyFile(folder / "device.pem")
        self.database = open_database(folder / "device.db")
        self.inc = INC
        self.failing: set[str] = set()
        self.seen: list[object] = []
        self.links: list[bool] = []
        self.missing: tuple[str, ...] = ()
        self.wanted: tuple[QuotaNeed, ...] = ()
        self.hardware_states: tuple[HardwareState, ...] = ()
        self.transport = edge_transport(url, self.names)
        self.relay: Relay[Unit] = Relay(self.transport, self.names, self.in_unit, self.in_view, self)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.relay.run, args=(self._stop,), daemon=True)

    def in_unit(self, use_case: Callable[[Unit], T], /) -> T:
        return self.database.run(lambda db: use_case(Unit(db)))

    def in_view(self, query: Callable[[Unit], T], /) -> T:
        with self.database.read() as db:
            return query(Unit(db))

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.relay.wake()
        if self._thread.ident is not None:
            self._thread.join(15)
            assert not self._thread.is_alive()
        self.database.close()

    def emit(self, *facts: str) -> None:
        def use_case(unit: Unit) -> None:
            for name in facts:
                sender.enqueue(
                    unit.mail,
                    "cloud",
                    self.inc,
                    fact(name),
                    signer=self.key,
                    org=ORG,
                    sender=DEVICE,
                    origin=DEVICE,
                    wall_ms=1,
                )

        self.in_unit(use_case)
        self.relay.wake()

    def waiting(self) -> int:
        with self.database.read() as db:
            return SqlMail(db).backlog("cloud")[0]

    def _may(self, what: str) -> None:
        if what in self.failing:
            raise RuntimeError(f"{what} is broken for now")

    def hello(self, unit: Unit, /) -> Hello:
        self._may("hello")
        last = unit.mail.last_seq("cloud", self.inc)
        far = Ack(GENERATION, unit.mail.received("cloud", GENERATION))
        return Hello(DEVICE, "v", self.inc, last, self.key.kid, self.key.public_hex, (), far, 1)

    def status(self, unit: Unit, /) -> Status:
        self._may("status")
        return Status(DEVICE, "v", self.inc, *unit.mail.backlog("cloud"), (), True, {}, 1)

    def hardware(self, unit: Unit, /) -> HardwareReport | None:
        self._may("health")
        return HardwareReport(DEVICE, "v", self.hardware_states, 1, 2) if self.hardware_states else None

    def needs(self, unit: Unit, /) -> tuple[QuotaNeed, ...]:
        return self.wanted

    def missing_assets(self, unit: Unit, /) -> tuple[str, ...]:
        return self.missing

    def apply_state(self, unit: Unit, state: DeviceState, /) -> None:
        self._may("state")
        self.seen.append(state)

    def went_back(self, unit: Unit, inc: str, /) -> None:
        self.seen.append(("went back", inc))

    def apply_catalogue(self, unit: Unit, catalogue: Catalogue, /) -> None:
        self._may("catalogue")
        self.seen.append(catalogue)

    def apply_keys(self, unit: Unit, keys: KeyDirectory, /) -> None:
        self.seen.append(keys)

    def apply_asset(self, unit: Unit, sha256: str, media_type: str, body: bytes, /) -> None:
        self.missing = tuple(each for each in self.missing if each != sha256)
        self.seen.append((sha256, media_type, body))

    def apply_message(self, unit: Unit, content: Content, private: Private | None, /) -> None:
        note(unit.db, content)
        self._may("message")

    def link_changed(self, unit: Unit, up: bool, /) -> None:
        self._may("link")
        self.links.append(up)


class Cloud:
    """Plays the reconciler for one device: receives with the real mailbox, acknowledges after COMMIT only."""

    def __init__(self, folder: Path, url: str) -> None:
        self.key = KeyFile(folder / "cloud.pem")
        self.database = open_database(folder / "cloud.db")
        wanted = [topics.up(ORG, "+", leaf) for leaf in ("msg", "batch", "ack", "hello", "status", "need", "link")]
        self.transport = Transport(url, "cloud", wanted)
        self.device_key = public_key(KeyFile(folder / "device.pem").public_hex)
        self.received: dict[str, list[bytes]] = {}
        self.acknowledging = True
        self.answering = True
        self.upto: int | None = None
        self._pump = Pump(DEVICE)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)

    def start(self) -> None:
        self.transport.start()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self.transport.wake()
        self._thread.join(15)
        assert not self._thread.is_alive()
        self.transport.stop()
        self.database.close()

    def emit(self, *facts: str) -> None:
        def send(db: Connection) -> None:
            for name in facts:
                sender.enqueue(
                    SqlMail(db),
                    DEVICE,
                    GENERATION,
                    fact(name),
                    signer=self.key,
                    org=ORG,
                    sender="cloud",
                    origin=DEVICE,
                    wall_ms=1,
                )

        self.database.run(send)
        self.transport.wake()

    def waiting(self) -> int:
        with self.database.read() as db:
            return SqlMail(db).backlog(DEVICE)[0]

    def state(self, revision: int = 1) -> DeviceState:
        with self.database.read() as db:
            upto = SqlMail(db).received(DEVICE, INC) if self.upto is None else self.upto
        return DeviceState(DEVICE, INC, revision, upto, (), True, False, 1)

    def down(self, leaf: str, payload: bytes, retain: bool = False) -> bool:
        return self.transport.publish(topics.down(ORG, DEVICE, leaf), payload, retain)

    def _live(self) -> None:
        while not self._stop.is_set():
            event = self.transport.get(0.2)
            if isinstance(event, Link):
                self._pump.restart()
            elif isinstance(event, Message):
                with suppress(ProtocolError):
                    self._on(event)
            with self.database.read() as db:
                rows = self._pump.due(SqlMail(db), time.monotonic_ns() // 1_000_000) if self.transport.connected else []
            for row in rows:
                if self.down("msg", row.envelope):
                    self._pump.sent([row], time.monotonic_ns() // 1_000_000)

    def _on(self, event: Message) -> None:
        leaf = event.topic.rsplit("/", 1)[1]
        self.received.setdefault(leaf, []).append(event.payload)
        if leaf == "hello" and self.answering:
            self.down("state", encode(self.state()), retain=True)
        elif leaf == "ack":
            ack = decode(event.payload, Ack)
            self.database.run(lambda db: SqlMail(db).acknowledge(DEVICE, ack, 1))
        elif leaf == "batch":
            for each in msgspec.json.decode(event.payload, type=list[msgspec.Raw]):
                self._on(Message(topics.up(ORG, DEVICE, "msg"), bytes(each), event.retained))
        elif leaf == "msg":
            ack = self.database.run(
                lambda db: receiver.receive(SqlMail(db), DEVICE, event.payload, self._open, self._apply(db), 1)
            )
            if self.acknowledging:
                self.down("ack", encode(ack))

    def _open(self, payload: bytes) -> tuple[Content, Private | None]:
        envelope = decode(payload, Envelope)
        return open_envelope(envelope, self.device_key), envelope.private

    @staticmethod
    def _apply(db: Connection) -> Callable[[Content, Private | None], None]:
        return lambda content, _private: note(db, content)
