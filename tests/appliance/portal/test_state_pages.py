"""Every state of a sale has its own page, and a refusal shows the one that fits."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from flask import Flask

from appliance.domain.clock import HOUR_MS
from appliance.portal import WebSettings, create_app
from appliance.services import switches, sync
from mqtt_bridge.protocol.catalogue import Catalogue, Limits
from tests.appliance.portal.conftest import Phone
from tests.support.box import ADULT, BADGE, BALCONY, HALL, ROOM, START_MS, TONIGHT, TestBox, example_catalogue, make_box


def sell_all(app: Flask, number: int = 10) -> None:
    """Let other phones book everything in the room."""
    for _ in range(number):
        phone = Phone(app)
        phone.book()
        assert phone.status == 200


def only_tonight(**changes: object) -> Catalogue:
    """The example with one session of one ticket type, changed."""
    whole = example_catalogue(version=2)
    tonight = whole.events[0].sessions[0]
    session = msgspec.structs.replace(tonight, ticket_types=tonight.ticket_types[:1], **changes)
    return msgspec.structs.replace(whole, events=(msgspec.structs.replace(whole.events[0], sessions=(session,)),))


@pytest.fixture
def show(box: TestBox):
    """A function that publishes another catalogue."""

    def apply(catalogue: Catalogue) -> None:
        box.run(lambda unit: sync.apply_catalogue(unit, catalogue))

    return apply


def test_sold_out_here_says_that_other_venues_may_have_some(app: Flask, phone: Phone, show):
    show(only_tonight())
    form = phone.get("/events/river")
    sell_all(app)
    page = phone.send(form, "/holds")
    assert phone.status == 409
    assert "Sold out at this box office" in page
    assert "Other venues may still have some" in page
    assert "Hold tickets" not in page
    assert "Sold out here" in phone.get("/")


def test_sold_out_everywhere_says_so(app: Flask, box: TestBox, show):
    show(only_tonight())
    box.grant({ROOM: 10, BALCONY: 5, HALL: 4}, elsewhere=0)
    sell_all(app)
    page = Phone(app).get("/events/river")
    assert "No tickets are left at any venue" in page


def test_fewer_left_than_wanted_says_so_above_the_form(app: Flask, phone: Phone):
    form = phone.get("/events/river")
    sell_all(app, 8)
    page = phone.send(form, "/holds", **{f"q.{ADULT}": "3"})
    assert phone.status == 409
    assert "So many are not left" in page
    assert "Hold tickets" in page
    assert "Only 2 left" in page


def test_not_yet_open_says_when(phone: Phone, show):
    show(only_tonight(sale_opens_at_ms=START_MS + HOUR_MS // 2))
    page = phone.get("/events/river")
    assert "On sale from Fri 15 Jan, 09:30" in page
    assert "Hold tickets" not in page
    assert "Coming soon" in phone.get("/")


def test_closed_by_staff_says_ask_at_the_desk(phone: Phone, box: TestBox, show):
    show(only_tonight())
    form = phone.get("/events/river")
    box.run(lambda unit: switches.set_sale(unit, TONIGHT, "closed", BADGE))
    for page in (phone.get("/events/river"), phone.send(form, "/holds")):
        assert "The sale for this date is closed" in page
    assert phone.status == 409


def test_a_cancelled_date_says_so(phone: Phone, show):
    show(only_tonight(cancelled=True))
    assert "This date is cancelled" in phone.get("/events/river")
    assert "Called off" in phone.get("/")


def test_an_empty_programme_has_a_friendly_page(phone: Phone, show):
    show(msgspec.structs.replace(example_catalogue(version=2), events=()))
    assert "Nothing is on sale here yet" in phone.get("/")


def test_an_event_without_dates_still_has_a_page(phone: Phone, box: TestBox):
    box.turn.advance(10 * HOUR_MS)
    assert "No dates are planned right now" in phone.get("/events/river")
    assert phone.status == 200


def test_the_other_date_is_one_tap_away_and_sold_here_too(phone: Phone):
    page = phone.get("/events/river")
    assert "South Barn" in page
    other = page.split('class="dates"')[1].split('href="')[2].split('"')[0]
    away = phone.get(other)
    assert "2 South St" in away
    assert "Held for you" in phone.send(away, "/holds")


def test_a_limit_is_explained_and_leads_back(tmp_path: Path):
    box = make_box(tmp_path, catalogue=example_catalogue(Limits(holds_per_client=1)))
    app = create_app(box, WebSettings(data=tmp_path))
    phone = Phone(app)
    form = phone.get("/events/river")
    phone.send(form, "/holds")
    page = phone.send(form, "/holds", **{f"q.{ADULT}": "2"})
    assert phone.status == 409
    assert "You already hold tickets" in page
    assert 'href="/events/river"' in page
    held = re.search(r'href="(/holds/[^"]+)"', page)
    assert held is not None
    assert "Held for you" in phone.get(held[1])
    box.database.close()


def test_too_many_new_phones_are_told_when_to_come_back(tmp_path: Path):
    box = make_box(tmp_path, catalogue=example_catalogue(Limits(new_clients_per_minute=1)))
    app = create_app(box, WebSettings(data=tmp_path))
    Phone(app).hold()
    phone = Phone(app)
    page = phone.hold()
    assert phone.status == 429
    assert "Please wait a little" in page
    assert "Try again in 1 minute." in page
    assert phone.last is not None
    assert int(phone.last.headers["Retry-After"]) <= 60
    box.database.close()


def test_a_failure_is_a_page_that_blames_us(app: Flask, phone: Phone, monkeypatch: pytest.MonkeyPatch):
    def fail(_unit: object) -> None:
        raise RuntimeError("a secret")

    app.testing = False
    monkeypatch.setattr("appliance.services.listing.listing", fail)
    page = phone.get("/")
    assert phone.status == 500
    assert "That was our mistake" in page
    assert "a secret" not in page


def test_what_is_too_large_is_refused_with_a_page(phone: Phone):
    page = phone.post("/holds", {"key": "x" * 100_000})
    assert phone.status == 413
    assert "That was too much" in page


def test_pages_survive_that_an_event_leaves_the_catalogue(phone: Phone, show):
    page = phone.hold()
    held = phone.path
    show(msgspec.structs.replace(example_catalogue(version=2), events=()))
    phone.get(held)
    assert phone.status == 200
    answer = phone.send(page, "/confirm")
    assert phone.status == 422
    assert "not sold any more" in answer


def test_a_ticket_stays_a_page_when_its_event_leaves_the_catalogue(phone: Phone, show):
    phone.book()
    ticket = phone.path
    show(msgspec.structs.replace(example_catalogue(version=2), events=()))
    page = phone.get(ticket)
    assert phone.status == 200
    assert 'class="qr"' in page
