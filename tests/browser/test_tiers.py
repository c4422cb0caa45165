"""At the secure address: what scripts add, and what a phone keeps when nobody answers."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import msgspec
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from mqtt_bridge.protocol.catalogue import EventSession
from tests.browser import tour_phone
from tests.browser.axe import violations
from tests.browser.conftest import PHONE, Venue, book, hold, policy_refusals
from tests.browser.looks import complaints
from tests.browser.tour import Tour
from tests.browser.tour_phone import API, worker

pytestmark = pytest.mark.system
MOONS = "/events/paper-moons"
MOST_SCRIPT_ZIPPED = 20_000
NUDGE_MS, NUDGES = 300, 60  # a busy machine needs more of them than three
TRIES_TO_A_LONG_WAIT = 6  # then the next is 48 s off at least


@pytest.fixture
def phone(browser: Browser, secure: Venue) -> Iterator[BrowserContext]:
    """A phone's real browser at the secure address."""
    made = browser.new_context(base_url=secure.url, viewport=PHONE, device_scale_factor=2)
    made.set_default_timeout(10_000)
    refused = policy_refusals(made)
    failed: list[str] = []
    made.on("weberror", lambda error: failed.append(str(error.error)))
    yield made
    assert refused == []
    assert failed == []
    made.close()


@pytest.fixture
def page(phone: BrowserContext) -> Page:
    """A page of it."""
    return phone.new_page()


def come_online(page: Page) -> None:
    """What a browser says when the Wi-Fi is back."""
    page.evaluate("() => dispatchEvent(new Event('online'))")


def book_while_nobody_answers(page: Page, venue: Venue) -> None:
    """Leave a booking on the phone; holds go on being asked in vain until the line is mended."""
    venue.line.lose(API)
    page.goto(MOONS)
    page.get_by_role("button", name="Hold tickets").click()
    page.get_by_role("button", name="Book as soon as possible").click()


def test_a_booking_waits_on_the_phone_while_nobody_answers_and_is_then_made_once(page: Page, secure: Venue):
    secure.line.lose(API)
    page.goto(MOONS)
    page.get_by_role("button", name="Hold tickets").click()
    expect(page.locator(".offer")).to_contain_text("Nothing is booked")
    page.get_by_role("button", name="Book as soon as possible").click()
    expect(page.locator(".waits")).to_contain_text("Not booked yet")
    expect(page.locator("#waiting")).to_have_text("1")
    assert secure.rows("hold") == 0
    # It survives leaving the page, and is sent from any other.
    page.goto("/phone")
    expect(page.locator(".entry-waiting")).to_contain_text("1 × Adult")
    # Twice the hold and once the order are made, but the phone hears of neither: keys make that one booking.
    unheard = secure.line.lose_answer(API), secure.line.lose_answer("/api/v1/orders")
    for _ in range(NUDGES):
        come_online(page)
        page.wait_for_timeout(NUDGE_MS)
        if page.locator(".entry-sent").is_visible():
            break
    expect(page.locator(".entry-sent")).to_contain_text("Paper Moons")
    assert all(each.is_set() for each in unheard)
    assert [secure.rows(each) for each in ("hold", "orders", "ticket")] == [1, 1, 1]
    expect(page.locator("#waiting")).to_be_hidden()
    page.locator(".entry-sent a").click()
    expect(page.locator("h1")).to_contain_text("You are booked")


def test_a_network_that_comes_back_during_a_request_is_not_overheard(page: Page, secure: Venue):
    """The request in flight ends in nothing; without another word the next would go out only after the back-off."""
    book_while_nobody_answers(page, secure)
    for _ in range(TRIES_TO_A_LONG_WAIT):
        with page.expect_request("**/api/v1/holds"):
            come_online(page)
    page.wait_for_timeout(NUDGE_MS)
    taken = secure.line.take(API)
    come_online(page)
    assert taken.wait(10)
    come_online(page)
    secure.line.mend()
    expect(page.locator("#waiting")).to_be_hidden()
    assert secure.rows("orders") == 1


