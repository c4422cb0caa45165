"""The door page in a browser: sound, focus and fresh verdicts with its script, and everything else without."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance.domain.printing import NoSale
from appliance.services import booking, door
from appliance.services.booking import Item
from appliance.store import jobs
from tests.browser.conftest import DESK, Venue, sign_in
from tests.support.box import guest

pytestmark = pytest.mark.system
# Counts the tones that the page starts, by frequency.
_LISTEN = """() => {
  window.tones = [];
  const start = OscillatorNode.prototype.start;
  OscillatorNode.prototype.start = function (...at) { window.tones.push(this.frequency.value); return start.apply(this, at); };
}"""


def booked(venue: Venue) -> str:
    """Book one ticket for tonight; its code."""
    kind = venue.catalogue.events[0].sessions[0].ticket_types[0].id

    def work(unit):
        hold = booking.place_hold(unit, guest(), [Item(kind, 1)])
        return booking.confirm(unit, hold.id).tickets[0].code

    return venue.box.run(work)


def test_a_scan_is_answered_without_a_new_page_in_words_colour_and_sound(desk: Page, venue: Venue):
    desk.evaluate(_LISTEN)
    desk.evaluate("() => { window.same = true }")
    desk.fill("#code", booked(venue))
    desk.press("#code", "Enter")
    expect(desk.locator(".verdict.refused .said")).to_have_text("Not paid")
    assert desk.evaluate("() => window.same && window.tones.length") == 1
    assert desk.evaluate("() => document.activeElement.id") == "code"
    assert desk.input_value("#code") == ""
    desk.add_init_script(f"({_LISTEN})()")
    desk.get_by_role("button", name="Paid cash: admit").click()
    expect(desk.locator(".verdict.admitted .said")).to_have_text("Admitted")
    assert desk.evaluate("() => window.tones") == [880, 1320]


def test_what_another_lane_scanned_appears_by_itself(desk: Page, venue: Venue):
    desk.evaluate(_LISTEN)
    code = booked(venue)
    venue.box.run(lambda unit: door.pay_and_admit(unit, code, "A7", "cash", "lane-1"))
    expect(desk.locator(".verdict.admitted .said")).to_have_text("Admitted")
    assert desk.evaluate("() => window.tones") == [880, 1320]


def test_news_are_pushed_without_asking_again_and_again(desk: Page, venue: Venue):
    """One open stream instead of a request every other second; where it is closed the page asks by itself."""
    expect(desk.locator("#live")).to_be_visible()
    desk.wait_for_timeout(500)
    asked: list[str] = []
    desk.on("request", lambda request: asked.append(request.url) if "/staff/" in request.url else None)
    code = booked(venue)
    desk.wait_for_timeout(2000)
    venue.box.run(lambda unit: door.pay_and_admit(unit, code, "A7", "cash", "lane-1"))
    expect(desk.locator(".verdict.admitted .said")).to_have_text("Admitted")
    assert asked == []
    desk.route("**/live/events*", lambda route: route.abort())
    desk.reload()
    venue.box.run(lambda unit: door.check_in(unit, code, "A7", "lane-1"))
    expect(desk.locator(".verdict.already_admitted .said")).to_have_text("Already admitted")


def test_news_wait_for_whoever_is_about_to_press_a_button_and_no_longer(desk: Page, venue: Venue):
    """Nothing moves under the finger; what came meanwhile is shown once the finger is gone, though nothing else happens."""
    undo = desk.get_by_role("button", name="Undo")
    code = booked(venue)
    venue.box.run(lambda unit: door.pay_and_admit(unit, code, "A7", "cash", "lane-1"))
    expect(undo).to_have_count(1)
    undo.focus()
    for _ in range(2):
        venue.box.run(lambda unit: unit.print("no_sale", NoSale("Hall", "UTC", unit.now.wall_ms, "A7", "change")))
    queued = len(venue.box.look(lambda unit: jobs.queued(unit.db)))
    desk.wait_for_timeout(2500)
    waits = desk.get_by_text(f"{queued} jobs wait for the printer.")
    expect(waits).to_have_count(0)
    desk.evaluate("() => document.activeElement.blur()")
    expect(waits).to_have_count(1)


def test_a_name_is_looked_up_and_not_taken_for_a_scan(desk: Page, venue: Venue):
    """The field takes both; with the script as without it the second button finds people."""
    desk.fill("#code", "Grace Hopper")
    desk.get_by_role("button", name="Find", exact=True).click()
    desk.wait_for_url("**/staff/orders?code=Grace+Hopper")
    assert venue.rows("check_in") == 0


def test_letters_typed_anywhere_reach_the_field(desk: Page):
    desk.evaluate("() => document.activeElement.blur()")
    desk.keyboard.type("K7QF")
    assert desk.input_value("#code") == "K7QF"


def test_the_door_works_without_scripts(browser: Browser, venue: Venue):
    context = browser.new_context(base_url=venue.url, viewport=DESK, java_script_enabled=False)
    page = context.new_page()
    sign_in(page)
    page.fill("#code", booked(venue))
    page.get_by_role("button", name="Check").click()
    expect(page.locator(".verdict.refused .said")).to_have_text("Not paid")
    page.get_by_role("button", name="Terminal: admit").click()
    expect(page.locator(".verdict.admitted .said")).to_have_text("Admitted")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".verdict .said")).to_have_text("Ready")
    context.close()


def test_a_walk_up_is_sold_in_two_taps(desk: Page, venue: Venue):
    desk.goto("/staff/sell")
    desk.locator(".sell a").first.click()
    desk.get_by_role("button", name="Paid cash").click()
    expect(desk.locator(".verdict.admitted .said")).to_have_text("Sold")
    assert venue.rows("orders") == venue.rows("payment") == 1


def test_the_focus_can_be_seen(desk: Page):
    desk.goto("/staff/sell")
    desk.keyboard.press("Tab")
    outline = desk.evaluate("() => getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
