"""An operator sees what a limit costs before anything changes, and never pays more than what was shown."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from mqtt_bridge.cloud.store import register_device
from tests.mqtt_bridge.cloud.world import World, import_into

HOUR_MS = 3_600_000


def words(text: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def limit(world: World) -> tuple[object, ...]:
    return world.rows('SELECT "limit", extra, target FROM quota')[0]


@pytest.fixture
def two(world: World) -> World:
    """Two venues with eleven tickets each and three in the pool; four are sold."""
    register_device(world.database, "yard-1", "yard", 0)
    hall = world.add("hall-1", "hall")
    world.add("yard-1", "yard")
    world.tell(hall, hall.sell("o1", 4))
    return world


def set_limit(client: FlaskClient, new: int) -> str:
    """Look at the price and agree to it."""
    page = client.get(f"/quotas/q?limit={new}").text
    shown = re.search(r'name="shown" value="(\d+)"', page)
    assert shown is not None
    return client.post("/quotas/q", data={"limit": str(new), "shown": shown[1]}, follow_redirects=True).text


def test_the_price_comes_first_and_changes_nothing(operator: FlaskClient, two: World) -> None:
    assert '/quotas/q"' in operator.get("/").text
    page = words(operator.get("/quotas/q?limit=10").text)
    assert "25 → 10" in page
    assert "The limit at once 22" in page
    assert "Still to come back 12" in page
    assert "May be sold beyond 10, at most 12" in page
    assert "Reached within seconds" in page
    assert limit(two) == (25, 0, None)


@pytest.mark.fault(26)
def test_a_lower_limit_is_a_target_whose_gap_is_shown(operator: FlaskClient, two: World) -> None:
    page = words(set_limit(operator, 10))
    assert "The limit is set to 10." in page
    assert "To be lowered to 10: 12 tickets still have to come back" in page
    assert limit(two) == (22, 0, 10)
    who, action, detail = two.rows("SELECT who, action, detail FROM audit ORDER BY id DESC LIMIT 1")[0]
    assert who != "operator"
    assert (action, detail) == ("limit changed", "25 -> 10, 12 still to come back")


def test_a_higher_limit_works_at_once(operator: FlaskClient, two: World) -> None:
    assert "May be sold beyond 40, at most 0" in words(operator.get("/quotas/q?limit=40").text)
    set_limit(operator, 40)
    assert limit(two) == (40, 0, None)
    two.tick()
    assert two.pool() >= 0


def test_below_known_sales_is_refused_with_the_figures(operator: FlaskClient, two: World) -> None:
    page = words(operator.get("/quotas/q?limit=3").text)
    assert "4 tickets are known to be sold, so the limit cannot be lowered to 3; the lowest possible is 4" in page
    assert "4 tickets are known" in operator.post("/quotas/q", data={"limit": "3", "shown": "99"}).text
    assert limit(two) == (25, 0, None)


def test_what_got_dearer_is_shown_again_instead_of_done(operator: FlaskClient, two: World) -> None:
    answer = operator.post("/quotas/q", data={"limit": "10", "shown": "3"})
    assert "meanwhile it costs more" in answer.text
    assert "May be sold beyond 10, at most 12" in words(answer.text)
    assert limit(two) == (25, 0, None)


def test_how_long_a_venue_without_a_link_takes_is_said_as_far_as_it_is_known(operator: FlaskClient, two: World) -> None:
    two.now_ms += 60_000  # nobody says a word for a minute
    page = words(operator.get("/quotas/q?limit=10").text)
    assert "Reached unknown" in page
    assert "Out of reach now 18" in page
    assert "hall-1 7 7 unknown 7" in page
    assert "yard-1 11 11 unknown 11" in page


@pytest.mark.parametrize("asked", ["", "many", "-1", "1.5", "99999999999"])
def test_what_is_no_limit_is_explained(operator: FlaskClient, two: World, asked: str) -> None:
    assert "Write a whole number" in operator.get("/quotas/q", query_string={"limit": asked}).text
    assert "Write a whole number" in operator.post("/quotas/q", data={"limit": asked, "shown": "0"}).text


def test_only_operators_and_their_own_forms_change_a_limit(app: Flask, operator: FlaskClient, two: World) -> None:
    stranger = app.test_client()
    assert stranger.get("/quotas/q").status_code == 303
    assert stranger.post("/quotas/q", data={"limit": "1", "shown": "0"}).headers["Location"].endswith("/sign-in")
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert operator.post("/quotas/q", data={"limit": "24", "shown": "0"}, headers=elsewhere).status_code == 403
    assert operator.get("/quotas/none").status_code == 404
    assert limit(two) == (25, 0, None)


def test_a_limit_set_here_outlives_an_import_that_says_nothing_new(operator: FlaskClient, two: World) -> None:
    set_limit(operator, 30)
    assert import_into(two) == []
    assert limit(two) == (30, 0, None)
    changes = import_into(two, extra=2)
    assert "One Night (only): quota 'seats': limit 30 stays as set on the console, the file still says 25" in changes
    assert limit(two) == (30, 2, None)
    assert "One Night (only): quota 'seats': limit 30 -> 28" in import_into(two, limit=28, extra=2)
    assert limit(two) == (28, 2, None)


def test_a_lower_limit_set_here_goes_on_stepping_down_after_an_import(operator: FlaskClient, two: World) -> None:
    set_limit(operator, 10)
    import_into(two, extra=1)
    assert limit(two)[2] == 10
    assert two.pool() >= 0
