"""The console's list of orders that wait to be verified, and the operator's word."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.appliance.console.test_requests import words
from tests.mqtt_bridge.cloud.test_verifications import Centre, Slow, both, sold
from tests.mqtt_bridge.cloud.world import World


@pytest.fixture
def centre(world: World) -> Centre:
    """A venue that sold two orders to be verified, one of them to a member."""
    made = Centre(world, Slow())
    yard = both(made)[1]
    world.tell(yard, sold(yard, "AAAAAAAA"), sold(yard, "BBBBBBBB", verify="member"))
    return made


def test_what_waits_is_listed_with_what_it_waits_for_and_how_the_verifier_is(
    operator: FlaskClient, centre: Centre
) -> None:
    page = words(operator, "/pre-enrolment")
    assert "No verifier runs. None ever ran." in page
    assert "AAAA-AAAA · 1 ticket" in page
    assert "waits for a code, mailed: code under way" in page
    assert "Pre-enrolment 2" in page
    centre.work()
    page = words(operator, "/pre-enrolment")
    assert "No verifier runs" not in page
    assert "code sent" in page
    assert "Mail : works" in page
    assert "anna@example.org" not in operator.get("/pre-enrolment").text


def test_one_is_approved_and_one_refused_with_a_reason(operator: FlaskClient, centre: Centre, world: World) -> None:
    centre.work()
    answer = operator.post("/pre-enrolment/approve", data={"orders": "AAAAAAAA"}, follow_redirects=True)
    assert "1 approved: devices hear of it within seconds." in answer.text
    operator.post("/pre-enrolment/refuse", data={"orders": "BBBBBBBB", "reason": "member"})
    centre.work()
    assert [centre.order(each)[0] for each in ("AAAAAAAA", "BBBBBBBB")] == ["verified", "refused"]
    assert centre.told("yard-1")[-1].reason == "member"  # type: ignore[attr-defined]
    assert "No order waits to be verified." in words(operator, "/pre-enrolment")
    late = operator.post("/pre-enrolment/refuse", data={"orders": "AAAAAAAA"}, follow_redirects=True)
    assert "Decided already" in late.text
    assert world.scalar("SELECT count(*) FROM audit WHERE action LIKE 'pre-enrolment:%'") == 2


@pytest.mark.parametrize(
    ("word", "data"),
    [
        ("approve", {}),
        ("approve", {"orders": "x"}),
        ("refuse", {"orders": "AAAAAAAA", "reason": "x"}),
        ("x", {"orders": "AAAAAAAA"}),
    ],
)
def test_what_no_page_sends_changes_nothing(
    operator: FlaskClient, centre: Centre, world: World, word: str, data: dict[str, str]
) -> None:
    assert operator.post(f"/pre-enrolment/{word}", data=data).status_code == 303
    assert world.scalar("SELECT count(*) FROM verification_word WHERE word IN ('approve', 'refuse')") == 0


def test_strangers_neither_read_nor_decide(app: Flask, centre: Centre, world: World) -> None:
    client = app.test_client()
    assert client.get("/pre-enrolment").headers["Location"].endswith("/sign-in")
    assert client.post("/pre-enrolment/approve", data={"orders": "AAAAAAAA"}).headers["Location"].endswith("/sign-in")
    assert world.scalar("SELECT count(*) FROM verification_word WHERE word = 'approve'") == 0
