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

# Who is not answered says hello so often, at least.
HALF = ANOTHER_CARD_MS // 2


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
    assert not says_hello(world, older, HALF)
    assert not says_hello(world, older, HALF - 1)
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
        assert not says_hello(world, older, HALF)
        assert not says_hello(world, older, HALF)
        says[word]()
        world.run()
    assert world.state("hall-1").inc == "life-2"
    assert [says_hello(world, older, HALF) for _ in range(3)] == [False, False, True]


def test_other_words_of_the_older_life_are_no_word_of_the_present_one(world: World, older: FakeDevice) -> None:
    assert not says_hello(world, older)
    older.status(world)
    older.need(world, 1)
    assert [says_hello(world, older, HALF) for _ in range(2)] == [False, True]


def test_two_older_lives_keep_each_other_waiting(world: World, hall: FakeDevice, older: FakeDevice) -> None:
    """They are two cards, whatever became of the one that they are older than."""
    hall.inc = "life-3"
    hall.hello(world, began="went_back")
    second = FakeDevice(hall.name, hall.venue, hall.key, "life-2")
    for _ in range(5):
        assert not says_hello(world, older, HALF // 2)
        assert not says_hello(world, second, HALF // 2)


@pytest.mark.parametrize("meanwhile_ms", [2 * ANOTHER_CARD_MS, 86_400_000, -10 * ANOTHER_CARD_MS])
def test_a_cloud_that_did_not_listen_or_whose_clock_jumped_begins_to_wait_again(
    world: World, older: FakeDevice, meanwhile_ms: int
) -> None:
    """The present life may have said much that nobody heard."""
    assert not says_hello(world, older)
    assert not says_hello(world, older, meanwhile_ms)
    assert [says_hello(world, older, HALF) for _ in range(2)] == [False, True]


def test_what_was_waited_for_ends_with_another_life(world: World, hall: FakeDevice, older: FakeDevice) -> None:
    assert not says_hello(world, older, HALF)
    hall.inc, hall.seq, hall.log = "life-3", 0, []
    hall.hello(world, began="went_back")
    assert [says_hello(world, older, HALF) for _ in range(3)] == [False, False, True]


def test_an_older_life_of_a_sealed_name_hands_nothing_back(world: World, older: FakeDevice) -> None:
    """The card that was lost may have sold it: like any other that went back, it tells its sales in another life."""
    world.tell(older, older.sell("o1"))
    seal_device(world.database, "hall-1", "op", "lost", world.now_ms, log=None)
    assert [says_hello(world, older, HALF) for _ in range(3)] == [False, False, True]
    assert world.state("hall-1").sealed
    older.inc, older.seq, older.log = "life-3", 0, []
    older.hello(world, began="told")
    world.run()
    world.tell(older, older.sell("o2"))
    assert world.acked("hall-1") == Ack("life-3", 1)
    assert world.rows("SELECT id FROM orders ORDER BY id") == [("o1",), ("o2",)]
