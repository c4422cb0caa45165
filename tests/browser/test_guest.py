"""A guest books in a browser without JavaScript and cookies, and no way of using it leads to a wrong page."""

from __future__ import annotations

import itertools
from functools import partial
from io import BytesIO

import msgspec
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from appliance.services import switches
from mqtt_bridge.protocol.catalogue import Catalogue, EventSession
from tests.browser.conftest import PHONE, Venue, arrive, book, hold, reload
from tests.support.box import BADGE

pytestmark = pytest.mark.system
MOONS = "/events/paper-moons"


def heading(page: Page) -> str:
    """The page's first heading."""
    return page.locator("h1").first.inner_text()


def fresh(page: Page) -> None:
    """Open the event as it is now: a phone may show for a minute what it has."""
    page.goto(MOONS)
    reload(page)


def changed(catalogue: Catalogue, **changes: object) -> Catalogue:
    """The catalogue with every session of the first event changed."""
    first = catalogue.events[0]

    def apply(at: EventSession) -> EventSession:
        return msgspec.structs.replace(at, **changes)

    event = msgspec.structs.replace(first, sessions=tuple(map(apply, first.sessions)))
    return msgspec.structs.replace(catalogue, version=catalogue.version + 1, events=(event, *catalogue.events[1:]))


def test_listing_to_ticket_in_three_taps_and_no_field(page: Page, venue: Venue):
    page.goto("/")
    taps = 0
    for where in (f'a[href="{MOONS}"]', "button:has-text('Hold tickets')", "button:has-text('Confirm')"):
        page.click(where)
        taps += 1
    assert taps == 3
    assert "/tickets/" in page.url
    assert venue.rows("ticket") == 1
    for words in ("Paper Moons", "The Lantern Hall", "12 Mill Lane, Brackwater", "20:00", "Adult", "at the desk"):
        expect(page.locator("main")).to_contain_text(words)


def test_the_held_page_has_code_countdown_and_two_optional_fields(page: Page):
    hold(page)
    assert heading(page) == "Held for you"
    assert page.locator("main input:visible").count() == 2
    assert page.locator("input[required]").count() == 0
    expect(page.locator(".clock")).to_contain_text("until 18:40 · 10 minutes left")
    assert len(page.locator(".clock .code").inner_text()) == 9


def test_a_screenshot_of_the_ticket_is_the_ticket(page: Page, venue: Venue):
    book(page)
    picture = Image.open(BytesIO(page.screenshot(full_page=True)))
    found = [each.text for each in zxingcpp.read_barcodes(picture)]
    assert found == venue.receipts()


