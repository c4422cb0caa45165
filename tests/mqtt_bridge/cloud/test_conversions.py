"""What devices count of their visitors: totals per device, the largest ever said."""

from __future__ import annotations

from mqtt_bridge.protocol.messages import ConversionCount, ConversionCounted
from tests.mqtt_bridge.cloud.world import World


def counted(*phones: tuple[str, int], variant: str = "") -> ConversionCounted:
    experiment = "words" if variant else ""
    return ConversionCounted(
        tuple(ConversionCount("night", experiment, variant, stage, number) for stage, number in phones)  # type: ignore[arg-type]
    )


def totals(world: World) -> list[tuple[object, ...]]:
    return sorted(world.rows("SELECT device, variant, stage, phones FROM conversion"))


def test_totals_are_kept_by_device_and_variant_and_never_fall(world: World) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(hall, hall.envelope(counted(("seen", 4), ("held", 1))), hall.envelope(counted(("seen", 3))))
    world.tell(hall, hall.envelope(counted(("seen", 7))), hall.envelope(counted(("seen", 2), variant="short")))
    world.tell(yard, yard.envelope(counted(("seen", 1))))
    assert totals(world) == [
        ("hall-1", "", "held", 1),
        ("hall-1", "", "seen", 7),
        ("hall-1", "short", "seen", 2),
        ("yard-1", "", "seen", 1),
    ]


def test_the_same_words_twice_count_once(world: World) -> None:
    hall = world.add("hall-1", "hall")
    envelope = hall.envelope(counted(("seen", 4)))
    world.tell(hall, envelope, envelope)
    world.tell(hall, hall.envelope(counted(("seen", 4), ("seen", 5))))
    assert totals(world) == [("hall-1", "", "seen", 5)]
