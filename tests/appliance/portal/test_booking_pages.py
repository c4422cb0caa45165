"""A guest books on pages: one tap holds, one more confirms, and every page can be reloaded, repeated and gone back to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from appliance.portal import WebSettings, create_app
from appliance.services import listing
from appliance.store import tables
from mqtt_bridge.protocol.receipts import read
from tests.appliance.portal.conftest import Phone
from tests.support.box import ADULT, CHILD, TestBox


def left(box: TestBox, ticket_type: str = ADULT) -> int:
    """How many tickets of a type the venue can still promise."""
    return dict(box.look(listing.availability).items)[ticket_type]


def rows(box: TestBox, table: str) -> int:
    """Number of rows of a table."""
    with box.database.read() as db:
        return len(db.execute(tables.metadata.tables[table].select()).all())


def test_the_listing_shows_what_when_where_how_much_and_as_of_when(phone: Phone):
    page = phone.get("/")
    for words in ("Songs of the River", "North Hall", "10:00", "from €0.00", "Availability as of 09:00:00"):
        assert words in page


def test_one_tap_and_no_field_hold_a_ticket(phone: Phone, box: TestBox):
    page = phone.hold()
    assert phone.path.startswith("/holds/")
    assert "Held for you" in page
    assert "10 minutes left" in page
    assert left(box) == 9


def test_several_types_can_be_held_in_one_order(phone: Phone, box: TestBox):
    page = phone.hold(**{f"q.{ADULT}": "2", f"q.{CHILD}": "1"})
    assert "2 \N{MULTIPLICATION SIGN} <bdi>Adult</bdi>" in page
    assert "1 \N{MULTIPLICATION SIGN} <bdi>Child</bdi>" in page
    assert left(box) == 7
    assert phone.send(page, "/confirm").count('class="qr"') == 3


def test_a_double_tap_holds_once(phone: Phone, box: TestBox):
    form = phone.get("/events/river")
    phone.send(form, "/holds")
    first = phone.path
    phone.send(form, "/holds")
    assert phone.path == first
    assert left(box) == 9


def test_going_back_and_choosing_more_is_a_new_wish(phone: Phone, box: TestBox):
    form = phone.get("/events/river")
    phone.send(form, "/holds")
    first = phone.path
    phone.send(form, "/holds", **{f"q.{ADULT}": "2"})
    assert phone.path != first
    assert phone.status == 200
    assert left(box) == 7


def test_choosing_nothing_says_so_above_the_form(phone: Phone, box: TestBox):
    page = phone.hold(**{f"q.{ADULT}": "0"})
    assert phone.status == 422
    assert "Choose at least one ticket." in page
    assert "Hold tickets" in page
    assert left(box) == 10


@pytest.mark.parametrize("quantity", ["-1", "1.5", "99999999", "٣", "one", "1e3", ""])
def test_what_is_no_quantity_is_refused_and_nothing_is_held(phone: Phone, box: TestBox, quantity: str):
    phone.hold(**{f"q.{ADULT}": quantity})
    assert phone.status == 422
    assert left(box) == 10


def test_confirming_gives_tickets_with_signed_codes_and_what_to_pay(phone: Phone):
    page = phone.book()
    assert phone.path.startswith("/tickets/")
    for words in ("You are booked", "Pay €12.00 at the desk", "North Hall", "1 North St", "<svg"):
        assert words in page
    assert re.search(r'class="foot"><p class="code">[0-9A-Z]{4}-[0-9A-Z]{4}<', page)


def test_confirming_twice_leads_to_the_same_tickets(phone: Phone, box: TestBox):
    held = phone.hold()
    phone.send(held, "/confirm", name="Ada")
    first = phone.path
    phone.send(held, "/confirm", name="Somebody else")
    assert phone.path == first
    assert rows(box, "orders") == 1


def test_the_address_of_a_confirmed_hold_leads_to_its_tickets(phone: Phone):
    held = phone.hold()
    hold_path = phone.path
    phone.send(held, "/confirm")
    tickets = phone.path
    phone.get(hold_path)
    assert phone.path == tickets


def test_free_tickets_are_paid_from_the_start(phone: Phone):
    page = phone.book(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"})
    assert "Free admission" in page
    assert "at the desk</p>" not in page


def test_a_hold_given_back_frees_its_tickets_and_says_so(phone: Phone, box: TestBox):
    page = phone.send(phone.hold(), "/release")
    assert "You gave these tickets back" in page
    assert left(box) == 10


def test_giving_back_what_was_just_confirmed_leads_to_the_tickets(phone: Phone):
    held = phone.hold()
    phone.send(held, "/confirm")
    phone.send(held, "/release")
    assert phone.path.startswith("/tickets/")


def test_an_expired_hold_can_be_had_again_with_one_tap(phone: Phone, box: TestBox):
    phone.hold()
    path = phone.path
    box.turn.advance(11 * 60_000)
    page = phone.get(path)
    assert "Your time is up" in page
    again = phone.send(page, "/holds")
    assert "Held for you" in again
    assert phone.path != path
    assert left(box) == 9


def test_confirming_an_expired_hold_books_while_stock_remains(phone: Phone, box: TestBox):
    held = phone.hold()
    box.turn.advance(11 * 60_000)
    assert "You are booked" in phone.send(held, "/confirm")


def test_confirming_an_expired_hold_whose_tickets_are_gone_says_so(app: Flask, box: TestBox):
    late = Phone(app)
    held = late.hold()
    box.turn.advance(11 * 60_000)
    for _ in range(10):
        Phone(app).book()
    page = late.send(held, "/confirm")
    assert late.status == 409
    assert "meanwhile others took the tickets" in page
    assert "Choose other tickets" in page


def test_names_are_text_in_any_script_and_never_markup(phone: Phone, door: Phone):
    name = "<script>alert(1)</script> مريم 🎟️ Robert'); DROP TABLE orders;--"
    code = re.search(r'class="code">([0-9A-Z-]{9})<', page := phone.send(phone.hold(), "/confirm", name=name))
    assert "<script" not in page
    assert "<bdi>&lt;… م… 🎟… R… D… T… o…</bdi>" in page
    assert code is not None
    shown = door.get(f"/staff/orders?code={code[1]}")
    assert "<script>alert" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; مريم 🎟️" in shown


def test_a_name_of_ten_thousand_letters_keeps_the_hold_and_says_what_is_wrong(phone: Phone, box: TestBox):
    page = phone.send(phone.hold(), "/confirm", name="x" * 10_000)
    assert phone.status == 422
    assert "This name is too long" in page
    assert "Confirm booking" in page
    assert rows(box, "orders") == 0


def test_cancelling_asks_first_and_frees_the_ticket(phone: Phone, box: TestBox):
    page = phone.book()
    where = re.search(r'href="(/tickets/[^"]+/cancel)"', page)
    assert where is not None
    asked = phone.get(where[1])
    assert "Cancel this booking?" in asked
    assert left(box) == 9
    done = phone.send(asked, "/cancel")
    assert "This booking is cancelled" in done
    assert 'class="qr"' not in done
    assert left(box) == 10
    assert "This booking is cancelled" in phone.send(asked, "/cancel")


def test_the_link_for_sharing_shows_the_tickets_but_cannot_cancel(phone: Phone):
    page = phone.book()
    manage = phone.path
    shared = re.search(r'href="http://localhost(/tickets/[^"]+)"', page)
    assert shared is not None
    assert shared[1] != manage
    assert 'class="qr"' in (seen := phone.get(shared[1]))
    assert "Cancel this booking" not in seen
    phone.post(f"{shared[1]}/cancel", {})
    assert phone.status == 404


@pytest.mark.parametrize(
    "path", ["/holds/nonsense", "/tickets/nonsense", "/events/nonsense", "/nonsense", "/assets/x.webp"]
)
def test_a_link_to_nothing_gets_a_page_that_leads_back(phone: Phone, path: str):
    page = phone.get(path)
    assert phone.status == 404
    assert "Nothing here" in page
    assert 'href="/"' in page


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Referer": "http://evil.example/events/river"},
    ],
)
def test_a_form_that_comes_from_another_site_holds_nothing(phone: Phone, box: TestBox, headers: dict[str, str]):
    page = phone.get("/events/river")
    phone.headers |= headers
    phone.send(page, "/holds")
    assert phone.status == 403
    assert left(box) == 10


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://localhost"}, {"Referer": "http://localhost/"}, {"Sec-Fetch-Site": "none"}]
)
def test_a_browser_that_says_little_or_nothing_is_believed(phone: Phone, headers: dict[str, str]):
    page = phone.get("/events/river")
    phone.headers |= headers
    assert "Held for you" in phone.send(page, "/holds")


def test_the_same_form_is_a_new_wish_once_its_hold_came_to_its_end(phone: Phone, box: TestBox):
    page = phone.get("/events/river")
    phone.send(phone.send(page, "/holds"), "/confirm")
    assert "Held for you" in phone.send(page, "/holds")
    second = phone.path
    phone.send(page, "/holds")
    assert phone.path == second
    assert (rows(box, "hold"), rows(box, "orders")) == (2, 1)


def test_guests_get_no_cookie_no_script_and_no_inline_style(phone: Phone):
    for page in (phone.get("/"), phone.hold(), phone.book()):
        assert phone.last is not None
        assert "Set-Cookie" not in phone.last.headers
        assert "<script" not in page
        assert " style=" not in page
        assert "<style" not in page


def test_the_code_on_the_ticket_is_the_receipt_of_the_order(phone: Phone, box: TestBox):
    phone.book()
    with box.database.read() as db:
        (ticket,) = db.execute(tables.ticket.select()).all()
    kid, claims, _verify = read(ticket.receipt)
    assert kid == box.signer.kid
    assert claims.code == ticket.code


def test_a_full_disk_is_called_so_and_nobody_is_told_to_reload(tmp_path: Path, box: TestBox):
    """A busy box office is well again in a moment; this one only once somebody made room."""
    phone = Phone(create_app(replace(box, has_room=lambda: False), WebSettings(data=tmp_path)))
    page = phone.hold()
    assert phone.status == 503
    assert "<h1>No room for anything new</h1>" in page
    assert "reload" not in page
