"""One click from a figure to the device behind it, its last hours and its messages."""

from __future__ import annotations

from flask.testing import FlaskClient

from appliance.console.charts import HEIGHT, WIDTH, backlog_chart, fitting_span_h, stock_chart
from mqtt_bridge.cloud import samples
from mqtt_bridge.cloud.samples import Sample
from mqtt_bridge.protocol.messages import Private
from tests.mqtt_bridge.cloud.world import World


def test_a_stranger_sees_no_device(client: FlaskClient) -> None:
    assert client.get("/devices/hall-1").headers["Location"] == "/sign-in"


def test_an_unknown_device_is_not_found(world: World, operator: FlaskClient) -> None:
    assert operator.get("/devices/nobody").status_code == 404


def test_stock_and_devices_lead_to_the_device(world: World, operator: FlaskClient) -> None:
    world.add("hall-1", "hall")
    for path in ("/", "/devices"):
        assert 'href="/devices/hall-1"' in operator.get(path).text


def test_messages_are_shown_in_words_and_without_personal_data(world: World, operator: FlaskClient) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 2, private=Private("salt", "Anna", "anna@example.org")), hall.cancel("o1", 2))
    page = operator.get("/devices/hall-1").text
    assert "2 tickets, promised" in page
    assert "Order cancelled: 2 tickets" in page
    assert page.index("Order cancelled") < page.index("Order confirmed")
    assert "Anna" not in page
    assert "anna@" not in page


def test_messages_to_a_device_show_whether_it_has_them(world: World, operator: FlaskClient) -> None:
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    world.tell(yard, yard.sell("o1", 1))
    assert hall is not yard
    page = operator.get("/devices/hall-1?direction=down").text
    assert "Order confirmed" in page
    assert "on its way" in page


def test_a_long_log_is_leafed_through(world: World, operator: FlaskClient) -> None:
    world.database.run(lambda db: db.exec_driver_sql('UPDATE quota SET "limit" = 200'))
    hall = world.add("hall-1", "hall")
    world.tell(hall, *(hall.sell(f"o{k}", 1) for k in range(60)))
    first = operator.get("/devices/hall-1").text
    assert first.count("Order confirmed") >= 50
    assert f"life={hall.inc}&amp;before=11" in first
    assert operator.get(f"/devices/hall-1?life={hall.inc}&before=11").text.count("<details>") == 10


def test_a_chart_shows_what_was_sampled(world: World, operator: FlaskClient) -> None:
    hall = world.add("hall-1", "hall")
    assert "Nothing is recorded yet" in operator.get("/").text
    world.tell(hall, hall.sell("o1", 3))
    world.database.run(lambda db: samples.take(db, world.now_ms))
    world.now_ms += 120_000
    page = operator.get("/?hours=1").text
    assert "last 1 hours: sold went from 3 to 3; now 0 held" in page
    assert '<polygon class="sold"' in page


def at(minute: int, *, sold: int = 0, free: int = 0, unsynced: int = 0, up: bool = True) -> Sample:
    return Sample(minute * 60_000, sold, 0, free, 0, unsynced, up)


def test_areas_are_stacked_and_hold_until_the_next_sample() -> None:
    chart = stock_chart([at(0, sold=0, free=10), at(30, sold=5, free=5)], 0, 3_600_000)
    sold, free = chart.areas
    half = HEIGHT // 2
    assert (sold.kind, free.kind, chart.top) == ("sold", "free", 10)
    assert sold.points.startswith(f"0,{HEIGHT} 500,{HEIGHT} 500,{half} {WIDTH},{half}")
    assert free.points.startswith(f"0,0 500,0 500,0 {WIDTH},0")


def test_a_broken_link_is_drawn_as_a_gap() -> None:
    chart = backlog_chart([at(0), at(15, unsynced=4, up=False), at(45)], 0, 3_600_000)
    assert chart.gaps == ((250, 500),)
    assert "at most 4 messages were waiting, now 0" in chart.words


def test_a_sample_from_before_the_span_begins_at_its_edge() -> None:
    chart = stock_chart([at(-90, sold=1), at(30, sold=2)], 0, 3_600_000)
    assert chart.areas[0].points.startswith("0,100 500,100")


def test_without_a_wish_the_span_shows_everything_recorded() -> None:
    hour_ms = 3_600_000
    ages = [None, 0, hour_ms, 2 * hour_ms, 7 * hour_ms, 40 * hour_ms]
    assert [fitting_span_h(None if each is None else 0, each or 0) for each in ages] == [1, 1, 1, 6, 24, 24]


def test_a_device_that_never_had_a_backlog_has_a_chart_all_the_same() -> None:
    chart = backlog_chart([at(0)], 0, 3_600_000)
    assert (chart.empty, chart.areas, chart.top) == (False, (), 1)