def test_a_page_left_while_it_sends_leaves_it_to_the_next_one(phone: BrowserContext, page: Page, secure: Venue):
    """One page sends at a time; the one that waits for its turn takes over where the other is closed."""
    book_while_nobody_answers(page, secure)
    expect(page.locator("#waiting")).to_have_text("1")
    taken = secure.line.take(API)
    come_online(page)
    assert taken.wait(10)
    other = phone.new_page()
    other.goto("/phone")
    expect(other.locator(".entry-waiting")).to_contain_text("1 × Adult")
    page.close()
    expect(other.locator(".entry-sent")).to_contain_text("Paper Moons")
    assert secure.rows("orders") == 1


@pytest.mark.slow
def test_who_taps_while_scripts_do_not_arrive_books_without_them(page: Page, secure: Venue):
    """The network takes the request and never answers."""
    taken = secure.line.take("/static/outbox*")
    page.goto(MOONS)
    page.get_by_role("button", name="Hold tickets").click()
    page.wait_for_url("**/holds/*")
    assert taken.is_set()
    assert secure.rows("hold") == 1


@pytest.mark.slow
def test_of_many_pages_one_tries_when_the_network_is_back(phone: BrowserContext, page: Page, secure: Venue):
    book_while_nobody_answers(page, secure)
    expect(page.locator("#waiting")).to_have_text("1")
    pages = [page, *(phone.new_page() for _ in range(3))]
    for each in pages[1:]:
        each.goto("/phone")
        expect(each.locator(".entry-waiting")).to_contain_text("1 × Adult")
    page.wait_for_timeout(NUDGE_MS)
    asked: list[str] = []
    phone.on("request", lambda request: asked.append(request.url) if request.url.endswith("/holds") else None)
    at_ms = page.evaluate("() => Date.now() + 1500")
    for each in pages:
        each.evaluate("at => void setTimeout(() => dispatchEvent(new Event('online')), at - Date.now())", at_ms)
    page.wait_for_timeout(3_000)
    assert 1 <= len(asked) <= 2, "the next would wait for its back-off"


@pytest.mark.slow
def test_what_is_refused_says_why_and_nothing_is_promised(page: Page, secure: Venue):
    book_while_nobody_answers(page, secure)
    secure.box.grant(dict.fromkeys(secure.catalogue.quota, 0), epoch=2, elsewhere=5)
    page.goto("/phone?lang=de")
    secure.line.mend()
    come_online(page)
    expect(page.locator(".entry-refused")).to_contain_text("An dieser Kasse ausverkauft")
    assert secure.rows("orders") == 0
    assert complaints(page) == {}
    page.get_by_role("button", name="Von dieser Liste entfernen").click()
    expect(page.locator("#outbox")).to_be_hidden()


@pytest.mark.slow
def test_a_confirmation_that_nobody_heard_is_sent_again_with_what_was_typed(page: Page, secure: Venue):
    page.goto(MOONS)
    page.get_by_role("button", name="Hold tickets").click()
    page.wait_for_url("**/holds/*")
    assert page.title().startswith(("10:00 · ", "9:59 · ", "Your tickets"))
    page.fill("#name", "Zoë")
    unheard = secure.line.lose_answer("*/confirm")
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator(".waits")).to_contain_text("Not booked yet")
    assert unheard.is_set()
    come_online(page)
    page.goto("/phone")
    expect(page.locator(".entry-sent")).to_contain_text("Paper Moons")
    assert secure.rows("orders") == 1
    kept = page.evaluate(
        """() => new Promise(done => {
          const asked = indexedDB.open("marquee");
          asked.onsuccess = () => {
            const all = asked.result.transaction("outbox").objectStore("outbox").getAll();
            all.onsuccess = () => { done(JSON.stringify(all.result)); asked.result.close(); };
          };
        })"""
    )
    assert "Zoë" not in kept


@pytest.mark.slow
def test_with_the_box_office_there_scripts_book_in_the_same_taps(page: Page, secure: Venue):
    book(page)
    expect(page.locator("h1")).to_contain_text("You are booked")
    assert [secure.rows(each) for each in ("hold", "orders")] == [1, 1]


@pytest.mark.slow
def test_a_refusal_is_shown_by_the_box_offices_own_page(page: Page, secure: Venue):
    page.goto(MOONS)
    secure.box.grant(dict.fromkeys(secure.catalogue.quota, 0), epoch=2, elsewhere=5)
    page.get_by_role("button", name="Hold tickets").click()
    expect(page.locator("main [role=alert]").first).to_contain_text("So many are not left at this box office")


