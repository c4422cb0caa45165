"""Asking for tickets past the allocation, on the narrowest phone, in every language, without a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from mqtt_bridge.protocol.messages import OrderRefused
from tests.appliance.services.test_requests import answer, hear, only_order
from tests.browser.conftest import PHONE, Venue, sign_in
from tests.browser.looks import complaints

pytestmark = pytest.mark.system
SUPPER = "/events/orchard-supper"


@pytest.fixture
def thumb(browser: Browser, venue: Venue) -> Iterator[Page]:
    """A narrow phone; nothing is left for the supper here, and the link is down."""
    venue.box.grant(dict.fromkeys(venue.catalogue.quota, 0), epoch=2, elsewhere=9)
    context = browser.new_context(base_url=venue.url, viewport=PHONE, device_scale_factor=2)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", ["en", "de"])
def test_from_the_question_to_the_answer(thumb: Page, venue: Venue, language: str):
    query = f"?lang={language}"
    found = {}

    def look(name: str) -> None:
        found[name] = complaints(thumb)

    thumb.goto(f"{SUPPER}{query}")
    look("event")
    thumb.click("button.primary")
    look("hold")
    thumb.click("button.primary")
    look("requested")
    page = thumb.url
    first = only_order(venue.box)
    assert first.status == "requested"
    assert thumb.locator(".qr").count() == 0
    thumb.click("a.button.danger")
    look("take back?")
    hear(venue.box, answer(venue.box, first, epoch=2))
    thumb.goto(page)
    look("confirmed")
    assert thumb.locator(".qr").count() == 1
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize("language", ["en", "de"])
def test_a_refusal_and_what_staff_see(thumb: Page, venue: Venue, language: str):
    query = f"?lang={language}"
    found = {}

    def look(name: str) -> None:
        found[name] = complaints(thumb)

    thumb.goto(f"{SUPPER}{query}")
    thumb.click("button.primary")
    thumb.click("button.primary")
    page, order = thumb.url, only_order(venue.box)
    sign_in(thumb)
    thumb.goto(f"/staff/orders{query}&code={order.code}")
    look("staff, requested")
    thumb.goto(f"/staff/{query}")
    thumb.fill("#code", order.code)
    thumb.press("#code", "Enter")
    thumb.wait_for_selector(".verdict.refused")
    look("door, requested")
    hear(venue.box, OrderRefused(order.id, "sold_out"))
    thumb.goto(page)
    look("refused")
    thumb.click("a.button.primary")
    assert SUPPER in thumb.url
    thumb.goto(f"/staff/orders{query}&code={order.code}")
    look("staff, refused")
    assert {name: each for name, each in found.items() if each} == {}
