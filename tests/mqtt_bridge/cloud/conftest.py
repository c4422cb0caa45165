"""A world with two venues and 25 seats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.cloud.store import open_cloud
from tests.mqtt_bridge.cloud.world import World, import_into


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = open_cloud(tmp_path / "cloud.db")
    world = World(database)
    import_into(world)
    yield world
    database.close()