def test_a_ticket_stays_readable_without_the_box_office_and_only_under_its_own_address(
    phone: BrowserContext, page: Page, secure: Venue
):
    book(page)
    ticket = page.url
    expect(page.locator(".kept")).to_be_hidden()
    code = page.locator("strong.code").inner_text()
    worker(page)
    page.goto("/phone")
    expect(page.locator(".ticket-row")).to_contain_text(code)
    with secure.gone():
        page.goto(ticket)
        expect(page.locator(".kept")).to_contain_text("Offline copy as of")
        assert page.locator(".qr svg").count() == 1
        assert page.locator(".kept time").get_attribute("datetime")
        page.goto("/phone")
        page.locator(".ticket-row a").click()
        expect(page.locator("strong.code")).to_have_text(code)
        # Somebody else's address, and one of its own that only holds, open nothing that was kept.
        for other in (ticket[:-4] + "AAAA", ticket + "/cancel", ticket.replace("/tickets/", "/holds/")):
            page.goto(other)
            assert page.locator(".qr").count() == 0
            expect(page.locator("h1")).to_have_text("On this phone")


@pytest.mark.slow
def test_a_shared_ticket_is_kept_only_when_asked_to(phone: BrowserContext, page: Page, secure: Venue):
    book(page)
    shared = page.get_by_role("link", name="Tickets only").get_attribute("href")
    assert shared is not None
    page.goto("/phone")
    page.get_by_role("button", name="Forget everything on this phone").click()
    expect(page.locator("#no-tickets")).to_be_visible()
    page.goto(shared)
    worker(page)
    page.reload()
    kept = "async () => (await (await caches.open('marquee-tickets')).keys()).length"
    assert page.evaluate(kept) == 0
    page.get_by_role("button", name="Keep these tickets on this phone").click()
    expect(page.locator(".is-kept")).to_be_visible()
    assert page.evaluate(kept) == 1
    with secure.gone():
        page.reload()
        expect(page.locator(".kept")).to_be_visible()


@pytest.mark.slow
def test_pages_looked_at_before_are_shown_as_copies_and_say_so(page: Page, secure: Venue):
    page.goto("/")
    page.evaluate("() => caches.open('marquee-files-of-before')")
    worker(page)
    # What an earlier design kept is gone.
    page.wait_for_function("async () => !(await caches.keys()).includes('marquee-files-of-before')")
    page.reload()
    page.goto(f"{MOONS}?lang=de")
    with secure.gone():
        page.goto("/")
        expect(page.locator(".kept")).to_contain_text("The box office could not be reached")
        page.goto(f"{MOONS}?lang=de")
        expect(page.locator(".kept")).to_contain_text("Kopie ohne Verbindung")
        expect(page.locator(".fresh.bad")).to_contain_text("nicht erreichbar")
        assert complaints(page) == {}
    page.reload()
    expect(page.locator(".kept")).to_be_hidden()


@pytest.mark.slow
def test_one_switch_forgets_everything(page: Page, secure: Venue):
    book(page)
    worker(page)
    page.goto("/phone")
    expect(page.locator("#seen")).to_have_text("Paper Moons")
    page.get_by_role("button", name="Forget everything on this phone").click()
    expect(page.locator("#no-tickets")).to_be_visible()
    expect(page.locator("#seen-line")).to_be_hidden()
    left = page.evaluate(
        "async () => [localStorage.length, (await (await caches.open('marquee-tickets')).keys()).length]"
    )
    assert left == [0, 0]


def cards(page: Page) -> list[str]:
    """Titles of the listing in the order shown."""
    return page.locator(".card h2").all_inner_texts()


