"""Lives that a restored cloud never met: which of them it names, so that a state makes the device say hello, and which not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.store import open_cloud
from tests.mqtt_bridge.cloud.restored import Restored, heard
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
    return world.add("hall-1", "hall")


def begin_another_life(device: FakeDevice, inc: str) -> None:
    """Go on as a device does whose card went back: what it counted is behind it, nothing is granted to it."""
    device.inc, device.seq, device.log, device.epoch = inc, 0, [], 0


def test_a_life_that_began_after_the_backup_is_named_until_it_says_hello(
    world: World, hall: FakeDevice, tmp_path: Path
) -> None:
    saved = Restored(world, tmp_path)
    begin_another_life(hall, "life-2")
    hall.hello(world)
    world.run()
    saved.restore()
    hall.status(world)
    world.run()
    state = world.state("hall-1")
    assert (state.inc, state.grants) == ("life-2", ())
    heard(world, hall)
    assert losses.still_missing(world.database) == []


@pytest.mark.fault(18)
def test_a_life_that_begins_after_its_device_was_heard_is_met_at_its_hello_alone(
    world: World, hall: FakeDevice, tmp_path: Path
) -> None:
    """A status is all of it that arrives: named by that, it would be granted what the life before has, and nobody would notice."""
    saved = Restored(world, tmp_path)
    saved.restore()
    heard(world, hall)
    before = hall.epoch
    begin_another_life(hall, "life-2")
    hall.status(world)
    world.tick()
    assert losses.confirm_restored(world.database, "op", world.now_ms) == []
    world.tick()
    assert world.state("hall-1").inc == "life-1"
    hall.hello(world, began="went_back")
    world.run()
    world.tick()
    state = world.state("hall-1")
    assert state.inc == "life-2"
    assert state.grants[0].epoch > before
    assert world.alarms() == {"went-back"}


def test_a_late_status_of_a_life_that_ended_stops_nobody(world: World, hall: FakeDevice, tmp_path: Path) -> None:
    """It never said hello; the life that the backup knows goes on."""
    saved = Restored(world, tmp_path)
    saved.restore()
    late = FakeDevice("hall-1", "hall", hall.key, "life-0")
    late.status(world)
    world.run()
    assert world.state("hall-1").inc == "life-0"
    heard(world, hall)
    assert world.alarms() == set()
    assert losses.still_missing(world.database) == []
    assert world.state("hall-1").inc == "life-1"


@pytest.mark.parametrize("late", [False, True])
def test_a_late_status_of_another_life_lets_no_forked_one_go_on(
    world: World, hall: FakeDevice, tmp_path: Path, late: bool
) -> None:
    """A restored cloud names the life of that status; the one that tells two histories stays stopped, and is not acknowledged."""
    world.tell(hall, hall.sell("o1"))
    saved = Restored(world, tmp_path)
    saved.restore()
    second = hall.sell("o2")
    hall.put_back(1)
    _, fourth = hall.sell("o3"), hall.sell("o4")
    world.tell(hall, second, fourth)
    if late:
        FakeDevice("hall-1", "hall", hall.key, "life-0").status(world)
        world.run()
    world.wire.out.clear()
    hall.generation = world.state("hall-1").generation
    hall.hello(world)
    world.run()
    assert world.acked("hall-1") is None
    assert (world.state("hall-1").inc, world.state("hall-1").stop) == ("life-1", True)
