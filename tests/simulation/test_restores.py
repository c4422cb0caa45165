"""A cloud put back from a backup while lines are bad: whom it waits for, and how it learns what it lacks."""

from __future__ import annotations

from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Hello
from tests.simulation.device import Device
from tests.simulation.world import World

LOSSY_MS = 16_000  # longer than a state waits to be told again


def lose_hellos(who: Device, generation: int) -> list[Hello]:
    """Have hellos of ``who`` that name a generation vanish behind a PUBACK for a while; returns where they will be found."""
    lost: list[Hello] = []
    publish, until_ms = who.port.publish, who.world.time.now_ms + LOSSY_MS

    def lossy(topic: str, payload: bytes, retain: bool = False) -> bool:
        if topic.endswith("/hello") and who.world.time.now_ms < until_ms:
            hello = decode(payload, Hello)
            if hello.generation == generation:
                lost.append(hello)
                return True
        return publish(topic, payload, retain)

    who.port.publish = lossy  # type: ignore[method-assign]
    return lost


def test_a_hello_that_was_lost_is_said_again_until_the_restored_cloud_has_heard_it() -> None:
    """States meanwhile answer the hello before; taken for an answer, the device would be waited for until its line breaks."""
    world = World(4)
    world.start()
    world.pass_time(5_000)
    backup = world.centre.backup()
    world.pass_time(2_000)
    lost = lose_hellos(world.devices[0], 2)
    world.centre.restore(backup)
    world.pass_time(40_000)
    assert lost
    world.centre.confirm_restored(())
    assert not world.centre.restoring