@pytest.mark.slow
def test_the_listing_puts_first_what_fits_and_tells_nobody(page: Page, secure: Venue):
    page.goto("/")
    usual = cards(page)
    sent: list[str] = []
    page.goto("/events/open-rehearsal")
    page.wait_for_function("() => localStorage.length")
    # What the event's own page asks for names it as where it comes from.
    page.wait_for_load_state("networkidle")
    page.on("request", lambda each: sent.append(f"{each.method} {each.url} {each.headers}"))
    page.goto("/")
    expect(page.locator(".card h2").first).to_have_text("Open Rehearsal")
    arranged = cards(page)
    assert arranged[0] == "Open Rehearsal"
    assert arranged[1] == "Nine Bells Brass"
    assert sorted(arranged) == sorted(usual)
    assert arranged[2:] == [each for each in usual if each in arranged[2:]]
    expect(page.locator(".card .because")).to_have_text("Because you looked at Open Rehearsal")
    expect(page.locator(".card .looked")).to_have_count(1)
    assert complaints(page) == {}
    # What is asked of the box office is the same as from somebody who looked at nothing.
    assert sent
    assert [each for each in sent if "rehearsal" in each or not each.startswith("GET ")] == []
    page.goto("/phone")
    page.uncheck("#taste-on")
    page.goto("/")
    assert cards(page) == usual
    page.goto("/events/open-rehearsal")
    page.wait_for_timeout(200)
    assert "rehearsal" not in page.evaluate("() => localStorage.getItem('marquee-taste')")


@pytest.mark.slow
def test_without_storage_nothing_changes(browser: Browser, secure: Venue):
    context = browser.new_context(base_url=secure.url, viewport=PHONE)
    failed: list[str] = []
    context.on("weberror", lambda error: failed.append(str(error.error)))
    context.add_init_script(
        """for (const name of ["localStorage", "indexedDB", "caches"])
             Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });"""
    )
    page = context.new_page()
    page.goto("/")
    usual = cards(page)
    page.goto("/events/open-rehearsal")
    page.goto("/")
    assert cards(page) == usual
    book(page)
    expect(page.locator("h1")).to_contain_text("You are booked")
    page.goto("/phone")
    expect(page.locator("#keeps-nothing")).to_be_visible()
    expect(page.locator("#keeps")).to_be_hidden()
    assert failed == []
    context.close()


@pytest.mark.slow
def test_figures_stay_fresh_while_somebody_looks(page: Page, secure: Venue):
    page.clock.install()
    page.goto(MOONS)
    expect(page.locator(".fresh")).to_contain_text("Looked again at")
    secure.box.grant(dict.fromkeys(secure.catalogue.quota, 3), epoch=2)
    page.clock.run_for(6_000)
    expect(page.locator(".type .left").first).to_have_text("Only 3 left")
    assert page.locator(".type select").first.locator("option").count() < 9
    secure.line.lose("/api/v1/availability")
    page.clock.run_for(6_000)
    expect(page.locator(".fresh.bad")).to_contain_text("may be old")
    secure.line.mend()
    page.clock.run_for(6_000)
    expect(page.locator(".fresh:not(.bad)")).to_contain_text("Looked again at")


@pytest.mark.slow
def test_links_are_handed_to_other_apps_and_codes_are_copied(page: Page, phone: BrowserContext, secure: Venue):
    phone.grant_permissions(["clipboard-read", "clipboard-write"], origin=secure.url)
    page.add_init_script("navigator.share = async (what) => { window.shared = what; }")
    book(page)
    page.get_by_role("button", name="Share").click()
    link = page.get_by_role("link", name="Tickets only").get_attribute("href")
    assert page.evaluate("() => shared.url") == link
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == page.locator("strong.code").inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ar"])
def test_what_scripts_add_can_be_read_and_used_by_everybody(page: Page, secure: Venue, language: str):
    found: dict[str, object] = {}

    def stop(name: str) -> None:
        found[name] = [complaints(page), violations(page)]

    tour_phone.everything(Tour(page, secure, language, stop))
    assert len(found) > 8
    assert {name: each for name, each in found.items() if each != [{}, []]} == {}


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/", MOONS])
def test_a_first_view_with_scripts_stays_within_its_budget(page: Page, secure: Venue, path: str):
    fetched = []
    page.on("response", lambda answer: fetched.append(answer))
    page.add_init_script(
        """window.shifted = 0;
        new PerformanceObserver(list => { for (const each of list.getEntries()) window.shifted += each.value; })
          .observe({ type: "layout-shift", buffered: true });"""
    )
    page.goto(path, wait_until="load")
    page.wait_for_timeout(700)
    mine = [each for each in fetched if not each.url.startswith("data:") and "/api/" not in each.url]
    scripts = sum(len(gzip.compress(each.body(), 9)) for each in mine if each.url.endswith(".js"))
    print(f"{path}: {len(mine)} requests, {scripts} bytes of scripts compressed")
    assert scripts <= MOST_SCRIPT_ZIPPED
    assert len(mine) <= 12
    # A page from which nothing is sent loads nothing to send with.
    assert any("outbox" in each.url for each in mine) == (path != "/")
    # What was looked at puts cards first before anything is painted.
    page.goto("/events/open-rehearsal")
    page.wait_for_function("() => localStorage.length")
    page.goto("/")
    page.wait_for_timeout(700)
    assert page.evaluate("() => window.shifted") <= 0.02


