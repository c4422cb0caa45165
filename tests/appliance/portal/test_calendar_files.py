"""Dates for calendars, read back with another reader of RFC 5545, and the page that passes an event on."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import msgspec
import pytest
from icalendar import Calendar

from appliance.portal import WebSettings, create_app
from appliance.services import sync
from appliance.web import freshness
from mqtt_bridge.protocol.catalogue import Moved
from tests.appliance.portal.conftest import Phone
from tests.support.box import AWAY, START_MS, TONIGHT, TestBox, example_catalogue

HOUR_MS = 3_600_000


def entries(phone: Phone, path: str) -> list[dict[str, Any]]:
    """What a calendar would take in."""
    phone.get(path)
    assert phone.last is not None
    assert phone.last.headers["Content-Type"] == "text/calendar; charset=utf-8"
    assert all(len(line) <= 75 for line in phone.last.data.split(b"\r\n"))
    read = Calendar.from_ical(phone.last.data)
    assert read["METHOD"] == "PUBLISH"
    return [{name: str(value) for name, value in each.items()} | {"at": each.start} for each in read.events]


def change_tonight(box: TestBox, version: int, **changes: object) -> None:
    whole = example_catalogue(version=version)
    first, *rest = whole.events[0].sessions
    event = msgspec.structs.replace(whole.events[0], sessions=(msgspec.structs.replace(first, **changes), *rest))
    box.run(lambda unit: sync.apply_catalogue(unit, msgspec.structs.replace(whole, events=(event,))))


def test_an_event_has_an_entry_per_date_with_place_and_a_moment_in_utc(phone: Phone):
    tonight, away = entries(phone, "/events/river/calendar.ics")
    assert tonight["UID"] == f"{TONIGHT}@org"
    assert (tonight["SUMMARY"], tonight["LOCATION"]) == ("Songs of the River", "North Hall, 1 North St")
    assert tonight["at"] == datetime.fromtimestamp((START_MS + HOUR_MS) / 1000, UTC)
    assert (tonight["STATUS"], away["LOCATION"]) == ("CONFIRMED", "South Barn, 2 South St")
    assert [each["UID"] for each in entries(phone, f"/events/river/calendar.ics?at={AWAY}")] == [f"{AWAY}@org"]
    assert phone.last is not None
    assert phone.last.headers["Cache-Control"] == freshness.CALENDAR.header(shared=False)


def test_a_moved_date_keeps_its_name_and_a_later_file_wins(phone: Phone, box: TestBox):
    (before, _) = entries(phone, "/events/river/calendar.ics")
    later = START_MS + 5 * HOUR_MS
    moved = Moved("north", START_MS + HOUR_MS, START_MS + 3 * HOUR_MS, START_MS)
    change_tonight(box, 2, venue="south", starts_at_ms=later, ends_at_ms=later + HOUR_MS, moved=moved)
    after = next(each for each in entries(phone, "/events/river/calendar.ics") if each["UID"] == before["UID"])
    assert int(after["SEQUENCE"]) > int(before["SEQUENCE"])
    assert after["at"] == datetime.fromtimestamp(later / 1000, UTC)
    assert after["LOCATION"] == "South Barn, 2 South St"


def test_what_is_called_off_is_struck_out_with_the_organisers_words(phone: Phone, box: TestBox):
    change_tonight(box, 2, cancelled=True, notice="The singer is ill; tickets are paid back.")
    (tonight, away) = entries(phone, "/events/river/calendar.ics")
    assert (tonight["STATUS"], away["STATUS"]) == ("CANCELLED", "CONFIRMED")
    assert "The singer is ill; tickets are paid back." in tonight["DESCRIPTION"]


def test_an_order_has_its_dates_code_and_no_link_to_itself(phone: Phone):
    page = phone.book()
    code = re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}", page)
    assert code is not None
    here = phone.path
    (entry,) = entries(phone, f"{here}/calendar.ics")
    assert entry["UID"] == f"{TONIGHT}@org"
    assert "1 × Adult" in entry["DESCRIPTION"]
    assert re.search(r"Booking code: [0-9A-Z]{4}-[0-9A-Z]{4}", entry["DESCRIPTION"])
    assert phone.last is not None
    assert here.rsplit("/", 1)[1].encode() not in phone.last.data.replace(b"\r\n ", b"")
    assert phone.last.headers["Cache-Control"] == "no-store"
    phone.send(phone.get(f"{here}/cancel"), "/cancel")
    assert [each["STATUS"] for each in entries(phone, f"{here}/calendar.ics")] == ["CANCELLED"]


def test_text_with_commas_line_ends_and_other_scripts_survives(phone: Phone, box: TestBox):
    words = "Comma, semicolon; backslash \\ and\nلاين " + "long " * 40
    change_tonight(box, 2, notice=words)
    assert words in entries(phone, f"/events/river/calendar.ics?at={TONIGHT}")[0]["DESCRIPTION"]


@pytest.mark.parametrize(
    "path", ["/events/nothing/calendar.ics", "/events/nothing/share", "/tickets/nothing/calendar.ics"]
)
def test_what_does_not_exist_has_no_file_and_no_page(phone: Phone, path: str):
    assert "Nothing here" in phone.get(path)
    assert phone.status == 404


def test_the_page_for_sharing_shows_the_address_without_language_or_token(tmp_path: Path, box: TestBox):
    web = WebSettings(data=tmp_path, public_url="https://box.example")
    phone = Phone(create_app(box, web))
    event = phone.get(f"/events/river?at={TONIGHT}&lang=de")
    link = re.search(r'href="(/events/river/share[^"]*)"', event)
    assert link is not None
    page = phone.get(unescape(link[1]))
    assert phone.status == 200
    assert f'href="https://box.example/events/river?at={TONIGHT}" data-share' in page
    assert 'aria-label="QR-Code dieser Adresse"' in page
    assert f"/events/river/calendar.ics?at={TONIGHT}&amp;lang=de" in page
    (entry,) = entries(phone, f"/events/river/calendar.ics?at={TONIGHT}")
    assert entry["URL"] == f"https://box.example/events/river?at={TONIGHT}"
