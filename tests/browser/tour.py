"""A walk through every page that guests and staff see, stopping at each state of it.

``guests`` and ``staff`` walk, and call ``stop(name)`` at each; what is looked at there (contrast, pictures, axe) is the caller's. A tour needs a venue of
its own, served with ``grants``, because on its way it sells, cancels and moves dates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from playwright.sync_api import Page

from appliance.services import booking as orders
from appliance.services import door, payments
from mqtt_bridge.protocol.catalogue import Catalogue, Moved
from mqtt_bridge.protocol.messages import OrderRefused
from tests.appliance.services.test_requests import answer, hear
from tests.browser.venue import Venue, reload, sign_in
from tests.support.box import BADGE

MOONS, SUPPER, HOURS, BELLS = "paper-moons", "orchard-supper", "small-hours-comedy", "nine-bells-brass"
FERRY = "the-late-ferry"
GO = "main button.primary"
MINUTE_MS = 60_000


def grants(catalogue: Catalogue) -> Mapping[str, int]:
    """Return stock with which the listing shows many states: few left, sold out here, on request."""
    few = {SUPPER: 0, HOURS: 0, BELLS: 3}
    return {each: few[event.slug] for each, (event, _at, _quota) in catalogue.quota.items() if event.slug in few}


@dataclass
class Tour:
    """One walk: ``page`` to walk with, ``lang`` to read, ``stop`` to call at each state."""

    page: Page
    venue: Venue
    lang: str
    stop: Callable[[str], Any]

    def go(self, path: str) -> None:
        """Go to a page in the language of the walk."""
        self.page.goto(f"{path}{'&' if '?' in path else '?'}lang={self.lang}")

    def at(self, path: str, name: str) -> None:
        """Go to a page and stop there."""
        self.go(path)
        self.stop(name)

    def afresh(self, path: str, name: str) -> None:
        """Go to a page that the phone may have kept, have it asked for again, and stop there."""
        self.go(path)
        reload(self.page)
        self.stop(name)

    def press(self, selector: str = GO) -> None:
        """Press a button that leads to another page."""
        with self.page.expect_navigation():
            self.page.locator(selector).first.click()

    def hold(self, slug: str, *numbers: int) -> None:
        """Hold so many of each type of an event's first date."""
        self.go(f"/events/{slug}")
        for n, number in enumerate(numbers, 1):
            self.page.select_option(f"#q{n}", str(number))
        self.press()

    def code(self) -> str:
        """Return the booking code on the page."""
        return self.page.locator("strong.code").first.inner_text()

    def order(self) -> Any:
        """Return the order whose page this is."""
        code = self.code()
        return self.venue.box.look(lambda unit: orders.find_by_code(unit, code))

    def change(self, slug: str, **changes: Any) -> None:
        """Publish a catalogue in which every date of an event is changed."""
        whole = self.venue.catalogue
        event = whole.event[slug]
        sessions = tuple(msgspec.structs.replace(at, **changes) for at in event.sessions)
        events = tuple(
            msgspec.structs.replace(each, sessions=sessions) if each is event else each for each in whole.events
        )
        self.venue.show(msgspec.structs.replace(whole, version=whole.version + 1, events=events))


def way(walk: Tour) -> None:
    """From the first page to a ticket."""
    walk.at("/welcome", "welcome")
    walk.at("/", "listing")
    walk.at(f"/events/{MOONS}", "event")
    walk.hold(MOONS, 1)
    walk.stop("hold")
    walk.page.fill("#name", "Noor Haddad")
    walk.press()
    walk.stop("ticket")


def booking(walk: Tour) -> None:
    """From the first page to tickets, and what becomes of them."""
    way(walk)
    ticket = walk.page.url.split("?")[0]
    walk.at(f"{ticket}/change", "change")
    walk.go(ticket)
    walk.page.locator("#handover summary").click()
    walk.press("#handover form button")
    walk.stop("ticket-with-short-code")
    walk.at(f"{ticket}/change", "change")
    walk.at(f"{ticket}/cancel", "cancel")
    walk.page.fill("#proof", "somebody else")
    walk.press("main button.danger")
    walk.stop("cancel-by-somebody-else")
    walk.page.fill("#proof", "Noor Haddad")
    walk.press("main button.danger")
    walk.stop("ticket-cancelled")
    walk.hold(MOONS, 2, 0, 1)
    walk.press()
    walk.stop("tickets-of-a-group")
    group = walk.page.url
    order = walk.order()
    walk.venue.box.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", order.total_minor))
    walk.venue.box.run(lambda unit: door.check_in(unit, order.tickets[0].code, BADGE, "1"))
    walk.page.goto(group)
    walk.stop("tickets-paid-and-used")


def around(walk: Tour) -> None:
    """What stands beside the way to a ticket."""
    walk.go("/?when=week&left=1")
    walk.page.locator(".find summary").click()
    walk.stop("search-with-filters")
    walk.at("/?q=nothing+like+this", "search-finds-nothing")
    walk.at(f"/events/{MOONS}/share", "share")
    walk.at("/phone", "phone")


