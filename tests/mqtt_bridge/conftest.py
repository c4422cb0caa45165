from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mqtt_bridge.keys import KeyFile
from tests.mqtt_bridge.brokers import Broker, Embedded, Mosquitto
from tests.mqtt_bridge.peers import Cloud, Device
from tests.support.programs import program


@pytest.fixture(params=["embedded", "mosquitto"])
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A running broker, each kind in turn."""
    made: Broker = Embedded() if request.param == "embedded" else Mosquitto(program("mosquitto"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def pair(tmp_path: Path, broker: Broker) -> Iterator[tuple[Device, Cloud]]:
    """A device and a cloud at one broker, both not yet started; stopped at the end."""
    cloud_key = KeyFile(tmp_path / "cloud.pem").public_hex
    device = Device(tmp_path, broker.url, cloud_key)
    cloud = Cloud(tmp_path, broker.url)
    cloud.start()
    with ExitStack() as stack:
        stack.callback(cloud.stop)
        stack.callback(device.stop)
        yield device, cloud
