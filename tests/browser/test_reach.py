"""What axe cannot see: a keyboard reaches everything and sees where it is, nothing is asked twice, and large text loses nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from appliance.catalogue.reader import ReadResult
from appliance.services import booking, door, payments
from appliance.web.languages import LANGUAGES
from tests.browser import reach, tour
from tests.browser.conftest import PHONE
from tests.browser.looks import complaints as ugly
from tests.browser.reach import Listener
from tests.browser.venue import Venue, serving
from tests.support.box import BADGE

pytestmark = pytest.mark.system
# 1280 x 1024 at 400 %: WCAG 2.2, 1.4.10.
ZOOMED: ViewportSize = {"width": 320, "height": 256}
# WCAG 2.2, 1.4.12. A sheet that a page makes itself is not stopped by its policy, as a reader's own is not.
_SPACED = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
    p { margin-block-end: 2em !important }`);
  document.adoptedStyleSheets = [sheet];
}"""
_CUT = """() => [...document.querySelectorAll("h1, h2, p, label, button, .button, dd, dt, li, summary, a")]
  .filter(each => each.checkVisibility() && each.clientWidth > 1 && !each.closest(".hidden, .skip, svg, .dates, .scroll"))
  .filter(each => each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== "visible"
    || each.scrollHeight > each.clientHeight + 2 && getComputedStyle(each).overflowY === "hidden")
  .map(each => each.outerHTML.slice(0, 90))"""
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def hotspot(tmp_path: Path, example: ReadResult) -> Iterator[Venue]:
    """A venue with a hotspot, whose listing shows many states."""
    (tmp_path / "leases").write_text("", encoding="utf-8")
    with serving(tmp_path, example, tour.grants(example.catalogue), leases_file=tmp_path / "leases") as served:
        yield served


@pytest.fixture
def context(browser: Browser, hotspot: Venue) -> Iterator[BrowserContext]:
    """A narrow phone whose pages can be measured."""
    made = browser.new_context(base_url=hotspot.url, viewport=PHONE)
    made.set_default_timeout(10_000)
    yield made
    made.close()


@pytest.fixture
def thumb(context: BrowserContext) -> Page:
    """A page of it."""
    return context.new_page()


Check = Callable[[Page], object]


def found_on(part: Callable[[tour.Tour], None], page: Page, venue: Venue, lang: str, check: Check) -> dict[str, object]:
    """Walk ``part`` and return what ``check`` says at each stop, where it says something."""
    found: dict[str, object] = {}

    def stop(name: str) -> None:
        found[name] = check(page)

    part(tour.Tour(page, venue, lang, stop))
    return {name: each for name, each in found.items() if each}


def zoomed(page: Page) -> object:
    """What is lost at 400 %: sideways scrolling, or a control under the bar that sticks."""
    page.set_viewport_size(ZOOMED)
    found = {"sideways": page.evaluate(_SIDEWAYS), **reach.complaints(page)}
    page.set_viewport_size(PHONE)
    return {kind: each for kind, each in found.items() if each}


def spaced(page: Page) -> object:
    """What is lost with a reader's own spacing."""
    page.evaluate(_SPACED)
    found = {"sideways": page.evaluate(_SIDEWAYS), "cut": page.evaluate(_CUT)}
    page.evaluate("() => { document.adoptedStyleSheets = []; }")
    return {kind: each for kind, each in found.items() if each}


def everything(page: Page) -> object:
    """Every check of this file on one page."""
    found = {"keyboard": reach.complaints(page), "zoomed": zoomed(page), "spaced": spaced(page), "looks": ugly(page)}
    return {kind: each for kind, each in found.items() if each}


def test_a_keyboard_reaches_all_in_order_and_always_sees_where_it_is(thumb: Page, hotspot: Venue):
    assert found_on(tour.way, thumb, hotspot, "ar", reach.complaints) == {}


@pytest.mark.slow
@pytest.mark.parametrize("part", [tour.guests, tour.staff], ids=["guests", "staff"])
def test_every_page_by_keyboard_zoomed_and_spaced(thumb: Page, hotspot: Venue, part: Callable[[tour.Tour], None]):
    # German, whose words are the longer ones.
    assert found_on(part, thumb, hotspot, "de", everything) == {}


def test_the_checks_see_what_is_wrong(thumb: Page):
    thumb.goto("/events/paper-moons")
    thumb.evaluate("""() => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(`.act { position: fixed; inset: 0; } :focus-visible { outline: 0 !important } .type { order: -1; white-space: nowrap }`);
        document.adoptedStyleSheets = [sheet];
        document.querySelector("select").tabIndex = 1;
    }""")
    assert {"hidden behind something", "not marked", "order"} <= reach.complaints(thumb).keys()


