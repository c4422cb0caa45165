"""A console over a cloud with two venues."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from appliance.console import create_app
from mqtt_bridge.cloud.store import create_operator_token, open_cloud
from tests.mqtt_bridge.cloud.world import World, import_into

TOKEN = "operator-token-of-the-tests"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = open_cloud(tmp_path / "cloud.db")
    world = World(database)
    import_into(world)
    create_operator_token(database, TOKEN, world.now_ms)
    yield world
    database.close()


@pytest.fixture
def app(world: World, tmp_path: Path) -> Flask:
    return create_app(world.database, tmp_path, clock=lambda: world.now_ms)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def operator(client: FlaskClient) -> FlaskClient:
    """A signed-in browser."""
    assert client.post("/sign-in", data={"token": TOKEN}).status_code == 303
    return client
