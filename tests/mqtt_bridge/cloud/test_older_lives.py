"""A card that was put back into a life that is over: when it goes on, and how a second card of the same name is told from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.cloud.greetings import ANOTHER_CARD_MS
from mqtt_bridge.cloud.losses import seal_device
from mqtt_bridge.cloud.store import open_cloud
from mqtt_bridge.protocol.messages import Ack
from tests.mqtt_bridge.cloud.world import FakeDevice, World, import_into


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    opened = open_cloud(tmp_path / "cloud.db")
    made = World(opened)
    import_into(made)
    yield made
    opened.close()


@pytest.fixture
def hall(world: World) -> FakeDevice:
    """A device in its second life."""
    device = world.add("hall-1", "hall")
    device.inc, device.seq, device.log, device.epoch = "life-2", 0, [], 0
    device.hello(world, began="went_back")
    world.run()
    return device


@pytest.fixture
def older(hall: FakeDevice) -> FakeDevice:
    """Its card as it was in the first one."""
    return FakeDevice(hall.name, hall.venue, hall.key)


def says_hello(world: World, older: FakeDevice, later_ms: int = 0) -> bool:
    """Let time pass and the older life say hello; whether it is told to begin another one."""
    world.tick(later_ms)
    older.hello(world)
    world.run()
    state = world.state("hall-1")
    return (state.inc, state.stop) == (older.inc, True)


@pytest.mark.fault(18)
def test_where_nobody_else_speaks_it_is_told_to_begin_another_life(world: World, older: FakeDevice) -> None:
    """What it then sells from has an epoch of its own, and its messages are acknowledged there."""
    before = world.state("hall-1").grants[0].epoch
    assert not says_hello(world, older)
    assert not says_hello(world, older, ANOTHER_CARD_MS - 1)
    assert says_hello(world, older, 1)
    older.inc = "life-3"
    older.hello(world, began="told")
    world.run()
    state = world.state("hall-1")
    assert (state.inc, state.stop) == ("life-3", False)
    assert state.grants[0].epoch > before
    assert world.alarms() == {"old-life", "went-back"}


@pytest.mark.fault(19)
@pytest.mark.parametrize("word", ["hello", "status", "need", "msg"])
def test_while_the_present_life_speaks_it_waits(world: World, hall: FakeDevice, older: FakeDevice, word: str) -> None:
    """Two cards of one name take the broker from each other, so each is heard by turns."""
    says = {
        "hello": lambda: hall.hello(world),
        "status": lambda: hall.status(world),
        "need": lambda: hall.need(world, 1),
        "msg": lambda: world.tell(hall, hall.sell(f"o{hall.seq}")),
    }
    for _ in range(4):
        assert not says_hello(world, older, ANOTHER_CARD_MS // 2)
        says[word]()
        world.run()
    assert world.state("hall-1").inc == "life-2"
    assert not says_hello(world, older)
    assert says_hello(world, older, ANOTHER_CARD_MS)


def test_other_words_of_the_older_life_are_no_word_of_the_present_one(world: World, older: FakeDevice) -> None:
    assert not says_hello(world, older)
    older.status(world)
    older.need(world, 1)
    assert says_hello(world, older, ANOTHER_CARD_MS)


def test_a_third_card_is_waited_for_by_itself(world: World, hall: FakeDevice, older: FakeDevice) -> None:
    hall.inc = "life-3"
    hall.hello(world, began="went_back")
    second = FakeDevice(hall.name, hall.venue, hall.key, "life-2")
    for _ in range(3):
        assert not says_hello(world, older, ANOTHER_CARD_MS // 2)
        assert not says_hello(world, second, ANOTHER_CARD_MS // 2)


def test_a_cloud_whose_clock_was_set_back_waits_again(world: World, older: FakeDevice) -> None:
    assert not says_hello(world, older)
    assert not says_hello(world, older, -10 * ANOTHER_CARD_MS)
    assert not says_hello(world, older, ANOTHER_CARD_MS // 2)
    assert says_hello(world, older, ANOTHER_CARD_MS // 2)


def test_of_a_sealed_name_the_older_life_is_evidence_too(world: World, older: FakeDevice) -> None:
    """It need not begin another one to tell what it sold: nothing is granted to it."""
    sold = older.sell("o1")
    seal_device(world.database, "hall-1", "op", "lost", world.now_ms, log=None)
    assert not says_hello(world, older)
    assert world.state("hall-1").inc == "life-2"
    assert not says_hello(world, older, ANOTHER_CARD_MS)
    state = world.state("hall-1")
    assert (state.inc, state.stop, state.sealed) == ("life-1", False, True)
    world.tell(older, sold)
    assert world.acked("hall-1") == Ack("life-1", 1)
    assert world.rows("SELECT id FROM orders") == [("o1",)]
