"""Tables that only repeat what is known elsewhere do not grow for ever."""

from __future__ import annotations

from mqtt_bridge.cloud.pruning import DAY_MS, KEPT_MS, LONGEST_KEPT_MS, prune
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import Ack
from tests.mqtt_bridge.cloud.world import World, import_into


def counted(world: World) -> tuple[object, object]:
    return world.scalar("SELECT count(*) FROM outbox"), world.scalar("SELECT count(*) FROM applied")


def test_what_was_told_and_applied_goes_some_time_after_the_last_date(world: World) -> None:
    """The newest message to a device stays: the next number is counted from it."""
    import_into(world, limit=1000)
    world.add("hall-1", "hall")
    yard = world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1"), yard.sell("o2"), yard.sell("o3"))
    world.say("hall-1", "ack", encode(Ack(world.inc, 2)))
    world.run()
    assert counted(world) == (3, 3)
    for wall_ms, left in (
        (world.now_ms + KEPT_MS - DAY_MS, (3, 3)),  # the date is not over for long
        (world.now_ms + KEPT_MS + DAY_MS, (1, 0)),
        (world.now_ms + LONGEST_KEPT_MS + DAY_MS, (1, 0)),
    ):
        world.database.run(lambda db, wall_ms=wall_ms: prune(db, wall_ms))  # type: ignore[misc]
        assert counted(world) == left
    yard.hello(world)
    world.tell(yard, yard.log[0], yard.sell("o4"))
    assert world.acked("yard-1") == Ack("life-1", 4)
    assert [each.seq for each in world.downlink("hall-1")] == [1, 2, 3, 4]
    assert world.alarms() == set()
