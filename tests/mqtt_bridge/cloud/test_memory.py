"""The same reconciler without a database: every transaction in dictionaries, undone as a whole."""

from __future__ import annotations

import random
import threading

import pytest

from mqtt_bridge.cloud.memory import MemoryStore
from mqtt_bridge.cloud.records import Line, Order, Ticket
from mqtt_bridge.cloud.service import Reconciler
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import Ack
from tests.mqtt_bridge.cloud.world import ORG, START_MS, FakeDevice, Key, Wire, World, catalogue


class MemoryWorld(World):
    """A world on dictionaries."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.store.found(catalogue())
        self.wire, self.key, self.now_ms = Wire(), Key(), START_MS
        self.reconciler = self.another()
        self.connect()

    def another(self) -> Reconciler:
        return Reconciler(self.store, self.wire, self.key, ORG, lambda: self.now_ms, lambda: self.now_ms)

    @property
    def inc(self) -> str:
        return "1.memory"

    def add(self, name: str, venue: str) -> FakeDevice:
        self.store.register(name, venue, self.now_ms)
        device = FakeDevice(name, venue)
        self.tick()
        device.hello(self)
        self.run()
        device.hear(self)
        return device


def test_sales_arrive_repeated_and_reordered_and_count_once() -> None:
    world = MemoryWorld()
    world.store.register("yard-1", "yard", 0)
    hall = world.add("hall-1", "hall")
    assert hall.totals.granted == 11
    envelopes = [hall.sell(f"o{k}", 1 + k % 2) for k in range(6)]
    shuffled = envelopes * 3
    random.Random(7).shuffle(shuffled)
    world.tell(hall, *shuffled)
    rows = world.store.rows
    assert [each.sold for each in rows.all(Line)] == [9]
    assert (len(rows.all(Order)), len(rows.all(Ticket))) == (6, 9)
    assert world.acked("hall-1") == Ack("life-1", 6)


def test_a_commit_that_fails_leaves_nothing_and_is_repeated() -> None:
    world = MemoryWorld()
    hall = world.add("hall-1", "hall")
    world.store.failing = True
    world.say("hall-1", "msg", hall.sell("o1"))
    stop = threading.Event()
    stop.set()  # nobody waits before the next attempt
    world.reconciler.step(stop)
    assert world.store.rows.all(Order) == []
    assert world.acked("hall-1") == Ack("life-1", 0)
    world.store.failing = False
    world.reconciler.step(stop)
    assert [each.id for each in world.store.rows.all(Order)] == ["o1"]
    assert world.acked("hall-1") == Ack("life-1", 1)


def test_a_step_of_a_working_set_is_undone_as_a_whole() -> None:
    world = MemoryWorld()
    hall = world.add("hall-1", "hall")
    work = Work(world.store.rows)
    lines = work.of(Line)
    (line,) = lines.where("device", "hall-1")
    with pytest.raises(ZeroDivisionError), work.step():
        lines.change(line, sold=5)
        lines.add(Line("q", "other", 1))
        lines.remove(lines.where("device", "hall-1")[0])
        raise ZeroDivisionError
    assert lines.where("device", "hall-1") == [line]
    assert lines.where("device", "other") == []
    assert hall.epoch == line.epoch


def test_what_was_read_by_one_column_of_a_key_is_not_asked_for_again() -> None:
    """Also that there is no such record."""
    store = MemoryStore()
    store.rows.insert([Line("q", "hall-1", 1, granted=3)])
    work = Work(store.rows)
    work.of(Line).fetch("device", ["hall-1", "yard-1"])
    store.rows.delete([Line("q", "hall-1", 1)])
    assert work.of(Line).get("q", "hall-1", 1) == Line("q", "hall-1", 1, granted=3)
    store.rows.insert([Line("q", "yard-1", 1, granted=5), Line("q", "barn-1", 1, granted=7)])
    assert work.of(Line).get("q", "yard-1", 1) is None
    assert work.of(Line).get("q", "barn-1", 1) == Line("q", "barn-1", 1, granted=7)
