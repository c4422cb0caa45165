"""What waits for each quota, and the operator's word; how much of a willing oversale is in use."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mqtt_bridge.cloud.store import apply_catalogue
from tests.mqtt_bridge.cloud.test_requests import answers, both, programme, request, states
from tests.mqtt_bridge.cloud.world import FakeDevice, World, catalogue


@pytest.fixture
def yard(world: World) -> FakeDevice:
    """A venue that asked for more than the pool holds, twice."""
    apply_catalogue(world.database, programme(), {}, world.now_ms)
    yard = both(world)[1]
    world.tell(yard, request(yard, "AAAAAAAA", world.pool() + 1), request(yard, "BBBBBBBB", 1))
    return yard


def words(client: FlaskClient, path: str = "/requests") -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", client.get(path).text)).split())


def places(client: FlaskClient) -> list[str]:
    """What each button sends, from top to bottom."""
    return re.findall(r'name="places" value="([\d ]+)"', client.get("/requests").text)


def test_open_requests_are_listed_by_quota_in_the_order_of_the_queue(
    operator: FlaskClient, yard: FakeDevice, world: World
) -> None:
    page = words(operator)
    asked = world.pool() + 2
    assert f"{asked} tickets asked for in 2 orders" in page
    assert f"{world.pool()} in the pool" in page
    assert page.index("1. AAAA-AAAA") < page.index("2. BBBB-BBBB")
    assert "1 ticket: 1 Seat" in page
    assert "asked at yard-1" in page
    assert "Requests 2" in page
    assert f"{asked} requested" in words(operator, "/")
    assert f'what="requested"}} {asked}.0' in operator.get("/metrics").text


def test_one_goes_first_and_another_is_refused(operator: FlaskClient, yard: FakeDevice, world: World) -> None:
    first, _, second, _, _ = places(operator)
    answer = operator.post("/requests/confirm", data={"places": second}, follow_redirects=True)
    assert "1 goes first at the next look" in answer.text
    assert "goes first" in answer.text
    operator.post("/requests/refuse", data={"places": first})
    for _ in range(2):
        world.tick()
    assert sorted(answers(world, "yard-1")) == [("AAAAAAAA", "operator"), ("BBBBBBBB", "yes")]
    assert "No order waits for an answer." in words(operator)
    late = operator.post("/requests/refuse", data={"places": first}, follow_redirects=True)
    assert "Answered already" in late.text
    assert world.scalar("SELECT count(*) FROM audit WHERE action LIKE 'requests:%'") == 2


def test_the_latest_word_counts_and_all_that_were_shown_are_refused(
    operator: FlaskClient, yard: FakeDevice, world: World
) -> None:
    *_, every = places(operator)
    operator.post("/requests/confirm", data={"places": every})
    operator.post("/requests/refuse", data={"places": every})
    world.tell(yard, request(yard, "CCCCCCCC", 25))
    for _ in range(2):
        world.tick()
    assert states(world)["AAAAAAAA"] == states(world)["BBBBBBBB"] == "refused"


@pytest.mark.parametrize("data", [{}, {"places": "x"}, {"places": "99999999999999999999"}, {"places": "0"}])
def test_what_no_page_sends_changes_nothing(
    operator: FlaskClient, yard: FakeDevice, world: World, data: dict[str, str]
) -> None:
    assert operator.post("/requests/refuse", data=data).status_code == 303
    assert operator.post("/requests/eat", data=data).status_code == 303
    assert world.rows("SELECT * FROM request_wish") == []


def test_nobody_decides_without_signing_in(app: Flask, yard: FakeDevice, world: World) -> None:
    stranger = app.test_client()
    assert stranger.get("/requests").headers["Location"] == "/sign-in"
    assert stranger.post("/requests/refuse", data={"places": "1"}).headers["Location"] == "/sign-in"
    assert world.rows("SELECT * FROM request_wish") == []


def test_the_console_says_how_much_of_a_willing_oversale_is_in_use(operator: FlaskClient, world: World) -> None:
    apply_catalogue(world.database, catalogue(limit=10, extra=5), {}, world.now_ms)
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 9))
    assert "of 10 + 5 extra, none of it in use" in words(operator, "/")
    hall.hear(world)
    hall.need(world, 3)
    world.run()
    hall.hear(world)
    world.tell(hall, hall.sell("o2", 3))
    assert "of 10 + 5 extra, 2 of it in use" in words(operator, "/")
    assert 'what="oversold"} 2.0' in operator.get("/metrics").text