def verified(walk: Tour) -> None:
    """A booking that the centre checks first."""
    whole = walk.venue.catalogue.event[FERRY].sessions[0]
    kinds = tuple(msgspec.structs.replace(each, verify="contact") for each in whole.ticket_types)
    walk.change(FERRY, ticket_types=kinds)
    walk.hold(FERRY)
    walk.stop("hold-to-verify")
    walk.page.fill("#contact", "noor@example.org")
    walk.press()
    walk.stop("pending")


def refusals(walk: Tour) -> None:
    """Pages that say no, and what to do then."""
    walk.hold(MOONS, 1)
    walk.press("main button.quiet")
    walk.stop("given-back")
    walk.hold(MOONS, 1)
    walk.venue.box.turn.advance(11 * MINUTE_MS)
    reload(walk.page)
    walk.stop("hold-expired")
    walk.at("/nothing", "not-found")
    walk.at("/my", "find-my-tickets")
    walk.page.fill("#code", "ABCD-EFGH")
    walk.page.fill("#proof", "Noor")
    walk.press()
    walk.stop("tickets-not-found")
    walk.at("/code", "short-code")
    walk.hold(MOONS, 0, 0, 0)
    walk.stop("nothing-chosen")


def requests(walk: Tour) -> None:
    """Asking for tickets, a yes and a no."""
    walk.at(f"/events/{SUPPER}", "event-on-request")
    walk.hold(SUPPER)
    walk.stop("request")
    walk.press()
    walk.stop("requested")
    page, first = walk.page.url, walk.order()
    hear(walk.venue.box, answer(walk.venue.box, first))
    walk.page.goto(page)
    walk.stop("request-granted")
    walk.hold(SUPPER)
    walk.press()
    hear(walk.venue.box, OrderRefused(walk.order().id, "sold_out"))
    reload(walk.page)
    walk.stop("request-refused")


def waitlist(walk: Tour) -> None:
    """Standing in line, and one's turn."""
    walk.at(f"/events/{HOURS}", "event-sold-out-here")
    walk.press()
    walk.stop("waiting")
    place = walk.page.url
    quotas = walk.venue.catalogue.quota
    free = {each: 2 for each, (event, _at, _quota) in quotas.items() if event.slug == HOURS}
    walk.venue.box.grant({**dict.fromkeys(quotas, 20), **grants(walk.venue.catalogue), **free}, epoch=1)
    walk.page.goto(place)
    walk.stop("offered")
    walk.press("main button.quiet")
    walk.stop("left-the-line")


def changes(walk: Tour) -> None:
    """Dates that are moved and called off, as holders see them."""
    walk.hold(MOONS, 1)
    walk.press()
    ticket = walk.page.url
    first = walk.venue.catalogue.event[MOONS].sessions[0]
    moved = Moved("harbour-loft", first.starts_at_ms - 60 * MINUTE_MS, first.ends_at_ms, first.starts_at_ms)
    walk.change(MOONS, moved=moved, notice="The projector needs a bigger wall.")
    walk.page.goto(ticket)
    walk.stop("ticket-moved")
    walk.afresh(f"/events/{MOONS}", "event-moved")
    walk.change(MOONS, cancelled=True, notice="The moon is ill.")
    walk.page.goto(ticket)
    walk.stop("ticket-of-a-cancelled-date")
    walk.afresh(f"/events/{MOONS}", "event-cancelled")


def guests(walk: Tour) -> None:
    """Every page for guests."""
    for part in (booking, around, refusals, requests, waitlist, verified, changes):
        part(walk)


def staff(walk: Tour) -> None:
    """Every page for staff."""
    walk.at("/staff/sign-in", "staff-sign-in")
    walk.hold(MOONS, 2)
    walk.press()
    code, ticket = walk.code(), walk.page.locator(".foot .code").first.inner_text()
    sign_in(walk.page)
    walk.at("/staff/", "staff-door")
    for name, typed, verdict in (("unpaid", ticket, "refused"), ("unknown", "nonsense", "refused")):
        walk.go("/staff/")
        walk.page.fill("#code", typed)
        walk.page.press("#code", "Enter")
        walk.page.wait_for_selector(f".verdict.{verdict}")
        walk.stop(f"staff-{name}")
    walk.at(f"/staff/orders?code={code}", "staff-order")
    walk.at("/staff/sell", "staff-sell")
    walk.press(".sell a")
    walk.stop("staff-sell-type")
    walk.press("main button.primary")
    walk.stop("staff-sold")
    sold = walk.page.locator(".verdict b").first.inner_text()
    walk.go("/staff/")
    walk.page.fill("#code", sold)
    walk.page.press("#code", "Enter")
    walk.page.wait_for_selector(".verdict.already_admitted, .verdict.admitted")
    walk.stop("staff-admitted")
    for path in ("live", "more", "exit", "guests", "shifts", "messages"):
        walk.at(f"/staff/{path}", f"staff-{path}")
