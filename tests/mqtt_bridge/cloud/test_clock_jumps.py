"""The cloud's clock jumps: no stock is taken back, granted twice or forgotten because of the time."""

from __future__ import annotations

import pytest

from tests.mqtt_bridge.cloud.world import World

DAY_MS = 24 * 3_600_000


@pytest.mark.fault(22)
@pytest.mark.parametrize("ms", [-3650 * DAY_MS, DAY_MS], ids=["ten years back", "a day ahead"])
def test_grants_and_pool_stay_and_sales_count_on(world: World, ms: int) -> None:
    """Grants never expire by time; what is sold after the jump is counted once, and nothing is reclaimed."""
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(hall, hall.sell("before"))
    before, pool = world.totals(), world.pool()
    world.now_ms += ms
    world.tick()
    after = world.totals()
    assert {each: totals.returned for each, totals in after.items()} == dict.fromkeys(after, 0)
    assert all(after[each].granted >= before[each].granted for each in before)
    assert world.pool() <= pool
    world.tell(yard, yard.sell("after", 2))
    world.now_ms -= ms
    world.tick()
    assert world.totals()["yard-1", yard.epoch].sold == 2
    assert world.totals()["hall-1", hall.epoch].sold == 1
    out = sum(each.granted - each.returned + each.confirmed for each in world.totals().values())
    assert world.pool() + out == 25
    assert world.alarms() == set()
