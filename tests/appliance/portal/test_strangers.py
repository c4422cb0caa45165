"""What another site, a frame and a cache get of guests' pages: nothing. For every form there is, not for those somebody thought of."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask import Flask
from werkzeug.datastructures import MultiDict

from appliance.store import tables
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import ADULT, TestBox

FOREIGN = (
    {"Origin": "http://evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://localhost.evil.example", "Sec-Fetch-Site": "same-origin"},
)
# A form without a token in its address also has to be from a page of ours where the browser only hides where it is from.
HIDDEN = ({"Origin": "null"}, {"Referer": "http://evil.example/x"}, {"Origin": "null", "Sec-Fetch-Site": "same-site"})


def posts(app: Flask) -> list[str]:
    """Every address that guests may post to."""
    rules = [
        rule
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and not rule.rule.startswith("/api/")
    ]
    return sorted(rule.rule for rule in rules if not rule.rule.startswith(("/staff", "/internal")))


def rows(box: TestBox) -> list[object]:
    """All that a guest can change."""
    with box.database.read() as db:
        return [
            tuple(row)
            for table in (tables.hold, tables.order, tables.ticket, tables.waiting, tables.handover, tables.rate)
            for row in db.execute(table.select())
        ]


@pytest.fixture
def tokens(app: Flask, phone: Phone) -> dict[str, str]:
    """A token of each purpose, all of them good."""
    phone.hold()
    hold = phone.path.rsplit("/", 1)[1]
    phone.book()
    return {"hold": hold, "order-manage": phone.path.rsplit("/", 1)[1]}


def filled(rule: str, tokens: dict[str, str]) -> Iterator[str]:
    """The addresses of a rule with good tokens in them."""
    for purpose, token in tokens.items():
        yield re.sub("<[^>]*token>", token, rule).replace("<purpose>", purpose)


def test_no_form_of_a_guest_works_from_another_site(app: Flask, phone: Phone, box: TestBox, tokens: dict[str, str]):
    before = rows(box)
    fields = {f"q.{ADULT}": "1", "key": "k", "code": "AAAAAA", "number": "0170 1234567", "event": "river"}
    # Whoever is made to enter the Wi-Fi's pages has lost nothing, and captive browsers hide what they like.
    public = [rule for rule in posts(app) if "<" not in rule and rule != "/welcome"]
    assert {"/holds", "/waitlist", "/code", "/my"} <= set(public)
    wrong = []
    for rule in posts(app):
        for where in filled(rule, tokens):
            for headers in FOREIGN + (HIDDEN if rule in public else ()):
                status = phone.http.post(where, data=fields, headers=headers).status_code
                if status not in {403, 404, 405}:
                    wrong.append((rule, headers, status))
    assert wrong == []
    assert rows(box) == before


def test_a_captive_browser_that_says_nothing_at_all_may_use_every_form(phone: Phone):
    assert "Held for you" in phone.hold()
    assert "You are booked" in phone.send(phone.get(phone.path), "/confirm")
    assert "Type this at" in phone.send(phone.get(phone.path), "/code/")


def pages(phone: Phone) -> Iterator[str]:
    for where in ("/", "/events/river", "/code", "/my", "/nonsense", "/holds/nonsense", "/staff/sign-in"):
        phone.get(where)
        yield where
    phone.hold()
    yield phone.path
    phone.book()
    for tail in ("", "/cancel", "/change"):
        phone.get(f"{phone.path}{tail}")
        yield phone.path
        phone.get(phone.path.removesuffix(tail))


def test_no_page_can_be_framed_or_tells_other_sites_its_address(phone: Phone):
    for where in pages(phone):
        assert phone.last is not None
        headers = phone.last.headers
        assert headers["X-Frame-Options"] == "DENY", where
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], where
        assert headers["Referrer-Policy"] == "same-origin", where


def test_what_has_a_token_in_its_address_is_kept_by_nobody(app: Flask, phone: Phone, tokens: dict[str, str]):
    kept = []
    for rule in app.url_map.iter_rules():
        if "<token>" in rule.rule and "GET" in (rule.methods or ()) and not rule.rule.startswith("/staff"):
            for where in filled(rule.rule, tokens):
                answer = phone.http.get(where)
                if answer.headers["Cache-Control"] != "no-store":
                    kept.append((rule.rule, answer.headers["Cache-Control"]))
    assert kept == []


def test_pages_that_are_shared_carry_no_token_of_anybody(phone: Phone, tokens: dict[str, str]):
    for where in ("/", "/events/river"):
        page = phone.get(where)
        assert not [token for token in tokens.values() if token in page]
        assert not re.search(r"/(?:holds|tickets|waitlist)/[A-Za-z0-9_-]{20,}", page)
        assert not [fields for _action, fields in forms(page) if {"client", "csrf"} & set(fields)]


def test_a_redirect_leads_to_this_host_whatever_host_was_asked_for(phone: Phone):
    for path in ("/staff", "/events//river", "//evil.example/staff", "/staff?next=//evil.example"):
        answer = phone.http.get(path, base_url="http://evil.example")
        assert answer.headers.get("Location", "/").startswith("/"), path
        assert not answer.headers.get("Location", "").startswith(("//", "/\\")), path
        assert "evil.example" not in answer.text, path


def test_a_field_said_twice_counts_once_and_an_address_is_no_form(phone: Phone, box: TestBox):
    """Fields come from the body alone and the first of a name counts, whatever else stands behind the question mark."""
    twice = MultiDict([("key", "k"), (f"q.{ADULT}", "1"), (f"q.{ADULT}", "5")])
    answer = phone.http.post(f"/holds?q.{ADULT}=4&key=other", data=twice)
    assert answer.status_code == 303
    with box.database.read() as db:
        assert [row.quantity for row in db.execute(tables.hold_item.select())] == [1]
    assert phone.http.post(f"/holds?q.{ADULT}=4&key=other").status_code == 422
