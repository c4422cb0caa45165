"""Every page in every language can be read in sunlight and used with a thumb on the narrowest phone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from appliance.desk.photos import Photographer
from appliance.services import hardware, sms
from drivers.camera.picture import draw_test_picture
from drivers.camera.pictures import jpeg
from tests.browser.conftest import PHONE, Venue, reload, sign_in
from tests.browser.looks import complaints

pytestmark = pytest.mark.system
LANGUAGES = ("en", "de")


@pytest.fixture
def thumb(browser: Browser, venue: Venue) -> Iterator[Page]:
    """A narrow phone whose page can be measured (guests' pages have no scripts of their own either way)."""
    context = browser.new_context(base_url=venue.url, viewport=PHONE)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_guests_pages(thumb: Page, venue: Venue, language: str):
    query = f"?lang={language}"
    found = {}

    def look(name: str) -> None:
        found[name] = complaints(thumb)

    thumb.goto(f"/{query}")
    look("listing")
    thumb.goto(f"/events/paper-moons{query}")
    look("event")
    thumb.click("button.primary")
    look("hold")
    held = thumb.url
    thumb.click("button.primary")
    look("order")
    ticket = thumb.url.split("?")[0]
    thumb.goto(f"{ticket}/cancel{query}")
    look("cancel")
    thumb.click("button.danger")
    look("cancelled")
    thumb.goto(f"/events/paper-moons{query}")
    thumb.click("button.primary")
    venue.box.turn.advance(11 * 60_000)
    reload(thumb)
    look("expired")
    thumb.goto(f"/nothing{query}")
    look("not found")
    venue.box.grant(dict.fromkeys(venue.catalogue.quota, 0), epoch=2)
    # The phone may show the page it has for a minute.
    thumb.goto(f"/events/paper-moons{query}")
    reload(thumb)
    look("sold out here")
    thumb.click("button.primary")
    look("waiting")
    place = thumb.url
    venue.box.grant(dict.fromkeys(venue.catalogue.quota, 1), epoch=2)
    thumb.goto(place)
    look("offered")
    thumb.click("button.quiet")
    look("left")
    assert held
    assert {name: each for name, each in found.items() if each} == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_staff_pages(thumb: Page, venue: Venue, language: str):
    query = f"?lang={language}"
    found = {}

    def look(name: str) -> None:
        found[name] = complaints(thumb)

    thumb.goto(f"/staff/sign-in{query}")
    look("sign in")
    sign_in(thumb)
    thumb.goto(f"/events/paper-moons{query}")
    thumb.click("button.primary")
    thumb.click("button.primary")
    code = thumb.locator(".foot .code").inner_text()
    for name, typed in (("unpaid", code), ("unknown", "nonsense")):
        thumb.goto(f"/staff/{query}")
        thumb.fill("#code", typed)
        thumb.press("#code", "Enter")
        thumb.wait_for_selector(".verdict.refused")
        look(name)
    thumb.goto(f"/staff/orders{query}&code={code}")
    look("order")
    thumb.goto(f"/staff/sell{query}")
    look("sell")
    thumb.locator(".sell a").first.click()
    look("sell type")
    thumb.click("button.primary")
    look("sold")
    thumb.goto(f"/staff/live{query}")
    look("screen")
    thumb.goto(f"/staff/{query}")
    thumb.locator("a[href*='/staff/unpaid/']").first.click()
    look("unpaid")
    assert {name: each for name, each in found.items() if each} == {}


def test_pages_with_text_messages(thumb: Page, venue: Venue):
    # German, whose words are the longer ones.
    query = "?lang=de"
    found = {}

    def look(name: str) -> None:
        found[name] = complaints(thumb)

    venue.box.run(lambda unit: hardware.report(unit, "modem", "ready", "Registered.", unit.now.wall_ms))
    thumb.goto(f"/events/paper-moons{query}")
    thumb.click("button.primary")
    look("offered while booking")
    thumb.check("[name=sms]")
    thumb.click("button.primary")
    assert thumb.locator("[role=alert]").count() == 1
    look("no number")
    thumb.uncheck("[name=sms]")
    thumb.click("button.primary")
    look("offered afterwards")
    thumb.fill("#number", "0170 1234567")
    thumb.click("#sms button")
    look("on its way")
    venue.box.run(lambda unit: sms.claim(unit, 9))
    venue.box.run(lambda unit: sms.finish(unit, 1, sms.Outcome("ambiguous", "The modem did not say.")))
    reload(thumb)
    look("perhaps sent")
    thumb.goto(f"/staff/sign-in{query}")
    sign_in(thumb)
    thumb.goto(f"/staff/messages{query}")
    look("to decide")
    thumb.click("[value=arrived]")
    look("decided")
    assert {name: each for name, each in found.items() if each} == {}


def test_pages_with_photos(thumb: Page, venue: Venue):
    # German, whose words are the longer ones.
    query = "?lang=de"
    found = {}
    still = jpeg(draw_test_picture(1, "guest"))

    def look(name: str) -> None:
        found[name] = complaints(thumb)

    venue.box.run(lambda unit: hardware.report(unit, "camera", "ready", "", unit.now.wall_ms))
    thumb.goto(f"/events/paper-moons{query}")
    thumb.click("button.primary")
    thumb.click("button.primary")
    code = thumb.locator(".foot .code").inner_text()
    thumb.goto(f"/staff/sign-in{query}")
    sign_in(thumb)
    order = f"/staff/orders{query}&code={code}"
    thumb.goto(order)
    thumb.click(".holder summary")
    look("asking")
    thumb.check("[name=agreed]")
    thumb.click(".holder form:has([name=agreed]) button")
    thumb.wait_for_selector(".holder [role=status]")
    look("wanted")
    assert Photographer(venue.box, lambda _deadline_s: still, hours=24).step()
    # The page looks again by itself.
    face = thumb.locator(".holder img.face")
    face.wait_for()
    look("taken")
    thumb.goto(f"/staff/{query}")
    thumb.fill("#code", code)
    thumb.press("#code", "Enter")
    thumb.wait_for_selector(".verdict.pictured img.face")
    look("verdict")
    shown = "() => [...document.querySelectorAll('img.face')].map(each => each.complete && each.naturalWidth)"
    thumb.wait_for_function("() => document.querySelectorAll('img.face.tiny').length")
    thumb.locator("img.tiny").first.scroll_into_view_if_needed()
    thumb.wait_for_function(f"() => ({shown})().every(Boolean)")
    assert thumb.evaluate(shown) == [480, 96]
    thumb.set_viewport_size({"width": 820, "height": 1180})
    look("verdict on a tablet")
    assert {name: each for name, each in found.items() if each} == {}


def test_the_listing_also_uses_a_wide_screen(thumb: Page):
    thumb.set_viewport_size({"width": 1280, "height": 860})
    thumb.goto("/")
    assert complaints(thumb) == {}
    tops = {round(box["y"]) for each in thumb.locator(".card").all()[:3] if (box := each.bounding_box())}
    assert len(tops) == 1


def test_pages_read_from_right_to_left_keep_their_shape(thumb: Page):
    for path in ("/", "/events/paper-moons", "/staff/sign-in"):
        thumb.goto(path)
        thumb.evaluate("() => { document.documentElement.dir = 'rtl' }")
        assert complaints(thumb) == {}
    thumb.goto("/events/paper-moons")
    thumb.evaluate("() => { document.documentElement.dir = 'rtl' }")
    name, choice = thumb.locator(".type .name").first.bounding_box(), thumb.locator(".type select").first.bounding_box()
    assert name is not None
    assert choice is not None
    assert choice["x"] < name["x"]
