"""The pages behind the door screen, in both languages on the narrowest phone: read in sunlight, used with a thumb."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from appliance.services import staff_badges, sync
from mqtt_bridge.protocol import badges
from mqtt_bridge.protocol.messages import KeyDirectory
from tests.browser.conftest import PHONE, Venue, sign_in
from tests.browser.looks import complaints
from tests.support.box import BADGE, TestKey

pytestmark = pytest.mark.system
LIST = "name;tickets;note\nZoë Müller-Lindqvist von Hohenstein;2;sits in the front row with her wheelchair\nBob;many;\n"


@pytest.fixture
def thumb(browser: Browser, venue: Venue) -> Iterator[Page]:
    """A narrow phone."""
    context = browser.new_context(base_url=venue.url, viewport=PHONE)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", ["en", "de"])
def test_pages_behind_the_door_screen(thumb: Page, venue: Venue, language: str):
    query = f"?lang={language}"
    found = {}

    def look(name: str) -> None:
        found[name] = complaints(thumb)

    key = TestKey(b"c" * 32)
    text = badges.issue(badges.BadgeClaims(BADGE, "00" * 8), key)
    venue.box.run(lambda unit: sync.apply_keys(unit, KeyDirectory(1, (), (key.public.hex(),))))
    venue.box.run(lambda unit: staff_badges.note_seen(unit, text, "door"))
    thumb.goto(f"/staff/sign-in{query}")
    look("sign in, with a badge that was scanned")
    sign_in(thumb)
    thumb.goto(f"/staff/guests{query}")
    look("guest list")
    thumb.fill("#text", LIST)
    thumb.click("main form button.primary")
    look("guest list, looked at")
    thumb.click("button[value=good]")
    look("guest list, imported")
    thumb.goto(f"/staff/orders{query}&code=mueller")
    look("found by name")
    thumb.goto(f"/staff/exit{query}")
    thumb.fill("#code", "nonsense")
    thumb.press("#code", "Enter")
    look("way out")
    thumb.goto(f"/staff/shifts{query}")
    look("no shift yet")
    thumb.fill("#float", "100")
    thumb.click("main form button.primary")
    look("shift")
    thumb.fill("#counted", "99.50")
    thumb.fill("#differs", "counted twice, and still short of half a euro")
    thumb.click("form[action*='/close'] button")
    look("shift, closed")
    thumb.goto(f"/staff/more{query}")
    look("more")
    thumb.click("button[value=on]")
    assert thumb.locator(".training").is_visible()
    look("training")
    assert {name: each for name, each in found.items() if each} == {}
