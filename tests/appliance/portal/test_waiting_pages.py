"""A guest waits on a phone without cookies and scripts: one tap to join, one to take."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from appliance.portal import WebSettings, create_app
from appliance.services import booking, waitlist
from appliance.services.booking import Item
from appliance.services.sweep import sweep
from mqtt_bridge.protocol.catalogue import Limits
from tests.appliance.portal.conftest import Phone
from tests.support.box import (
    ADULT,
    BALCONY,
    CHILD,
    ELSEWHERE,
    ROOM,
    SEAT,
    TONIGHT,
    TestBox,
    desk,
    example_catalogue,
    make_box,
)

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
    """The page was open for a while. It shows the event as it is now, and says why."""
    page = phone.get(EVENT)
    cancel(box, orders[0])
    page = phone.send(page, "/waitlist")
    assert answer(phone) == (422, "These tickets are on sale right now: book them instead of waiting.")
    assert "Held for you" in phone.send(page, "/holds")


def test_a_made_up_place_is_not_found(phone: Phone) -> None:
    """Its address is the right to it."""
    phone.get("/waitlist/nonsense")
    assert phone.status == 404


def test_the_listing_says_where_a_waitlist_is_open(phone: Phone, box: TestBox, orders: list[str]) -> None:
    """Beside what is sold out, and nowhere else."""
    assert "Waitlist open" not in phone.get("/")  # the other date still has tickets
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(ELSEWHERE, 4)]))
    assert "Waitlist open" in phone.get("/")


def answer(phone: Phone) -> tuple[int, str]:
    """Status of the last page and the notice above its form."""
    assert phone.last is not None
    found = re.findall(r'role="alert">([^<]*)<', phone.last.text)
    return phone.status, found[0] if found else ""


def test_no_more_is_offered_to_wait_for_than_there_is(tmp_path: Path) -> None:
    """Limits of one phone may be far above a small quota; where kinds share it, the answer says how many there are."""
    limits = Limits(per_hold=50, unpaid_per_client=50, free_per_client=50)
    made = make_box(tmp_path, catalogue=example_catalogue(limits), grants={ROOM: 0, BALCONY: 0}, elsewhere=0)
    phone = Phone(create_app(made, WebSettings(data=tmp_path)))
    page = phone.get(EVENT)
    offered = {name: rest.split("</select>")[0].count("<option") - 1 for name, rest in _selects(page).items()}
    assert offered == {f"q.{ADULT}": 25, f"q.{CHILD}": 25, f"q.{SEAT}": 5}
    phone.send(page, "/waitlist", **{f"q.{ADULT}": "20", f"q.{CHILD}": "6"})
    assert answer(phone) == (422, "There are only 25 such tickets in all. Choose fewer.")
    made.database.close()


def _selects(page: str) -> dict[str, str]:
    return {part.split('"')[0]: part for part in page.split('name="')[1:] if part.startswith("q.")}


def test_a_form_without_a_choice_is_answered_at_the_form(phone: Phone, orders: list[str]) -> None:
    """And the same form, corrected, joins."""
    page = phone.send(phone.get(EVENT), "/waitlist", **{f"q.{ADULT}": "0"})
    assert answer(phone) == (422, "Choose at least one ticket.")
    assert "You are on the waitlist" in phone.send(page, "/waitlist")


def test_a_full_list_is_called_full_and_a_shared_address_by_its_name(
    phone: Phone, orders: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is something that the guest who reads it did."""
    monkeypatch.setattr(waitlist, "MOST_PER_ADDRESS", 0)
    page = phone.send(phone.get(EVENT), "/waitlist")
    assert phone.status == 409
    assert "Very many on this waitlist come from your network." in page
    monkeypatch.setattr(waitlist, "MOST_PER_QUOTA", 0)
    assert "<h1>The waitlist is full</h1>" in phone.send(phone.get(EVENT), "/waitlist")
