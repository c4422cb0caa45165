"""Importing again changes nothing; limits follow the rules for raising and lowering."""

from __future__ import annotations

import msgspec
import pytest

from mqtt_bridge.cloud.store import CatalogueRefused, apply_catalogue, current_catalogue, register_device
from mqtt_bridge.protocol.catalogue import Experiment, Variant
from mqtt_bridge.protocol.messages import AllocationReturned, ReturnAllocation
from mqtt_bridge.protocol.stock import Totals
from tests.mqtt_bridge.cloud.world import World, catalogue, import_into


def quota(world: World) -> tuple[object, ...]:
    return world.rows('SELECT "limit", extra, target FROM quota')[0]


def test_importing_twice_changes_nothing(world: World) -> None:
    assert import_into(world) == []
    assert world.scalar("SELECT catalogue_version FROM cloud") == 1
    with world.database.read() as db:
        assert current_catalogue(db).version == 1


def test_an_import_says_what_changed(world: World) -> None:
    assert import_into(world, limit=30) == [
        "event 'night' changed",
        "session 'One Night (only)' changed",
        "One Night (only): quota 'seats': limit 25 -> 30",
    ]


def test_an_import_reaches_the_devices_with_its_images(world: World) -> None:
    new = catalogue(limit=30)
    event = msgspec.structs.replace(new.events[0], image="aa")
    apply_catalogue(world.database, msgspec.structs.replace(new, events=(event,)), {"aa": ("image/webp", b"RIFF")}, 1)
    world.tick()
    assert b'"version":2' in world.wire.retained["marquee/1/acme/all/catalogue"]
    assert world.wire.retained["marquee/1/acme/all/asset/aa"] == b"image/webp\nRIFF"


def test_raising_a_limit_enlarges_the_pool_at_once(world: World) -> None:
    world.add("hall-1", "hall")
    pool = world.pool()
    import_into(world, limit=40)
    assert world.pool() == pool + 15


def test_lowering_below_known_sales_is_refused_with_the_figures_and_changes_nothing(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 12))
    with pytest.raises(CatalogueRefused) as refused:
        import_into(world, limit=11)
    assert refused.value.reasons == [
        "One Night (only): quota 'seats': 12 tickets are known to be sold, so it cannot be lowered to 11"
    ]
    assert quota(world) == (25, 0, None)
    assert import_into(world) == []


def test_every_reason_of_a_refusal_is_given_at_once(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 12))
    new = catalogue(limit=3)
    at = msgspec.structs.replace(new.events[0].sessions[0], venue="yard", ticket_types=())
    event = msgspec.structs.replace(new.events[0], sessions=(at,))
    with pytest.raises(CatalogueRefused) as refused:
        apply_catalogue(world.database, msgspec.structs.replace(new, events=(event,)), {}, 1)
    assert len(refused.value.reasons) == 3


@pytest.mark.fault(26)
def test_a_limit_between_sales_and_grants_is_a_target_that_recalls_stock_and_stops_grants(world: World) -> None:
    """25 with 22 granted, lowered to 10: the limit steps to 22 at once and to 10 when the stock came back."""
    register_device(world.database, "yard-1", "yard", 0)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(hall, hall.sell("o1", 4))
    changes = import_into(world, limit=10)
    assert changes[-1] == "One Night (only): quota 'seats': limit 25 -> 10, now 22 until 12 granted tickets come back"
    assert quota(world) == (22, 0, 10)
    hall.need(world, 5)
    world.tick()
    assert hall.hear(world).grants[0].granted == 11
    for device, asked in ((yard, 11), (hall, 1)):
        recall = world.bodies(device.name)[-1]
        assert recall == ReturnAllocation("q", device.epoch, asked)
        device.totals = Totals(11, 0, asked, device.totals.sold, 0)
        world.tell(device, device.envelope(AllocationReturned((device.count(),))))
    assert quota(world) == (10, 0, None)
    assert world.pool() == 0


@pytest.mark.fault(26)
def test_what_cannot_come_back_keeps_the_gap_open(world: World) -> None:
    """Between the import and the recall the device sold more: the limit stays where the sales are."""
    hall = world.add("hall-1", "hall")
    import_into(world, limit=10)
    world.tell(hall, hall.sell("o1", 15))
    hall.totals = Totals(22, 0, 7, 15, 0)
    world.tell(hall, hall.envelope(AllocationReturned((hall.count(),))))
    assert quota(world) == (15, 0, 10)
    world.tell(hall, hall.cancel("o1", 6))
    world.tick()
    assert world.pool() == 0


def test_a_target_can_be_taken_back(world: World) -> None:
    world.add("hall-1", "hall")
    import_into(world, limit=10)
    import_into(world, limit=25)
    assert quota(world) == (25, 0, None)
    assert world.pool() == 3


def test_less_extra_is_covered_by_the_limit_until_stock_comes_back(world: World) -> None:
    import_into(world, limit=20, extra=5)
    world.add("hall-1", "hall")
    assert world.pool() == 3
    import_into(world, limit=20, extra=0)
    assert quota(world) == (22, 0, 20)
    assert world.pool() == 0


def test_a_sold_session_cannot_be_removed_and_an_unsold_one_returns_its_stock(world: World) -> None:
    hall = world.add("hall-1", "hall")
    empty = msgspec.structs.replace(catalogue(), events=())
    assert "quota 'seats' removed" in apply_catalogue(world.database, empty, {}, 1)
    world.tick()
    assert world.bodies("hall-1") == [ReturnAllocation("q", hall.epoch, 22)]
    import_into(world)
    world.tell(hall, hall.sell("o1"))
    with pytest.raises(CatalogueRefused, match="1 sold tickets and cannot be removed"):
        apply_catalogue(world.database, empty, {}, 1)


@pytest.mark.parametrize("extra", [0, 5])
def test_a_strict_quota_sells_its_limit_and_an_optimistic_one_its_extra_on_top_and_not_one_more(
    world: World, extra: int
) -> None:
    import_into(world, limit=10, extra=extra)
    hall = world.add("hall-1", "hall")
    for step in range(40):
        hall.hear(world)
        if hall.totals.unsold:
            world.tell(hall, hall.sell(f"o{step}", hall.totals.unsold))
        hall.need(world, 3)
        world.tick()
    assert hall.totals.sold == 10 + extra
    assert world.pool() == 0


def test_a_question_stays_as_registered_once_it_has_begun_and_may_only_be_given_up(world: World) -> None:
    def ask(hypothesis: str | None) -> list[str]:
        asked = (
            ()
            if hypothesis is None
            else (
                Experiment(
                    "words",
                    "night",
                    hypothesis,
                    "held",
                    100,
                    world.now_ms,
                    world.now_ms + 1000,
                    (Variant("a"), Variant("b")),
                ),
            )
        )
        new = msgspec.structs.replace(catalogue(), experiments=asked)
        return apply_catalogue(world.database, new, {}, world.now_ms)

    assert ask("Short is better.") == ["experiment 'words' added"]
    with pytest.raises(CatalogueRefused, match="has begun and stays as it was registered"):
        ask("Long is better.")
    assert ask(None) == ["experiment 'words' removed"]