def test_a_blurred_and_shrunken_screenshot_still_scans(page: Page, venue: Venue):
    book(page)
    picture = Image.open(BytesIO(page.locator(".qr").screenshot()))
    small = picture.resize((picture.width // 3, picture.height // 3)).resize(picture.size)
    assert [each.text for each in zxingcpp.read_barcodes(small)] == venue.receipts()


def test_several_types_in_one_order_give_one_ticket_each(page: Page, venue: Venue):
    page.goto(MOONS)
    page.get_by_label("Adult").select_option("2")
    page.get_by_label("Child").select_option("1")
    page.get_by_role("button", name="Hold tickets").click()
    expect(page.locator(".total")).to_contain_text("€33.00")
    page.get_by_role("button", name="Confirm").click()
    assert page.locator("article.ticket").count() == 3
    picture = Image.open(BytesIO(page.screenshot(full_page=True)))
    assert sorted(each.text for each in zxingcpp.read_barcodes(picture)) == sorted(venue.receipts())


def test_a_double_tap_holds_and_books_once(page: Page, venue: Venue):
    page.goto(MOONS)
    page.get_by_role("button", name="Hold tickets").dblclick(no_wait_after=True)
    arrive(page, "**/holds/*")
    assert venue.rows("hold") == 1
    page.get_by_role("button", name="Confirm").dblclick(no_wait_after=True)
    arrive(page, "**/tickets/*")
    assert venue.rows("orders") == 1


def test_the_back_button_and_the_same_tap_again_lead_to_the_same_hold(page: Page, venue: Venue):
    hold(page)
    page.wait_for_url("**/holds/*")
    held = page.url
    page.go_back()
    page.get_by_role("button", name="Hold tickets").click()
    assert page.url == held
    assert venue.rows("hold") == 1


def test_going_back_from_the_ticket_and_confirming_again_shows_the_ticket(page: Page, venue: Venue):
    hold(page)
    held = page.url
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url("**/tickets/*")
    ticket = page.url
    page.go_back()
    if page.url == held:
        page.get_by_role("button", name="Confirm").click()
    assert page.url == ticket
    assert venue.rows("orders") == 1


def test_reloading_changes_nothing_on_any_page(page: Page, venue: Venue):
    hold(page)
    held = page.url
    reload(page)
    assert page.url == held
    page.get_by_role("button", name="Confirm").click()
    ticket = page.url
    reload(page)
    assert page.url == ticket
    assert venue.rows("hold") == venue.rows("orders") == 1


def test_an_expired_hold_offers_the_same_tickets_with_one_tap(page: Page, venue: Venue):
    hold(page)
    venue.box.turn.advance(11 * 60_000)
    reload(page)
    assert heading(page) == "Your time is up"
    page.get_by_role("button", name="Hold them again").click()
    assert heading(page) == "Held for you"


def test_giving_back_says_so_and_offers_them_again(page: Page):
    hold(page)
    page.get_by_role("button", name="Give the tickets back").click()
    assert heading(page) == "You gave these tickets back"


def test_sold_out_here_and_sold_out_each_have_their_page(page: Page, venue: Venue):
    quotas = venue.catalogue.quota
    for epoch, elsewhere, words in ((2, 5, "Sold out at this box office"), (3, 0, "Sold out")):
        venue.box.grant(dict.fromkeys(quotas, 0), epoch=epoch, elsewhere=elsewhere)
        fresh(page)
        assert page.locator("section h2").first.inner_text() == words
        assert page.get_by_role("button", name="Hold tickets").count() == 0


def test_not_yet_closed_and_cancelled_each_have_their_page(page: Page, venue: Venue):
    whole = venue.catalogue
    venue.show(changed(whole, sale_opens_at_ms=venue.box.turn.now.wall_ms + 30 * 60_000))
    fresh(page)
    assert page.locator("section h2").first.inner_text() == "On sale from Fri 5 Jun, 19:00"
    venue.show(msgspec.structs.replace(changed(whole, cancelled=True), version=3))
    fresh(page)
    assert page.locator("section h2").first.inner_text() == "This date is cancelled"
    venue.show(msgspec.structs.replace(whole, version=4))
    for at in whole.events[0].sessions:
        venue.box.run(partial(switches.set_sale, event_session=at.id, position="closed", staff=BADGE))
    fresh(page)
    assert page.locator("section h2").first.inner_text() == "The sale for this date is closed"


CLOCK = """seconds => {
    const svg = document.querySelector(".digits");
    svg.pauseAnimations();
    svg.setCurrentTime(seconds);
    const columns = [...svg.querySelectorAll("animateTransform")].map(each => each.parentNode);
    const digit = g => g.querySelectorAll("text")[Math.round(-g.transform.animVal[0].matrix.f / 48)].textContent;
    const over = getComputedStyle(svg.querySelector(".over")).visibility;
    return [columns.map(digit).join(""), over];
}"""


def test_the_countdown_runs_without_scripts_and_gives_way_to_words(browser: Browser, venue: Venue):
    context = browser.new_context(base_url=venue.url, viewport=PHONE)
    page = context.new_page()
    hold(page)
    assert page.locator("script").count() == 0
    for seconds, digits in ((0.5, "1000"), (1.5, "0959"), (60.5, "0900"), (544.5, "0056"), (599.5, "0001")):
        assert page.evaluate(CLOCK, seconds) == [digits, "hidden"]
    assert page.evaluate(CLOCK, 601)[1] == "visible"
    context.close()


@pytest.mark.parametrize("language", ["en", "ar"])
def test_more_than_an_hour_is_counted_to_its_end_inside_the_drawing(browser: Browser, venue: Venue, language: str):
    """What is held for eleven hours is not over after one; digits stand in the drawing in either direction of writing."""
    limits = msgspec.structs.replace(venue.catalogue.limits, hold_minutes=660.0)
    venue.show(msgspec.structs.replace(venue.catalogue, version=venue.catalogue.version + 1, limits=limits))
    context = browser.new_context(base_url=venue.url, viewport=PHONE)
    page = context.new_page()
    hold(page)
    page.goto(f"{page.url}?lang={language}")
    seen = ((0.5, "110000"), (1.5, "105959"), (3601.5, "95959"), (36_001.5, "05959"), (39_599.5, "00001"))
    for seconds, digits in seen:
        assert page.evaluate(CLOCK, seconds) == [digits, "hidden"]
    drawing = page.locator(".digits").bounding_box()
    shown = page.locator(".digits animateTransform").evaluate_all(
        """all => all.map(each => each.parentNode.querySelector("text").getBoundingClientRect()).map(at => [at.left, at.right])"""
    )
    assert drawing is not None
    assert all(drawing["x"] - 1 <= left < right <= drawing["x"] + drawing["width"] + 1 for left, right in shown)
    assert all(before[1] <= after[0] + 1 for before, after in itertools.pairwise(shown))
    assert page.evaluate(CLOCK, 39_601)[1] == "visible"
    context.close()


def test_one_screenshot_holds_all_of_a_ticket(page: Page):
    book(page)
    for part in (".ticket h2", ".ticket .pay", ".qr svg", ".foot .code"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= PHONE["height"], part


def test_a_ticket_prints_on_paper_without_the_page_around_it(page: Page):
    book(page)
    page.emulate_media(media="print")
    assert not page.locator("footer").is_visible()
    assert not page.locator("header").is_visible()
    assert page.locator(".qr svg").is_visible()


def test_a_right_to_left_name_stays_in_its_place(page: Page):
    hold(page)
    page.fill("#name", "مريم الزهراء")
    page.get_by_role("button", name="Confirm").click()
    # Whoever looks over a shoulder reads the first letters only.
    expect(page.locator("main bdi", has_text="م… ا…").first).to_be_visible()
