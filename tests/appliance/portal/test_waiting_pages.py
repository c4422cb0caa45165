"""A guest waits on a phone without cookies and scripts: one tap to join, one to take."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.portal import WebSettings, create_app
from appliance.services import booking
from appliance.services.booking import Item
from appliance.services.sweep import sweep
from tests.appliance.portal.conftest import Phone
from tests.support.box import ADULT, BALCONY, ELSEWHERE, ROOM, SEAT, TONIGHT, TestBox, desk

EVENT = f"/events/river?at={TONIGHT}"
OFFER_MS = 20 * 60_000


@pytest.fixture
def orders(box: TestBox) -> list[str]:
    """Everything of tonight is sold: ten in the room, five on the balcony."""
    made = []
    for kind, quantity in ((ADULT, 10), (SEAT, 5)):

        def buy(unit, kind=kind, quantity=quantity):
            held = booking.place_hold(unit, desk(), [Item(kind, quantity)], channel="desk")
            return booking.confirm(unit, held.id, client=desk(), staff="A7").id

        made.append(str(box.run(buy)))
    return made


def cancel(box: TestBox, order: str) -> None:
    box.run(lambda unit: booking.cancel(unit, order, by="A7"))


def test_the_sold_out_page_joins_with_one_tap(phone: Phone, orders: list[str]) -> None:
    """The form is ready to be sent; the page after it is the place in line, with its "as of"."""
    page = phone.send(phone.get(EVENT), "/waitlist")
    assert (phone.status, phone.path.startswith("/waitlist/")) == (200, True)
    assert "You are on the waitlist" in page
    assert "<strong>1</strong> of 1" in page
    assert "As of 09:00:00." in page
    assert "1 × <bdi>Adult</bdi>" in page


def test_sending_the_form_twice_leads_to_the_same_place(phone: Phone, orders: list[str]) -> None:
    """A double tap is one place; once that is left, the same form joins again."""
    page = phone.get(EVENT)
    phone.send(page, "/waitlist")
    first = phone.path
    phone.send(page, "/waitlist")
    assert phone.path == first
    phone.send(phone.get(first), "/leave")
    assert "You are on the waitlist" in phone.send(page, "/waitlist")
    assert phone.path != first


def test_a_phone_on_the_hotspot_that_waits_already_is_led_to_its_place(
    tmp_path: Path, box: TestBox, orders: list[str]
) -> None:
    """The shared page of the event cannot know who looks at it; the form knows who sends it."""
    (tmp_path / "leases").write_text("1 aa:bb:cc:dd:ee:ff 127.0.0.1 * *\n")
    phone = Phone(create_app(box, WebSettings(data=tmp_path, leases_file=tmp_path / "leases")))
    phone.send(phone.get(EVENT), "/waitlist")
    first = phone.path
    again = phone.send(phone.get(EVENT), "/waitlist")
    assert phone.path == first
    assert "You are on the waitlist" in again


def test_the_offer_is_taken_with_one_tap(phone: Phone, box: TestBox, orders: list[str]) -> None:
    """The same page becomes the offer with its remaining time, then the way to the ticket."""
    phone.send(phone.get(EVENT), "/waitlist")
    place = phone.path
    cancel(box, orders[0])
    offer = phone.get(place)
    assert "Your turn: held for you" in offer
    assert "20 minutes left" in offer
    assert "You are booked" in phone.send(offer, "/confirm")
    assert "You are booked" in phone.get(place)


def test_a_missed_offer_says_so_in_plain_words(phone: Phone, box: TestBox, orders: list[str]) -> None:
    """Also to who confirms too late, and its hold's page leads there."""
    phone.send(phone.get(EVENT), "/waitlist")
    place = phone.path
    cancel(box, orders[0])
    offer = phone.get(place)
    named = phone.get(phone.get(place).split('class="button wide" href="')[1].split('"')[0])
    assert "Held for you" in named
    hold = phone.path
    box.turn.advance(OFFER_MS)
    for late in (lambda: phone.send(offer, "/confirm"), lambda: phone.get(hold), lambda: box.run(sweep)):
        late()
        assert "Your offer is over" in phone.get(place)
        assert "next in line" in phone.get(place)
    assert phone.path == place


def test_leaving_is_one_tap_too(phone: Phone, box: TestBox, orders: list[str]) -> None:
    """From the line, and from an offer."""
    assert "You left the waitlist" in phone.send(phone.send(phone.get(EVENT), "/waitlist"), "/leave")
    phone.send(phone.get(EVENT), "/waitlist")
    place = phone.path
    cancel(box, orders[0])
    assert "You left the waitlist" in phone.send(phone.get(place), "/leave")
    box.grant({ROOM: 10, BALCONY: 5})
    assert "Hold tickets" in phone.get(EVENT)


def test_what_is_on_sale_has_no_waitlist_and_sold_out_kinds_beside_it_have(phone: Phone, box: TestBox) -> None:
    """Only the balcony is gone."""
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(SEAT, 5)]))
    page = phone.get(EVENT)
    assert "Hold tickets" in page
    assert page.count("Join the waitlist") == 1
    assert f'name="q.{SEAT}"' in page.split("Waitlist")[1]


def test_who_waits_for_what_is_on_sale_by_now_is_led_to_it(phone: Phone, box: TestBox, orders: list[str]) -> None:
    """The page was open for a while."""
    page = phone.get(EVENT)
    cancel(box, orders[0])
    assert "Hold tickets" in phone.send(page, "/waitlist")
    assert phone.path == "/events/river"


def test_a_made_up_place_is_not_found(phone: Phone) -> None:
    """Its address is the right to it."""
    phone.get("/waitlist/nonsense")
    assert phone.status == 404


def test_the_listing_says_where_a_waitlist_is_open(phone: Phone, box: TestBox, orders: list[str]) -> None:
    """Beside what is sold out, and nowhere else."""
    assert "Waitlist open" not in phone.get("/")  # the other date still has tickets
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ELSEWHERE, 4)]))
    assert "Waitlist open" in phone.get("/")
