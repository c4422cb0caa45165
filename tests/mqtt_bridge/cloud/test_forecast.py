"""The cloud's rows remember demand and outages, and its grants follow them."""

from __future__ import annotations

import pytest

from mqtt_bridge.cloud.forecast import forecast, hours_left, inherited
from mqtt_bridge.cloud.records import Device, Line
from mqtt_bridge.protocol.catalogue import EventSession
from mqtt_bridge.protocol.moments import HOUR_MS
from tests.mqtt_bridge.cloud.world import World

NOW_MS = 1_800_000_000_000


def device(name: str, *, up: bool = True) -> Device:
    seen = NOW_MS if up else NOW_MS - HOUR_MS
    return Device(name, name, "live", True, 0, inc="i", epoch=1, link_up=up, last_seen_ms=seen)


def line(name: str, sold: int, hours: float, *, unseen_h: float = 0) -> Line:
    return Line(
        "q", name, 1, granted=100, sold=sold, demand_tickets=sold, demand_hours=hours, demand_sold=sold,
        demand_at_ms=NOW_MS - round(unseen_h * HOUR_MS),
    )  # fmt: skip


def test_a_device_that_can_be_heard_and_sells_nothing_loses_rate_an_absent_one_does_not() -> None:
    lines = {(name, 1): line(name, 20, 2.0, unseen_h=6) for name in ("here", "away")}
    guesses = forecast([device("here"), device("away", up=False)], lines, NOW_MS)
    here, away = guesses["here"].rate, guesses["away"].rate
    assert here is not None
    assert away is not None
    assert here < 5 < away


def test_nothing_is_known_of_a_quota_that_sold_little() -> None:
    guesses = forecast([device("a"), device("b")], {("a", 1): line("a", 3, 1.0)}, NOW_MS)
    assert [each.rate for each in guesses.values()] == [None, None]


def test_a_new_epoch_begins_with_the_demand_of_the_last_one() -> None:
    begun = inherited([line("a", 20, 2.0)], "a", NOW_MS)
    assert (begun.tickets, begun.hours, begun.sold, begun.as_of_ms) == (20, 2.0, 0, NOW_MS)
    assert inherited([line("a", 20, 2.0)], "b", NOW_MS).tickets == 0


def test_a_sale_ends_when_it_closes_or_with_its_session() -> None:
    at = EventSession("s", "s", "hall", NOW_MS, NOW_MS + 3 * HOUR_MS, "UTC", (), ())
    closing = EventSession("s", "s", "hall", NOW_MS, NOW_MS + 3 * HOUR_MS, "UTC", (), (), None, NOW_MS + HOUR_MS)
    assert [hours_left(each, NOW_MS) for each in (at, closing, None)] == [3.0, 1.0, None]


def test_sales_and_silences_are_remembered_in_rows(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 4))
    world.now_ms += HOUR_MS
    world.tell(hall, hall.sell("o2", 2))
    ((tickets, hours, counted),) = world.rows("SELECT demand_tickets, demand_hours, demand_sold FROM allocation")
    ((outages, away_h, down),) = world.rows("SELECT outages, outage_hours, down_since_ms FROM device")
    assert (tickets, hours, counted) == (pytest.approx(6, abs=0.2), pytest.approx(1, abs=0.01), 6)
    # An hour without a word is an outage, whatever the broker said of it.
    assert (outages, away_h, down) == (1, pytest.approx(1, abs=0.01), 0)


def test_a_broken_link_and_its_return_are_one_outage(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.say("hall-1", "link", b'{"up":false}')
    world.run()
    world.now_ms += 3 * HOUR_MS
    hall.hello(world)
    world.run()
    ((outages, away_h, down),) = world.rows("SELECT outages, outage_hours, down_since_ms FROM device")
    assert (outages, away_h, down) == (1, pytest.approx(3, abs=0.01), 0)
