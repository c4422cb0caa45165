"""Many reconcilers: who listens to whom, how one takes over from another, and that overlaps and gaps harm nothing."""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.broker import EmbeddedBroker
from mqtt_bridge.cloud.members import GONE_AFTER_MS, Membership, filters, owner
from mqtt_bridge.cloud.memory import MemoryStore
from mqtt_bridge.cloud.process import ticks_ms
from mqtt_bridge.cloud.records import Member
from mqtt_bridge.cloud.service import Reconciler
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud, register_device
from mqtt_bridge.database import Database
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.messages import Ack, DeviceState, Hello
from mqtt_bridge.transport import Message, Transport
from tests.mqtt_bridge.cloud.test_memory import MemoryWorld
from tests.mqtt_bridge.cloud.world import ORG, FakeDevice, Key, catalogue
from tests.support.ports import free_port

DEVICES = [f"device-{k}" for k in range(300)]


def test_all_members_agree_and_share_about_evenly() -> None:
    shares = Counter(owner(each, ["a", "b", "c"]) for each in DEVICES)
    assert shares == Counter(owner(each, ["c", "a", "b"]) for each in DEVICES)
    assert min(shares.values()) > 70


def test_only_the_devices_of_a_member_that_goes_move() -> None:
    before = {each: owner(each, ["a", "b", "c"]) for each in DEVICES}
    after = {each: owner(each, ["a", "c"]) for each in DEVICES}
    assert {each for each in DEVICES if before[each] != after[each]} == {
        each for each in DEVICES if before[each] == "b"
    }


def beat(store: MemoryStore, member: Membership, now_ms: int) -> None:
    store.run(lambda rows: member.beat(rows, now_ms))


def test_members_find_each_other_and_notice_who_falls_silent() -> None:
    """Each counts time by its own clock, whatever that shows."""
    store, one, two = MemoryStore(), Membership("one"), Membership("two")
    beat(store, one, 0)
    assert one.alone
    beat(store, two, 5_000_000)
    assert two.alone  # it does not know yet whether the other one is alive
    beat(store, one, 1_000)
    assert one.live == ("one", "two")
    beat(store, two, 5_001_000)
    assert two.live == ("one", "two")
    assert (one.first, two.first) == (True, False)
    for step in range(1, 5):
        beat(store, two, 5_001_000 + step * 1_000)
    assert two.alone
    assert two.first
    beat(store, one, 9_000)
    beat(store, two, 5_006_000)
    assert two.live == ("one", "two")
    store.run(one.leave)
    beat(store, two, 5_007_000)
    assert two.alone


def test_who_was_killed_long_ago_is_forgotten() -> None:
    store, one = MemoryStore(), Membership("one")
    store.run(lambda rows: rows.insert([Member("dead", 7)]))
    for second in range(70):
        beat(store, one, 1_000 * second)
        assert one.alone
    assert [each.id for each in store.rows.all(Member)] == ["one"]


def test_alone_a_member_hears_everything_together_each_its_own() -> None:
    one, two = Membership("one"), Membership("two")
    assert filters(ORG, one, DEVICES) == {topics.up(ORG, "+", "+")}
    one.live = two.live = ("one", "two")
    mine, theirs = filters(ORG, one, DEVICES), filters(ORG, two, DEVICES)
    strangers = topics.up(ORG, "+", "hello")
    assert mine & theirs == set()
    assert mine | theirs == {topics.up(ORG, each, "+") for each in DEVICES} | {strangers}
    assert strangers in mine


