"""Pre-enrolment on the narrowest phone, in two languages, light and dark: booked, mistyped, proven by staff, refused."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from playwright.sync_api import Browser, Page

from mqtt_bridge.protocol.messages import OrderRefused, VerificationMoved
from tests.appliance.services.test_requests import hear, only_order
from tests.browser.axe import violations
from tests.browser.conftest import PHONE, Venue, sign_in
from tests.browser.looks import complaints

pytestmark = [pytest.mark.system, pytest.mark.slow]
SLUG = "open-rehearsal"


@pytest.fixture
def thumb(browser: Browser, venue: Venue) -> Iterator[Page]:
    """A narrow phone; whoever wants a chair has to be reachable."""
    whole = venue.catalogue
    event = whole.event[SLUG]
    sessions = tuple(
        msgspec.structs.replace(
            at, ticket_types=tuple(msgspec.structs.replace(kind, verify="contact") for kind in at.ticket_types)
        )
        for at in event.sessions
    )
    checked = msgspec.structs.replace(event, sessions=sessions)
    events = tuple(checked if each is event else each for each in whole.events)
    venue.show(msgspec.structs.replace(whole, version=whole.version + 1, events=events))
    context = browser.new_context(base_url=venue.url, viewport=PHONE, device_scale_factor=2, bypass_csp=True)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_every_state_is_legible_and_reachable(thumb: Page, venue: Venue, language: str):
    query, found = f"?lang={language}", {}

    def look(name: str) -> None:
        found[name] = [*complaints(thumb), *violations(thumb)]

    thumb.goto(f"/events/{SLUG}{query}")
    look("event")
    thumb.click("button.primary")
    look("hold")
    thumb.fill("#contact", "ada@example.org")
    thumb.click("button.primary")
    thumb.wait_for_selector("#proof")
    look("code on its way")
    page, order = thumb.url, only_order(venue.box)
    hear(venue.box, VerificationMoved(order.id, "code", "wrong", 2))
    thumb.goto(page)
    look("wrong code")
    thumb.fill("#code", "12")
    thumb.click("#proof button.primary")
    thumb.wait_for_selector("[role=alert]")
    look("no code")
    thumb.goto(f"/prove/{'a' * 26}{query}")
    look("link")
    sign_in(thumb)
    thumb.goto(f"/staff/orders{query}&code={order.code}")
    look("staff")
    hear(venue.box, OrderRefused(order.id, "late"))
    thumb.goto(page)
    look("refused")
    assert {name: each for name, each in found.items() if each} == {}
