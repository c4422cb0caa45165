"""A guest's page in another browser, found again without an account, and changed only by who knows more than its address."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import cast

import pytest
from flask import Flask

from appliance.domain.clock import MINUTE_MS
from appliance.portal import WebSettings, create_app
from appliance.services import listing
from appliance.store import tables
from tests.appliance.portal.conftest import Phone
from tests.support.box import ADULT, TestBox

SECURE = "https://box.example"
NAME, CONTACT = "Zoë Müller-Łucja", "+49 170 123 45 67"
HERE, THERE = "192.168.4.10", "192.168.4.11"


@pytest.fixture
def hotspot(tmp_path: Path, box: TestBox) -> Flask:
    """The portal of a hotspot with two phones on it, and a secure address."""
    known = tmp_path / "dnsmasq"
    known.write_text(f"1 aa:aa:aa:aa:aa:01 {HERE} * *\n1 aa:aa:aa:aa:aa:02 {THERE} * *\n", "utf-8")
    return create_app(box, WebSettings(data=tmp_path, leases_file=known, secure_url=SECURE))


def at(app: Flask, address: str) -> Phone:
    """A phone that calls from an address."""
    phone = Phone(app)
    phone.http.environ_base["REMOTE_ADDR"] = address
    return phone


def code_in(page: str, letters: int) -> str:
    """The code of that many letters on a page."""
    half = letters // 2
    found = re.search(rf">([0-9A-Z]{{{half}}}-[0-9A-Z]{{{half}}})<", page)
    assert found is not None
    return found[1]


def short(phone: Phone, page: str) -> str:
    """Have a page show its short code."""
    return code_in(phone.send(page, "/code/"), 6)


def typed(phone: Phone, code: str) -> str:
    return phone.send(phone.get("/code"), "/code", code=code)


def mine(phone: Phone, code: str, proof: str = "") -> str:
    return phone.send(phone.get("/my"), "/my", code=code, proof=proof)


def test_the_captive_page_leads_to_the_same_hold_at_the_secure_address_by_link_and_qr_code(hotspot: Flask):
    phone = at(hotspot, HERE)
    page = phone.hold()
    assert f'href="{SECURE}{phone.path}"' in page
    assert "QR code that opens this page elsewhere; it is no ticket" in page
    assert "Open in your own browser" in page
    same = phone.http.get(phone.path, base_url=SECURE).text
    assert "Held for you" in same
    assert f'href="{SECURE}' not in same


def test_without_a_secure_address_the_short_code_still_works(phone: Phone, app: Flask):
    page = phone.hold()
    assert "Open this page there" not in page
    code = short(phone, page)
    assert "Type this at localhost/code" in phone.get(phone.path)
    other = Phone(app)
    assert "Held for you" in typed(other, code.lower().replace("-", " "))
    assert other.path == phone.path


def test_a_short_code_works_once_and_for_ten_minutes_and_carries_the_pages_own_right(
    phone: Phone, app: Flask, box: TestBox
):
    page = phone.book()
    code = short(phone, page)
    assert code_in(phone.get(phone.path), 6) == code
    other = Phone(app)
    assert "Cancel this booking" in typed(other, code)
    assert "This code leads nowhere" in typed(other, code)
    assert other.status == 404
    late = short(phone, phone.get(phone.path))
    box.turn.advance(10 * MINUTE_MS)
    assert "This code leads nowhere" in typed(other, late)
    shared = re.search(r'href="http://localhost(/tickets/[^"]+)"', page)
    assert shared is not None
    seen = Phone(app)
    assert "Cancel this booking" not in typed(other, short(seen, seen.get(shared[1])))
    assert other.path == shared[1]


def test_a_code_of_the_hotspot_is_good_on_the_hotspot_only(hotspot: Flask):
    guest = at(hotspot, HERE)
    code = short(guest, guest.hold())
    assert "This code leads nowhere" in typed(at(hotspot, "10.1.1.1"), code)
    assert "Held for you" in typed(at(hotspot, THERE), code)


def test_guessing_short_codes_ends_after_eight_for_a_phone_and_two_hundred_for_all(hotspot: Flask, box: TestBox):
    guesser, other = at(hotspot, HERE), at(hotspot, THERE)
    page = guesser.get("/code")
    for _ in range(8):
        guesser.send(page, "/code", code="AAAAAA")
        assert guesser.status == 404
    assert "Please wait a little" in guesser.send(page, "/code", code="AAAAAA")
    assert guesser.status == 429
    code = short(other, other.hold())
    assert "Please wait a little" in guesser.send(page, "/code", code=code)
    assert "Held for you" in typed(other, code)


def test_wrong_tries_are_counted_for_all_workers_together(phone: Phone, tmp_path: Path, box: TestBox):
    """Two processes have nothing in common but the rows."""
    phone.send(phone.hold(), "/confirm", name=NAME)
    workers = [create_app(box, WebSettings(data=tmp_path)) for _ in range(2)]
    for number in range(8):
        typed(Phone(workers[number % 2]), "AAAAAA")
    for app in workers:
        assert "Please wait a little" in typed(other := Phone(app), "AAAAAA")
        assert other.status == 429
    for number in range(5):
        Phone(workers[number % 2]).post(f"{phone.path}/cancel", {"proof": "x"})
    assert "Please wait a little" in Phone(workers[0]).post(f"{phone.path}/cancel", {"proof": NAME})


def test_a_restart_ends_short_codes(phone: Phone, app: Flask, box: TestBox):
    code = short(phone, phone.hold())
    box.turn.reboot()
    assert "This code leads nowhere" in typed(Phone(app), code)


@pytest.mark.parametrize(
    ("given", "finds", "manages"),
    [
        ("+49 170 123 45 67", True, True),
        ("0170/1234567", True, True),
        ("zoe muller łucja", True, False),
        ("ZOË MÜLLER-ŁUCJA", True, False),
        ("Zoë", False, False),
        ("", False, False),
        ("4567", False, False),
    ],
)
def test_my_tickets_the_contact_manages_the_name_shows_and_nothing_else_finds(
    phone: Phone, app: Flask, given: str, finds: bool, manages: bool
):
    code = code_in(phone.send(phone.hold(), "/confirm", name=NAME, contact=CONTACT), 8)
    page = mine(other := Phone(app), code, given)
    assert ("You are booked" in page) is finds
    assert ("Cancel this booking" in page) is manages
    assert other.status == (200 if finds else 404)


def test_a_booking_without_name_and_contact_is_found_by_its_own_phone_on_the_hotspot_only(hotspot: Flask):
    phone = at(hotspot, HERE)
    held = phone.hold()
    hold_code = code_in(held, 8)
    assert "Held for you" in mine(at(hotspot, HERE), hold_code)
    assert "Nothing fits" in mine(at(hotspot, THERE), hold_code)
    code = code_in(phone.send(held, "/confirm"), 8)
    assert "Cancel this booking" in mine(at(hotspot, HERE), code)
    for stranger in (at(hotspot, THERE), at(hotspot, "10.1.1.1")):
        assert "Nothing fits" in mine(stranger, code)


def test_unknown_codes_and_wrong_names_get_the_same_answer_after_the_same_work(phone: Phone, app: Flask, box: TestBox):
    code = code_in(phone.send(phone.hold(), "/confirm", name=NAME), 8)
    with box.database.write() as db:
        connection = cast(sqlite3.Connection, db.connection.driver_connection)
    seen = []
    for tried in (code, "AAAA-AAAA", "nonsense"):
        form, other, asked = Phone(app).get("/my"), Phone(app), list[str]()
        connection.set_trace_callback(asked.append)
        page = other.send(form, "/my", code=tried, proof="Somebody")
        connection.set_trace_callback(None)
        work = [re.sub(r"'[^']*'|[0-9]+|\bNULL\b", "?", each) for each in asked]
        seen.append((re.sub(r'value="[^"]*"', "", page), work))
    assert seen[0] == seen[1] == seen[2]
    assert sum("FROM orders" in each for each in seen[0][1]) == 2


def test_guessing_names_of_a_booking_ends_after_five_and_the_desk_still_helps(phone: Phone, app: Flask):
    code = code_in(phone.send(phone.hold(), "/confirm", name=NAME), 8)
    for _ in range(5):
        mine(Phone(app), code, "Somebody")
    other = Phone(app)
    assert "Ask at the desk" in mine(other, code, NAME)
    assert other.status == 429


def cancel_page(phone: Phone) -> str:
    return phone.get(f"{phone.path}/cancel")


def test_cancelling_asks_for_the_name_or_contact_where_the_booking_has_one(phone: Phone, box: TestBox):
    phone.send(phone.hold(), "/confirm", name=NAME)
    asked = cancel_page(phone)
    for wrong in ("", "Somebody", "Z… M…"):
        assert "This is not the name" in phone.send(asked, "/cancel", proof=wrong)
        assert phone.status == 422
    assert dict(box.look(listing.availability).items)[ADULT] == 9
    assert "This booking is cancelled" in phone.send(
        asked, "/cancel", proof="zoe mueller łucja".replace("mueller", "muller")
    )


def test_the_page_itself_does_not_give_away_what_it_asks_for(phone: Phone, app: Flask, box: TestBox):
    page = phone.send(phone.hold(), "/confirm", name=NAME, contact=CONTACT)
    for secret in (NAME, "Müller", CONTACT, "1234567", "123 45"):
        assert secret not in page


def test_guessing_on_the_page_ends_after_five_whatever_phone_it_comes_from(phone: Phone, app: Flask):
    phone.send(phone.hold(), "/confirm", name=NAME)
    where = phone.path
    for _ in range(5):
        Phone(app).post(f"{where}/cancel", {"proof": "x"})
    assert "Please wait a little" in phone.post(f"{where}/cancel", {"proof": NAME})
    assert phone.status == 429


def test_no_page_of_a_guest_shows_the_id_of_a_hold_or_an_order(phone: Phone, box: TestBox):
    pages = [phone.hold()]
    pages += [phone.send(pages[0], "/confirm", name=NAME), cancel_page(phone)]
    with box.database.read() as db:
        secrets = [row.id for table in (tables.hold, tables.order) for row in db.execute(table.select())]
    assert len(secrets) == 2
    assert not [secret for secret in secrets for page in pages if secret in page]
