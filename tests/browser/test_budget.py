"""What a visit costs a phone on a crowded hotspot: bytes, requests, jumps of the page, taps and fields."""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, Route

from appliance.domain.clock import DAY_MS
from mqtt_bridge.protocol.catalogue import Catalogue, Event
from tests.browser.conftest import PHONE, Venue

pytestmark = [pytest.mark.system, pytest.mark.slow]
MOST_BYTES = 120_000
MOST_REQUESTS = 12
MOST_TEXT_ZIPPED = 14_000
MOST_AGAIN = 2_000
MOST_SHIFT = 0.02
EVENT = "/events/paper-moons"
# Long enough for the page to be laid out before the pictures come.
LATE_S = 0.3
SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => list.getEntries().forEach((each) => { window.shifts += each.value }))
  .observe({ type: "layout-shift", buffered: true });
"""


@dataclass
class Traffic:
    """What came over the network; pictures that are part of the page itself are none."""

    page: Page
    answers: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("response", self._note)

    def _note(self, answer: Response) -> None:
        if not answer.url.startswith("data:"):
            self.answers.append(answer)

    def begin(self) -> None:
        """Forget what came so far."""
        self.answers.clear()

    @property
    def total(self) -> int:
        """Bytes of bodies and heads."""
        sizes = [each.request.sizes() for each in self.answers]
        return sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes)

    @property
    def text_zipped(self) -> int:
        """Bytes of pages and style sheets as nginx sends them."""
        kinds = ("text/html", "text/css")
        texts = [each for each in self.answers if each.headers.get("content-type", "").startswith(kinds)]
        return sum(len(gzip.compress(each.body(), 6)) for each in texts)


def crowded(whole: Catalogue, pages: int = 2) -> Catalogue:
    """The example's events over and over, on other days: more than the listing shows at once."""
    events: list[Event] = []
    for number in range(30 * pages // len(whole.events) + 1):
        for event in whole.events:
            later = [
                msgspec.structs.replace(
                    at,
                    id=f"{at.id}-{number}",
                    starts_at_ms=at.starts_at_ms + number * DAY_MS,
                    ends_at_ms=at.ends_at_ms + number * DAY_MS,
                )
                for at in event.sessions
            ]
            names = {"id": f"{event.id}-{number}", "slug": f"{event.slug}-{number}", "title": f"{event.title} {number}"}
            events.append(msgspec.structs.replace(event, sessions=tuple(later), **names) if number else event)
    return msgspec.structs.replace(whole, version=whole.version + 1, events=tuple(events))


@pytest.mark.parametrize("path", ["/", "/?when=tonight", EVENT, f"{EVENT}/share"])
def test_a_first_view_stays_within_its_budget(page: Page, path: str):
    traffic = Traffic(page)
    page.goto(path, wait_until="networkidle")
    assert not page.locator("script").count()
    print(f"{path}: {traffic.total} bytes in {len(traffic.answers)} requests, text {traffic.text_zipped} bytes zipped")
    assert traffic.total <= MOST_BYTES
    assert len(traffic.answers) <= MOST_REQUESTS
    assert traffic.text_zipped <= MOST_TEXT_ZIPPED


def test_a_long_programme_stays_within_it_too(page: Page, venue: Venue):
    venue.show(crowded(venue.catalogue))
    traffic = Traffic(page)
    page.goto("/", wait_until="networkidle")
    assert page.locator(".card").count() == 30
    print(
        f"30 cards: {traffic.total} bytes in {len(traffic.answers)} requests, text {traffic.text_zipped} bytes zipped"
    )
    assert traffic.total <= MOST_BYTES
    assert len(traffic.answers) <= MOST_REQUESTS
    assert traffic.text_zipped <= MOST_TEXT_ZIPPED


@pytest.mark.parametrize("path", ["/", EVENT])
def test_a_repeat_view_is_two_kilobytes_at_most(page: Page, path: str):
    page.goto(path, wait_until="networkidle")
    traffic = Traffic(page)
    page.reload(wait_until="networkidle")
    print(f"{path} again: {traffic.total} bytes")
    # A page that was found unchanged (304) has a head and no body.
    assert 0 < traffic.total <= MOST_AGAIN


@pytest.fixture
def scripted(browser: Browser, venue: Venue) -> Iterator[BrowserContext]:
    """A browser that lets the test look at how the page jumped."""
    made = browser.new_context(base_url=venue.url, viewport=PHONE, device_scale_factor=2)
    made.add_init_script(SHIFTS)
    yield made
    made.close()


@pytest.mark.parametrize("path", ["/", EVENT])
def test_nothing_jumps_when_pictures_come_late(scripted: BrowserContext, path: str):
    page, late = scripted.new_page(), []

    def hold_up(route: Route) -> None:
        late.append(route.request.url)
        time.sleep(LATE_S)
        route.continue_()

    page.route("**/assets/*", hold_up)
    page.goto(path, wait_until="networkidle")
    page.mouse.wheel(0, 3000)
    page.wait_for_load_state("networkidle")
    assert late
    shifted = page.evaluate("window.shifts")
    print(f"{path}: layout shift {shifted}")
    assert shifted <= MOST_SHIFT


def test_what_is_seen_before_the_pictures_is_a_picture_already(page: Page):
    page.route("**/assets/*", lambda route: route.abort())
    page.goto("/")
    assert page.locator('.poster img[src^="data:image/webp"]').first.is_visible()
    sharp = page.locator(".poster img[src^='/assets/']")
    assert sharp.first.get_attribute("srcset") is not None
    assert sharp.first.get_attribute("loading") is None
    assert sharp.last.get_attribute("loading") == "lazy"


@dataclass
class Hand:
    """A thumb: counts what it taps and fills in."""

    page: Page
    taps: int = 0
    fields: int = 0

    def tap(self, role: str, name: str) -> None:
        """Tap a button or a link."""
        self.page.get_by_role("link" if role == "link" else "button", name=name).first.click()
        self.taps += 1

    def fill(self, label: str, text: str) -> None:
        """Fill in a field."""
        self.page.get_by_label(label).first.fill(text)
        self.fields += 1

    @property
    def spent(self) -> tuple[int, int]:
        """(taps, fields) since this was asked last."""
        spent, self.taps, self.fields = (self.taps, self.fields), 0, 0
        return spent


def test_taps_and_fields_per_journey_are_counted(page: Page, venue: Venue):
    hand = Hand(page)
    page.goto("/")
    hand.tap("link", "Paper Moons")
    assert hand.spent == (1, 0)
    hand.tap("button", "Hold tickets")
    assert page.locator("h1").inner_text() == "Held for you"
    assert hand.spent == (1, 0)
    assert page.locator("main input[type=text], main input:not([type])").count() <= 2
    assert page.locator("main [required]").count() == 0
    hand.tap("button", "Confirm booking")
    assert page.locator("article.ticket, .ticket").count()
    assert hand.spent == (1, 0)  # three taps from the listing to the ticket, and no field
    page.goto("/")
    hand.tap("link", "Tonight")
    assert hand.spent == (1, 0)
    page.goto("/")
    hand.fill("Search events", "brass")
    hand.tap("button", "Search")
    assert page.locator(".card").count() == 1
    assert hand.spent == (1, 1)
    page.goto(EVENT)
    hand.tap("link", "Share, or put it in your calendar")
    assert page.locator("a", has_text="Add this date to your calendar").count()
    assert hand.spent == (1, 0)
    venue.box.grant(dict.fromkeys(venue.catalogue.quota, 0), epoch=2, elsewhere=0)
    page.goto(f"{EVENT}?at={venue.catalogue.events[0].sessions[1].id}")
    hand.tap("button", "Join the waitlist")
    assert page.locator("h1").inner_text() == "You are on the waitlist"
    assert hand.spent == (1, 0)
