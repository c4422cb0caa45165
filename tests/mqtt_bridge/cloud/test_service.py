"""The whole loop, mostly over a real broker and the real transport."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from mqtt_bridge.broker import EmbeddedBroker
from mqtt_bridge.cloud import inbox, planner
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.incoming import Outcome
from mqtt_bridge.cloud.planning import plan_quotas
from mqtt_bridge.cloud.process import run_reconciler
from mqtt_bridge.cloud.rows import Rows
from mqtt_bridge.cloud.service import Reconciler
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud, register_device
from mqtt_bridge.database import Database
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.codec import decode, digest, encode
from mqtt_bridge.protocol.messages import Ack, DeviceState, Envelope, Hello
from mqtt_bridge.transport import Message, Transport
from tests.mqtt_bridge.cloud.world import ORG, FakeDevice, Key, World, catalogue, import_into


class Phone:
    """A device on the wire: publishes and remembers the newest payload per topic."""

    def __init__(self, url: str, name: str) -> None:
        filters = [topics.down(ORG, name, leaf) for leaf in ("state", "ack", "msg")]
        self.transport = Transport(url, f"test-{name}", [*filters, topics.everyone(ORG, "#")])
        self.name = name
        self.newest: dict[str, bytes] = {}
        self.transport.start()

    def say(self, leaf: str, payload: bytes) -> None:
        until(lambda: self.transport.connected, "the connection")
        assert self.transport.publish(topics.up(ORG, self.name, leaf), payload)

    def heard(self, topic: str) -> bytes | None:
        while (event := self.transport.get(0.02)) is not None:
            if isinstance(event, Message):
                self.newest[event.topic] = event.payload
        return self.newest.get(topic)

    def state(self) -> DeviceState | None:
        payload = self.heard(topics.down(ORG, self.name, "state"))
        return decode(payload, DeviceState) if payload else None


def until(condition: Callable[[], object], what: str, limit_s: float = 15) -> None:
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"waited {limit_s} s for {what}"
        time.sleep(0.02)


@pytest.fixture
def port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_cloud(tmp_path / "cloud.db")
    apply_catalogue(opened, catalogue(), {}, 1)
    for name, venue in (("hall-1", "hall"), ("yard-1", "yard")):
        register_device(opened, name, venue, 1)
    yield opened
    opened.close()


def reconciling(database: Database, url: str, stop: threading.Event) -> threading.Thread:
    """A reconciler in a thread of its own."""
    transport = Transport(url, f"reconciler-{time.monotonic_ns()}")
    arguments = (database, transport, Key(), ORG, lambda: time.time_ns() // 1_000_000, stop)
    thread = threading.Thread(target=run_reconciler, args=arguments)
    thread.start()
    return thread


def test_a_device_is_granted_stock_and_its_sale_acknowledged_over_a_real_broker(port: int, database: Database) -> None:
    """Also across a death of the broker with everything it retained."""
    stop = threading.Event()
    broker = EmbeddedBroker(port).start()
    thread = reconciling(database, broker.url, stop)
    phone, device = Phone(broker.url, "hall-1"), FakeDevice("hall-1", "hall")
    try:
        hello = Hello("hall-1", "hall", "life-1", 0, device.key.kid, device.key.public, (), Ack("", 0), 1)

        def granted() -> bool:
            phone.say("hello", encode(hello))
            state = phone.state()
            return state is not None and state.inc == "life-1"

        until(granted, "the first grant")
        state = phone.state()
        assert state is not None
        assert (state.grants[0].granted, state.grants[0].elsewhere) == (11, 14)
        device.epoch, device.totals = state.grants[0].epoch, device.totals.merge(device.totals)
        sale = device.sell("o1", 2)
        phone.say("msg", sale)
        acknowledged = encode(Ack("life-1", 1, digest(decode(sale, Envelope).content), 1))
        until(lambda: phone.heard(topics.down(ORG, "hall-1", "ack")) == acknowledged, "the acknowledgement")
        broker.stop()
        phone.newest.clear()
        broker.start()
        until(lambda: phone.state() and phone.heard(topics.everyone(ORG, "catalogue")), "everything, from a new broker")
        apply_catalogue(database, catalogue(limit=40), {}, 2)
        until(lambda: b'"version":2' in (phone.heard(topics.everyone(ORG, "catalogue")) or b""), "the new catalogue")
        with database.read() as db:
            assert db.exec_driver_sql("SELECT sold FROM allocation").scalar_one() == 2
    finally:
        stop.set()
        phone.transport.stop()
        thread.join(10)
        broker.stop()
    assert not thread.is_alive()


def test_a_long_backlog_is_not_interrupted_by_looks_that_nobody_waits_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planned once after a backlog of many batches, and everything that was due comes after all."""
    monkeypatch.setattr(inbox, "LARGEST_BATCH", 2)
    planned = []

    def plan(rows: Rows, quotas: Iterable[str], wall_ms: int, catalogues: Catalogues) -> Outcome:
        planned.append(sorted(quotas))
        return plan_quotas(rows, quotas, wall_ms, catalogues)

    monkeypatch.setattr(planner, "plan_quotas", plan)
    import_into(world, limit=100)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")

    def now_ms() -> int:
        return world.now_ms

    store = SqlStore(world.database)
    world.reconciler = Reconciler(store, world.wire, world.key, ORG, now_ms, now_ms, look_ahead=lambda _reads: None)
    world.connect()
    hall.hear(world)
    before = hall.totals.granted
    planned.clear()
    while hall.totals.sold < before - 1:
        world.say("hall-1", "msg", hall.sell(f"o{hall.totals.sold}"))
    world.say("yard-1", "msg", yard.sell("for-the-hall", session="s"))
    world.run()
    assert planned == []
    world.tick()
    assert 1 <= len(planned) <= 2
    assert [type(each).__name__ for each in world.bodies("hall-1")] == ["OrderConfirmed"]


class _Meanwhile(threading.Event):
    """Waiting lets something happen."""

    def __init__(self, happens: Callable[[], None]) -> None:
        super().__init__()
        self._happens = happens
        self.waits: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout)
        self._happens()
        return False


def test_under_load_a_small_batch_waits_for_more_and_a_single_sale_never_does(world: World) -> None:
    import_into(world, limit=1000)
    hall = world.add("hall-1", "hall")
    stop = _Meanwhile(lambda: world.say("hall-1", "msg", hall.sell("came-meanwhile")))
    world.say("hall-1", "msg", hall.sell("alone"))
    world.reconciler.step(stop)
    world.say("hall-1", "msg", hall.sell("alone-too"))
    world.reconciler.step(stop)
    assert stop.waits == []
    for k in range(inbox.MANY):
        world.say("hall-1", "msg", hall.sell(f"many-{k}"))
    world.reconciler.step(stop)
    world.say("hall-1", "msg", hall.sell("few"))
    world.reconciler.step(stop)
    assert stop.waits == [inbox.GATHERING_MS / 1000]
    assert world.acked("hall-1") == Ack("life-1", inbox.MANY + 4)
    world.now_ms += inbox.GATHERING_MS + 1
    world.say("hall-1", "msg", hall.sell("later"))
    world.reconciler.step(stop)
    assert len(stop.waits) == 1
