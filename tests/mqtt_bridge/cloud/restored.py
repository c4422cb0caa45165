"""A cloud that is put back from a backup, and what the relay of a device then does."""

from __future__ import annotations

from pathlib import Path

from mqtt_bridge import copies
from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.fleet_log import FleetLog
from mqtt_bridge.transport import Message
from tests.mqtt_bridge.cloud.world import FakeDevice, World


class Restored:
    """A world whose database is put back from a copy made by ``backup``."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.copy = folder / "copy"
        self.log = FleetLog(folder / "fleet.jsonl")
        copies.save(world.database, self.copy)

    def restore(self) -> list[str]:
        copies.put_back(self.world.database, self.copy)
        missing = losses.begin_restored(self.world.database, self.log, "ffff", self.world.now_ms)
        self.again()
        return missing

    def again(self) -> None:
        """Start a reconciler that knows nothing, at a broker that retained what the lost cloud said last."""
        self.world.reconciler = self.world.another()
        world = self.world
        retained = [(topic, body) for topic, body in world.wire.retained.items() if topic.endswith("/dn/state")]
        world.connect()
        for topic, body in retained:
            world.wire.incoming.append(Message(topic, body, True))
        world.run()


def heard(world: World, device: FakeDevice) -> None:
    """What the relay does when a later generation speaks: adopt it, say hello again, send what the cloud lacks."""
    state = world.state(device.name)
    device.generation = state.generation
    device.hello(world)
    world.run()
    world.tell(device, *device.log[state.upto :])
    device.hear(world)