@pytest.mark.slow
def test_the_held_page_speaks_of_the_time_that_is_left(page: Page, secure: Venue):
    page.clock.install()
    hold(page)
    page.wait_for_url("**/holds/*")
    page.clock.run_for(8 * 60_000 + 2_000)
    expect(page.locator("#spoken")).to_have_text("Two minutes left.")
    assert page.title().startswith("1:5")
    page.clock.run_for(60_000)
    expect(page.locator("#spoken")).to_have_text("One minute left.")


@pytest.mark.slow
def test_a_phone_keeps_so_many_waiting_bookings_at_most(page: Page, secure: Venue):
    secure.line.lose(API)
    page.goto(MOONS)
    page.wait_for_selector(".fresh:not(:empty)")
    page.evaluate(
        """() => new Promise(done => {
          const asked = indexedDB.open("marquee");
          asked.onsuccess = () => {
            const change = asked.result.transaction("outbox", "readwrite");
            const later = Date.now() + 3600e3;
            const row = { kind: "book", state: "waiting", made: Date.now(), tries: 0, next: later, items: [], keys: {}, title: "x", what: "" };
            for (let n = 0; n < 10; n++) change.objectStore("outbox").add(row);
            change.oncomplete = () => { asked.result.close(); done(); };
          };
        })"""
    )
    page.get_by_role("button", name="Hold tickets").click()
    page.get_by_role("button", name="Book as soon as possible").click()
    expect(page.locator(".full")).to_contain_text("too much waits already")


@pytest.mark.slow
def test_one_who_must_wait_is_told_by_the_box_office_and_not_that_it_is_away(page: Page, secure: Venue):
    words = '{"type": "/problems/limit-reached", "retry_after_s": 60}'
    told: list[str] = []

    def refuse(route: Route) -> None:
        told.append(route.request.url)
        route.fulfill(status=429, body=words)

    page.route("**/api/v1/holds", refuse)
    page.goto(MOONS)
    page.get_by_role("button", name="Hold tickets").click()
    page.wait_for_url("**/holds/*")
    assert told
    assert page.locator(".offer").count() == 0


@pytest.mark.slow
def test_what_has_to_be_proven_is_not_promised_to_wait(page: Page, secure: Venue):
    whole = secure.catalogue
    first = whole.event["paper-moons"]

    def proven(at: EventSession) -> EventSession:
        types = tuple(msgspec.structs.replace(each, verify="contact") for each in at.ticket_types)
        return msgspec.structs.replace(at, ticket_types=types)

    event = msgspec.structs.replace(first, sessions=tuple(map(proven, first.sessions)))
    events = tuple(event if each is first else each for each in whole.events)
    secure.show(msgspec.structs.replace(whole, version=whole.version + 1, events=events))
    secure.line.lose(API)
    page.goto(MOONS)
    page.get_by_role("button", name="Hold tickets").click()
    expect(page.locator(".away")).to_contain_text("Nothing is booked")
    secure.line.mend()
    # The hold's own form carries what has to be proven, so that one may wait; it is no ticket before it is proven.
    page.get_by_role("button", name="Hold tickets").click()
    page.wait_for_url("**/holds/*")
    page.fill("#contact", "noor@example.org")
    secure.line.lose("*/confirm")
    page.click("button[form=confirm]")
    expect(page.locator(".waits")).to_contain_text("Not booked yet")
    secure.line.mend()
    page.goto("/phone")
    come_online(page)
    expect(page.locator(".entry-sent")).to_contain_text("Requested: the answer comes later")