def test_subscriptions_that_move_overlap_for_some_seconds() -> None:
    world = MemoryWorld()
    hall = world.add("hall-1", "hall")
    other = Membership("other")
    for _ in range(2):
        beat(world.store, other, 0)
        world.tick()
    assert set(world.wire.filters) == {topics.up(ORG, "+", "+"), *filters(ORG, world.reconciler.membership, ["hall-1"])}
    world.tell(hall, hall.sell("o1"))
    for _ in range(3):
        beat(world.store, other, 0)
        world.tick()
    assert set(world.wire.filters) == filters(ORG, world.reconciler.membership, ["hall-1"])
    for _ in range(GONE_AFTER_MS // 1_000 + 1):
        world.tick()
    assert topics.up(ORG, "+", "+") in world.wire.filters


def test_keys_that_a_member_published_late_are_published_again_when_it_is_back() -> None:
    """It was held up between reading and publishing, long enough to be given up: what it says is older than what was said."""
    world = MemoryWorld()
    world.add("hall-1", "hall")
    keys = topics.everyone(ORG, "keys")
    newest, world.wire.retained[keys] = world.wire.retained[keys], b"older"
    world.tick()
    assert world.wire.retained[keys] == b"older"
    beat(world.store, Membership("other"), 0)
    world.tick()
    assert world.wire.retained[keys] == newest


class Venue:
    """A device on a real broker that sends again what nobody acknowledged, as a relay does."""

    def __init__(self, url: str, name: str) -> None:
        self.device = FakeDevice(name, "hall")
        self.acked = 0
        self.transport = Transport(url, f"test-{name}", [topics.down(ORG, name, leaf) for leaf in ("state", "ack")])
        self.transport.start()

    def say_hello(self) -> None:
        key, sent = self.device.key, ("life-1", self.device.seq)
        hello = Hello(self.device.name, "hall", *sent, key.kid, key.public, (), Ack("", 0), 1)
        self._publish("hello", encode(hello))

    def work(self) -> bool:
        """Send what is not acknowledged, hear what arrives; tells whether all is acknowledged."""
        if not self.device.epoch:
            self.say_hello()
        for envelope in self.device.log[self.acked :]:
            self._publish("msg", envelope)
        end = time.monotonic() + 0.3
        while time.monotonic() < end and not (self.device.epoch and self.acked == len(self.device.log)):
            event = self.transport.get(0.05)
            if isinstance(event, Message) and event.topic.endswith("/ack"):
                self.acked = max(self.acked, decode(event.payload, Ack).upto)
            elif isinstance(event, Message):
                state = decode(event.payload, DeviceState)
                self.device.epoch = next((each.epoch for each in state.grants), 0)
        return self.device.epoch > 0 and self.acked == len(self.device.log)

    def _publish(self, leaf: str, payload: bytes) -> None:
        self.transport.publish(topics.up(ORG, self.device.name, leaf), payload)


class Running:
    """A reconciler in a thread; ``kill`` lets it stop without a word."""

    def __init__(self, database: Database, url: str, key: Key) -> None:
        self._stop = threading.Event()
        self.transport = Transport(url, f"reconciler-{secrets.token_hex(4)}")
        self.reconciler = Reconciler(
            SqlStore(database),
            self.transport,
            key,
            ORG,
            lambda: time.time_ns() // 1_000_000,
            ticks_ms,
            name=secrets.token_hex(4),
        )
        self._thread = threading.Thread(target=self._run)
        self.transport.start()
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.reconciler.step(self._stop)

    def kill(self) -> None:
        self._stop.set()
        self._thread.join(20)
        self.transport.stop()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_cloud(tmp_path / "cloud.db")
    apply_catalogue(opened, catalogue(limit=1000), {}, 1)
    yield opened
    opened.close()


def everything_is_acknowledged(venues: list[Venue], within_s: float) -> None:
    end = time.monotonic() + within_s
    while not all([each.work() for each in venues]):  # noqa: C419  each works once per round
        assert time.monotonic() < end, f"{[(each.device.name, each.acked) for each in venues]}"


def sell(venues: list[Venue], order: str) -> None:
    for each in venues:
        each.device.sell(f"{each.device.name}-{order}")


def test_reconcilers_join_and_are_killed_while_venues_sell(database: Database) -> None:
    """Nothing is lost or counted twice, and whoever is left takes over within seconds."""
    names = [f"hall-{k}" for k in range(5)]
    for name in names:
        register_device(database, name, "hall", 1)
    key = Key()
    with EmbeddedBroker(free_port()) as broker:
        first = Running(database, broker.url, key)
        venues = [Venue(broker.url, each) for each in names]
        try:
            everything_is_acknowledged(venues, 30)
            sell(venues, "o1")
            everything_is_acknowledged(venues, 20)
            second = Running(database, broker.url, key)
            for k in range(2, 6):
                sell(venues, f"o{k}")
                everything_is_acknowledged(venues, 20)
            first.kill()
            sell(venues, "o6")
            everything_is_acknowledged(venues, 20)
            second.kill()
        finally:
            for each in venues:
                each.transport.stop()
            first.kill()
    with database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM orders").scalar_one() == 30
        assert db.exec_driver_sql("SELECT sum(sold) FROM allocation").scalar_one() == 30
        assert db.exec_driver_sql("SELECT kind, detail FROM alarm").all() == []
