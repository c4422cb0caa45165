"""A guest asks for tickets past the allocation: what each page says, from the question to the answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.protocol.messages import OrderRefused
from tests.appliance.portal.conftest import Phone
from tests.appliance.services.test_requests import answer, hear, on_request, only_order
from tests.support.box import ADULT, HALL, ROOM, TestBox, make_box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[TestBox]:
    """Nothing is left for the room here, and the link is down."""
    made = make_box(tmp_path, catalogue=on_request(), grants={ROOM: 0, HALL: 0}, elsewhere=9)
    yield made
    made.database.close()


def ask(phone: Phone) -> str:
    page = phone.hold(**{f"q.{ADULT}": "2"})
    assert "Request ready to send" in page
    assert "This is a question, not a booking yet" in page
    return phone.send(page, "/confirm", name="Zoë")


def test_the_event_says_that_tickets_are_asked_for(phone: Phone):
    assert "On request" in phone.get("/")
    page = phone.get("/events/river")
    assert "On request: you ask for tickets here." in page
    assert "Request tickets" in page
    assert "Hold tickets" not in page


def test_the_guests_page_goes_from_request_to_tickets(phone: Phone, box: TestBox):
    page = ask(phone)
    assert phone.status == 200
    for words in (
        "Your request is on its way",
        "Not a ticket yet",
        "2 × <bdi>Adult",
        "Look again",
        "Take this request back",
    ):
        assert words in page
    for words in ('class="qr"', "Pay €", "Take a screenshot", "Tickets only"):
        assert words not in page
    order = only_order(box)
    hear(box, answer(box, order))
    page = phone.get(phone.path)
    assert "You are booked" in page
    assert page.count('class="qr"') == 2
    assert "Tickets only" in page


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("sold_out", "There were not enough tickets"),
        ("closed", "The sale closed before"),
        ("cancelled", "This date was called off"),
        ("operator", "The organiser could not"),
        ("sealed", "was replaced"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(phone: Phone, box: TestBox, reason: str, words: str):
    ask(phone)
    hear(box, OrderRefused(only_order(box).id, reason))  # type: ignore[arg-type]
    page = phone.get(phone.path)
    assert "No luck this time" in page
    assert words in page
    assert '/events/river"' in page
    assert "Take this request back" not in page


def test_a_guest_takes_a_request_back_after_being_asked(phone: Phone, box: TestBox):
    ask(phone)
    asked = phone.get(phone.path + "/cancel")
    assert "Take this request back?" in asked
    page = phone.send(asked, "/cancel", proof="zoe")
    assert "This booking is cancelled" in page
    assert only_order(box).status == "cancelled"


def test_a_request_that_was_not_sent_in_time_says_so(phone: Phone, box: TestBox):
    phone.hold(**{f"q.{ADULT}": "2"})
    box.turn.advance(11 * 60_000)
    page = phone.get(phone.path)
    assert "Your request was not sent" in page
    assert "Request ready to send" in phone.send(page, "/holds")


def test_staff_see_that_it_is_only_a_request_and_take_no_money(phone: Phone, door: Phone, box: TestBox):
    ask(phone)
    code = only_order(box).code
    page = door.get(f"/staff/orders?code={code}")
    for words in ("Only requested", "Take no money before", "Not a ticket", "Take this request back"):
        assert words in page
    assert "Paid cash" not in page
    assert "Sell Adult" not in door.get("/staff/sell")
    hear(box, OrderRefused(only_order(box).id, "closed"))
    page = door.get(f"/staff/orders?code={code}")
    assert "Request refused" in page
    assert "The sale closed before" in page


def test_staff_take_a_request_back(phone: Phone, door: Phone, box: TestBox):
    ask(phone)
    page = door.get(f"/staff/orders?code={only_order(box).code}&cancel=ask")
    assert "Take this request back? This cannot be undone." in page
    assert "Cancelled" in door.send(page, "/cancel")


def test_german_pages_of_a_request(app, box: TestBox):
    phone = Phone(app, language="de")
    page = phone.send(phone.hold(**{f"q.{ADULT}": "2"}), "/confirm")
    assert "Noch keine Karte" in page
