"""Charts are drawn from rows written only when something changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.cloud import samples
from mqtt_bridge.cloud.process import chores_of
from mqtt_bridge.cloud.samples import KEPT_MS, of_device, of_quota
from mqtt_bridge.cloud.store import open_cloud
from tests.mqtt_bridge.cloud.world import START_MS, World, import_into
from tests.support import postgresql

MINUTE_MS = 60_000
NOON_MS = START_MS - START_MS % MINUTE_MS


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "sqlite":
        database = open_cloud(tmp_path / "cloud.db")
        made = World(database)
        import_into(made)
        yield made
        database.close()
        return
    with postgresql.running() as url:
        database = open_cloud(url)
        made = World(database)
        import_into(made)
        yield made
        database.close()


def take(world: World, at_ms: int) -> None:
    world.database.run(lambda db: samples.take(db, at_ms))


def read(world: World, subject: str, since_ms: int = 0) -> list[samples.Sample]:
    with world.database.read() as db:
        return samples.read(db, [subject], since_ms)[subject]


def test_a_sample_is_written_when_figures_changed_and_only_then(world: World) -> None:
    hall = world.add("hall-1", "hall")
    take(world, NOON_MS)
    take(world, NOON_MS + MINUTE_MS)
    world.tell(hall, hall.sell("o1", 3))
    take(world, NOON_MS + 2 * MINUTE_MS + 17)
    take(world, NOON_MS + 3 * MINUTE_MS)
    first, second = read(world, of_quota("q"))
    assert (first.at_ms, first.sold, first.free + first.pool) == (NOON_MS, 0, 25)
    assert (second.at_ms, second.sold, second.free + second.pool) == (NOON_MS + 2 * MINUTE_MS, 3, 22)


def test_a_second_process_in_the_same_minute_corrects_instead_of_adding(world: World) -> None:
    hall = world.add("hall-1", "hall")
    take(world, NOON_MS)
    world.tell(hall, hall.sell("o1", 3))
    take(world, NOON_MS + 5_000)
    (only,) = read(world, of_quota("q"))
    assert only.sold == 3


def test_a_chart_begins_with_what_was_true_at_its_start(world: World) -> None:
    hall = world.add("hall-1", "hall")
    take(world, NOON_MS)
    world.tell(hall, hall.sell("o1", 3))
    take(world, NOON_MS + 10 * MINUTE_MS)
    assert [each.sold for each in read(world, of_quota("q"), NOON_MS + 5 * MINUTE_MS)] == [0, 3]
    assert [each.sold for each in read(world, of_quota("q"), NOON_MS + 11 * MINUTE_MS)] == [3]


def test_a_devices_series_tells_its_backlog_and_its_link(world: World) -> None:
    hall = world.add("hall-1", "hall")
    hall.status(world, unsynced=7)
    world.run()
    take(world, world.now_ms)
    take(world, world.now_ms + MINUTE_MS)
    assert [(each.unsynced, each.up) for each in read(world, of_device("hall-1"))] == [(7, True), (7, False)]


def test_old_samples_go_but_never_the_newest_of_a_series(world: World) -> None:
    hall = world.add("hall-1", "hall")
    take(world, NOON_MS)
    world.tell(hall, hall.sell("o1", 3))
    take(world, NOON_MS + MINUTE_MS)
    take(world, NOON_MS + MINUTE_MS + KEPT_MS + MINUTE_MS)
    assert [each.sold for each in read(world, of_quota("q"))] == [3]


def test_a_reconciler_takes_them_by_itself(world: World) -> None:
    world.add("hall-1", "hall")
    for chore in chores_of(world.database):
        chore(world.now_ms)
    assert read(world, of_quota("q"))
