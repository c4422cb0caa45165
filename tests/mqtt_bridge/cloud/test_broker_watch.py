"""What the broker dropped becomes an alarm: the growth of its counter, not the counter."""

from __future__ import annotations

import pytest

from mqtt_bridge.cloud.broker_watch import BrokerWatch
from mqtt_bridge.cloud.records import Alarm
from mqtt_bridge.protocol import topics
from mqtt_bridge.transport import Message
from tests.mqtt_bridge.cloud.test_memory import MemoryWorld
from tests.mqtt_bridge.cloud.world import Wire


@pytest.mark.fault(13)
def test_the_growth_of_the_brokers_counter_is_listed_once_by_the_first_member() -> None:
    """What it counted before we came, and a restart that counts from zero, are not mistaken for drops."""
    world, wire = MemoryWorld(), Wire()
    watch = BrokerWatch(wire)

    def hear(*counts: str, tells: bool = True) -> list[tuple[str, int]]:
        wire.incoming.extend(Message(topics.DROPPED, each.encode(), True) for each in counts)
        watch.look(world.store, 1, tells=tells)
        listed = world.store.look(lambda rows: list(rows.all(Alarm)))
        return [(each.detail.split(" ")[0], each.count) for each in listed if each.kind == "broker-dropped"]

    assert hear("40") == []
    assert hear() == []
    assert hear("nonsense", "0") == []
    assert hear("2", "5") == [("5", 1)]
    assert hear("9", tells=False) == [("5", 1)]
    assert hear("3") == [("3", 2)]