def test_what_was_entered_is_not_asked_again(thumb: Page, hotspot: Venue):
    # WCAG 2.2, 3.3.7.
    walk = tour.Tour(thumb, hotspot, "en", lambda _name: None)
    walk.hold(tour.MOONS, 2)
    thumb.fill("#name", "Noor Haddad\u0007")
    thumb.fill("#contact", "noor@example.org")
    walk.press()
    notice = thumb.get_by_role("alert")
    expect(notice).to_be_visible()
    assert thumb.input_value("#contact") == "noor@example.org"
    assert thumb.input_value("#name").startswith("Noor Haddad")
    assert thumb.get_attribute("#name", "autocomplete") == "name"


def test_signing_in_asks_nothing_of_memory_or_wits_and_takes_what_is_pasted(thumb: Page):
    # WCAG 2.2, 3.3.8.
    thumb.goto("/staff/sign-in")
    assert thumb.get_attribute("#pin", "autocomplete") == "current-password"
    assert thumb.get_attribute("#badge", "autocomplete") == "username"
    for path, field in (("/staff/sign-in", "#pin"), ("/staff/sign-in", "#badge"), ("/my", "#code"), ("/code", "#code")):
        thumb.goto(path)
        thumb.focus(field)
        thumb.evaluate(
            """field => {
                const data = new DataTransfer(); data.setData("text/plain", "X");
                const event = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
                window.kept = document.querySelector(field).dispatchEvent(event);
            }""",
            field,
        )
        assert thumb.evaluate("() => window.kept") is True
        assert int(thumb.get_attribute(field, "maxlength") or "99") >= 9


def test_what_changed_is_said(thumb: Page, hotspot: Venue):
    # WCAG 2.2, 4.1.3: refusals are alerts, outcomes of a scan are live.
    walk = tour.Tour(thumb, hotspot, "en", lambda _name: None)
    walk.hold(tour.MOONS, 0, 0, 0)
    expect(thumb.get_by_role("alert")).to_have_text("Choose at least one ticket.")


def test_no_movement_for_who_wants_none(thumb: Page):
    thumb.emulate_media(reduced_motion="reduce")
    thumb.goto("/events/paper-moons")
    assert thumb.evaluate("() => getComputedStyle(document.querySelector('button')).transitionDuration") in {"0s", ""}


def test_system_colours_leave_codes_readable_and_things_with_an_edge(thumb: Page, hotspot: Venue):
    walk = tour.Tour(thumb, hotspot, "en", lambda _name: None)
    walk.hold(tour.MOONS, 1)
    walk.press()
    thumb.emulate_media(forced_colors="active")
    assert (
        thumb.evaluate("() => getComputedStyle(document.querySelector('.qr')).backgroundColor") == "rgb(255, 255, 255)"
    )
    for part in (".ticket .main", ".pay"):
        assert thumb.locator(part).first.evaluate("each => getComputedStyle(each).borderTopStyle") == "solid"


def test_a_booking_by_keyboard_and_screen_reader_alone_in_arabic(browser: Browser, hotspot: Venue):
    """Join, book, be admitted: no script, no cookie, 360 px, right to left."""
    say = LANGUAGES["ar"].texts.gettext
    context = browser.new_context(base_url=hotspot.url, viewport=PHONE, java_script_enabled=False, locale="ar")
    context.set_default_timeout(10_000)
    page = context.new_page()
    guest = Listener(page)
    page.goto("/welcome")
    guest.activate("button", say("See what is on"))
    guest.activate("link", "Paper Moons")
    assert guest.says("heading", "Paper Moons")
    guest.reach("combobox", "Child")
    page.keyboard.press("ArrowDown")
    guest.activate("button", say("Hold tickets"))
    assert guest.says("heading", say("Held for you"))
    guest.reach("textbox", say("Name"))
    page.keyboard.type("نور حداد")
    guest.activate("button", say("Confirm booking"))
    assert guest.says("heading", say("You are booked"))
    assert guest.says("image", say("QR code of this ticket"))
    spoken = [name for _role, name, _focused in guest.tree()]
    codes = dict.fromkeys(name for name in spoken if len(name) == 9 and name[4] == "-")
    assert context.cookies() == []
    context.close()
    box = hotspot.box
    orders = [box.look(partial(booking.find_by_code, code=code)) for code in codes]
    assert [len(each.tickets) for each in orders] == [2] * len(orders)
    box.run(lambda unit: payments.take_payment(unit, orders[0].id, BADGE, "cash", orders[0].due_minor))
    scans = [box.run(partial(door.check_in, code=each.code, staff=BADGE, lane="1")) for each in orders[0].tickets]
    assert [each.verdict for each in scans] == ["admitted"] * 2
