"""Pages that caches may hand to everybody: nothing of one phone in them, honest about their age, safe to send twice."""

from __future__ import annotations

import gzip
import re
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from appliance.portal import WebSettings, create_app
from appliance.services import booking
from appliance.services.booking import Item
from appliance.web import freshness, proxied
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import BALCONY, ROOM, SEAT, TONIGHT, TestBox, desk
from tests.support.pages import ROOT

PAGES = ("/", "/events/river")
IN_ENGLISH = {"Accept-Language": "en", proxied.LANGUAGE_HEADER: "en"}


@pytest.fixture
def behind(tmp_path: Path, box: TestBox) -> Flask:
    """The portal behind an nginx of ours."""
    made = create_app(box, WebSettings(data=tmp_path, behind_proxy=True))
    made.testing = True
    return made


def ask(app: Flask, path: str, **headers: str) -> TestResponse:
    return app.test_client().get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def answered(app: Flask, path: str) -> TestResponse:
    return app.test_client().get(path, headers=IN_ENGLISH)


@pytest.mark.parametrize("path", PAGES)
def test_two_phones_get_the_same_bytes_from_behind_the_proxy(behind: Flask, path: str):
    first, second = answered(behind, path), answered(behind, path)
    assert first.data == second.data
    assert first.headers["Cache-Control"] == freshness.PAGE.header()
    assert "Set-Cookie" not in first.headers


def test_the_proxy_finds_the_place_of_the_key_once_in_each_form(behind: Flask):
    page = answered(behind, "/events/river").text
    assert page.count(proxied.KEY_MARKER) == len([each for each in forms(page) if "key" in each[1]]) == 1


def test_without_our_proxy_each_copy_has_a_key_and_stays_on_its_phone(app: Flask):
    first, second = (ask(app, "/events/river", X_Marquee_Language="en") for _ in range(2))
    keys = [dict(forms(each.text))["/holds"]["key"] for each in (first, second)]
    assert keys[0] != keys[1]
    assert proxied.KEY_MARKER not in first.text
    assert first.headers["Cache-Control"].startswith("private, max-age=5")
    assert first.headers["ETag"] == second.headers["ETag"]


def test_a_form_whose_key_was_never_filled_in_holds_nothing(behind: Flask, box: TestBox):
    phone = Phone(behind)
    phone.headers = IN_ENGLISH
    refused = phone.send(phone.get("/events/river"), "/holds")
    assert phone.status == 422
    assert "Reload this page and try again." in refused
    assert "Held for you" in phone.send(refused, "/holds")


@pytest.mark.parametrize("path", PAGES)
def test_a_repeat_view_is_a_few_hundred_bytes_until_something_changed(behind: Flask, box: TestBox, path: str):
    etag = answered(behind, path).headers["ETag"]
    again = behind.test_client().get(path, headers={**IN_ENGLISH, "If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")
    assert sum(len(name) + len(value) + 4 for name, value in again.headers) < 2_000
    assert again.headers["Cache-Control"] == freshness.PAGE.header()
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(SEAT, 3)]))
    changed = behind.test_client().get("/events/river", headers={**IN_ENGLISH, "If-None-Match": etag})
    assert changed.status_code == 200


def test_as_of_is_never_older_than_a_minute_where_a_page_was_found_unchanged(app: Flask, box: TestBox):
    first = ask(app, "/")
    assert 'data-as-of="2027-01-15T08:00:00Z">Availability as of 09:00:00' in first.text
    box.turn.advance(freshness.AS_OF_MS)
    again = ask(app, "/", If_None_Match=first.headers["ETag"])
    assert again.status_code == 200
    assert "Availability as of 09:01:00" in again.text


def test_looking_again_goes_to_an_address_that_no_cache_has_seen(app: Flask, box: TestBox):
    box.grant({ROOM: 0, BALCONY: 0}, epoch=2, elsewhere=0)
    seen = []
    for _ in range(2):
        again = re.search(r'href="(/events/river[^"]*)">Look again', ask(app, f"/events/river?at={TONIGHT}").text)
        assert again is not None
        seen.append(unescape(again[1]))
        box.turn.advance(1000)
    assert seen[0] != seen[1]
    assert seen[0].split("&again=")[0] == seen[1].split("&again=")[0]
    assert "Sold out" in ask(app, seen[0]).text


def test_the_language_of_the_proxy_counts_only_behind_it(app: Flask, behind: Flask):
    headers = {"X_Marquee_Language": "de", "Accept_Language": "en"}
    assert 'lang="en"' in ask(app, "/", **headers).text
    german = ask(behind, "/", **headers)
    assert '<html lang="de"' in german.text
    assert german.headers["Content-Language"] == "de"
    assert '<html lang="en"' in ask(behind, "/?lang=en", **headers).text


def test_a_page_says_whether_the_browsers_wish_decided_its_language(app: Flask):
    assert "Accept-Language" in ask(app, "/").headers["Vary"]
    assert "Accept-Language" not in ask(app, "/?lang=de").headers["Vary"]


def test_a_phone_without_the_proxy_gets_the_page_compressed_and_the_proxy_gets_it_plain(app: Flask, behind: Flask):
    zipped = ask(app, "/events/river", Accept_Encoding="gzip")
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert b"Songs of the River" in gzip.decompress(zipped.data)
    plain = behind.test_client().get("/events/river", headers={**IN_ENGLISH, "Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert proxied.KEY_MARKER in plain.text


def test_nothing_with_a_token_and_no_refusal_is_kept(phone: Phone):
    held = phone.hold()
    for at in (phone.path, phone.path + "x", "/events/nothing"):
        phone.get(at)
        assert phone.last is not None
        assert phone.last.headers["Cache-Control"] == "no-store"
    phone.send(held, "/confirm")
    assert phone.last is not None
    assert phone.last.headers["Cache-Control"] == "no-store"
    phone.send(phone.get("/events/river"), "/holds", **{f"q.{SEAT}": "99"})
    assert phone.status >= 400
    assert phone.last.headers["Cache-Control"] == "no-store"


def test_the_page_about_caching_has_the_table_that_answers_follow(app: Flask, behind: Flask):
    text = (ROOT / "docs" / "portal-caching.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| (.+) \| `([^`]*)` \|$", text.partition("## ")[0], flags=re.MULTILINE))
    assert told.pop("answer") == "Cache-Control"
    assert told == {kind: each.header() for kind, each in freshness.TABLE.items()}
    style = re.findall(r'href="(/static/[^"]+\.css)"', ask(app, "/").text)[0]
    answers = {
        "the listing, an event, sharing an event": [answered(behind, each) for each in (*PAGES, "/events/river/share")],
        "the calendar file of an event": [answered(behind, "/events/river/calendar.ics")],
        "`GET /api/v1/openapi.json`": [ask(app, "/api/v1/openapi.json")],
        "`/phone` and the service worker, which a phone keeps for itself": [ask(app, "/phone")],
        "`GET /api/v1/availability`": [ask(app, "/api/v1/availability")],
        "pictures and files of the design, named by their content": [ask(app, style)],
    }
    for kind, given in answers.items():
        assert {each.headers["Cache-Control"] for each in given} == {told[kind]}
    assert ask(app, "/api/v1/events").headers["Cache-Control"] == freshness.EVENT_LIST.header(shared=False)
