"""The relay against real brokers and a cloud that uses the real mailbox."""

from __future__ import annotations

from functools import partial

from tests.mqtt_bridge.brokers import Broker
from tests.mqtt_bridge.peers import Cloud, Device, names_applied, until

Pair = tuple[Device, Cloud]


def numbered(first: int, last: int) -> list[str]:
    return [f"fact {number}" for number in range(first, last + 1)]


def has_more_than(count: int, cloud: Cloud) -> bool:
    return len(names_applied(cloud.database)) > count


def test_everything_in_the_outbox_arrives_once_and_in_order(pair: Pair) -> None:
    """Rows written before and after the start reach the cloud, and leave the backlog at its ack."""
    device, cloud = pair
    device.emit(*numbered(1, 100))
    device.start()
    until(lambda: device.waiting() == 0)
    device.emit(*numbered(101, 150))
    until(lambda: device.waiting() == 0)
    assert names_applied(cloud.database) == numbered(1, 150)


def test_downlink_is_applied_once_and_acknowledged(pair: Pair) -> None:
    """The cloud's messages are applied in order; its outbox empties at the device's own ack."""
    device, cloud = pair
    cloud.emit(*numbered(1, 30))
    device.start()
    until(lambda: cloud.waiting() == 0)
    assert names_applied(device.database) == numbered(1, 30)


def test_a_broker_that_dies_in_mid_stream_loses_nothing(pair: Pair, broker: Broker) -> None:
    """Kill -9 of a broker that keeps nothing, twice, while both sides send: everything arrives, once, in order."""
    device, cloud = pair
    device.start()
    for round_ in range(2):
        first = round_ * 400
        device.emit(*numbered(first + 1, first + 200))
        cloud.emit(*numbered(first + 1, first + 200))
        until(partial(has_more_than, first, cloud))
        broker.kill()
        device.emit(*numbered(first + 201, first + 400))
        cloud.emit(*numbered(first + 201, first + 400))
        broker.start()
    until(lambda: device.waiting() == 0 and cloud.waiting() == 0)
    assert names_applied(cloud.database) == numbered(1, 800)
    assert names_applied(device.database) == numbered(1, 800)
