"""The portal of a venue in Debian's Chromium: guests without JavaScript and cookies, staff with both.

``venue`` sells the demo's own example catalogue, served on a free port of this machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, ViewportSize, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from appliance.catalogue.reader import ReadResult, read_catalogue
from appliance.domain.pins import hash_pin
from appliance.portal import WebSettings, create_app
from appliance.services import sync
from appliance.store import tables
from mqtt_bridge.protocol.catalogue import Catalogue, StaffMember
from tests.support.box import BADGE, PIN, FakeClock, TestBox, make_box

EXAMPLE = Path(__file__).resolve().parents[2] / "appliance" / "demo" / "example" / "catalogue.yaml"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 860}


@dataclass
class Venue:
    """A served venue: ``url`` of its start page, ``box`` to turn its clock and look into its rows."""

    url: str
    box: TestBox

    @property
    def catalogue(self) -> Catalogue:
        """What is on sale."""
        return self.box.look(lambda unit: unit.catalogue)

    def show(self, catalogue: Catalogue) -> None:
        """Publish another catalogue."""
        self.box.run(lambda unit: sync.apply_catalogue(unit, catalogue))

    def rows(self, table: str) -> int:
        """Number of rows of a table."""
        with self.box.database.read() as db:
            return len(db.execute(tables.metadata.tables[table].select()).all())

    def receipts(self) -> list[str]:
        """The signed texts of all tickets."""
        with self.box.database.read() as db:
            return [row.receipt for row in db.execute(tables.ticket.select()).all()]


@pytest.fixture(scope="session")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    """Debian's Chromium."""
    path = program("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


class Quiet(WSGIRequestHandler):
    """Serves without a line per request."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing; the portal logs its requests itself."""


@pytest.fixture(scope="session")
def example() -> ReadResult:
    """The demo's own catalogue with its posters."""
    return read_catalogue(EXAMPLE, lambda _badge, pin: hash_pin(pin, bytes(16)))


@pytest.fixture
def venue(tmp_path: Path, example: ReadResult) -> Iterator[Venue]:
    """The Lantern Hall on its first evening, with 20 tickets of every quota."""
    staff = (StaffMember(BADGE, "Ada", hash_pin(PIN, bytes(16))),)
    catalogue = Catalogue(1, example.catalogue.venues, example.catalogue.events, example.catalogue.limits, staff)
    evening = datetime(2026, 6, 5, 18, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    box = make_box(
        tmp_path,
        venue="lantern-hall",
        catalogue=catalogue,
        grants=dict.fromkeys(catalogue.quota, 20),
        clock=FakeClock(int(evening.timestamp() * 1000)),
    )
    for each in example.assets:
        box.run(partial(sync.apply_asset, sha256=each.sha256, media_type=each.media_type, body=each.body))
    app = create_app(box, WebSettings(data=tmp_path))
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Venue(f"http://127.0.0.1:{server.server_port}", box)
    server.shutdown()
    thread.join(10)
    server.server_close()
    box.database.close()


@pytest.fixture
def context(browser: Browser, venue: Venue) -> Iterator[BrowserContext]:
    """A phone's captive browser: no JavaScript; any cookie set is a failure."""
    made = browser.new_context(base_url=venue.url, viewport=PHONE, java_script_enabled=False, device_scale_factor=2)
    made.set_default_timeout(10_000)
    refused = policy_refusals(made)
    yield made
    assert made.cookies() == []
    assert refused == []
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A guest's page."""
    return context.new_page()


@pytest.fixture
def desk(browser: Browser, venue: Venue) -> Iterator[Page]:
    """A signed-in member of staff, with JavaScript."""
    made = browser.new_context(base_url=venue.url, viewport=DESK)
    made.set_default_timeout(10_000)
    refused = policy_refusals(made)
    opened = made.new_page()
    sign_in(opened)
    yield opened
    assert refused == []
    made.close()


def policy_refusals(context: BrowserContext) -> list[str]:
    """What the pages' own content policy keeps the browser from doing, as it happens: a page of ours never wants that."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            found.append(message.text)

    context.on("console", note)
    return found


def sign_in(page: Page) -> None:
    """Fill in badge and PIN."""
    page.goto("/staff/")
    page.fill("#badge", BADGE)
    page.fill("#pin", PIN)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#code")


def hold(page: Page, slug: str = "paper-moons") -> None:
    """From the listing to a held ticket."""
    page.goto("/")
    page.click(f'a[href="/events/{slug}"]')
    with page.expect_navigation():
        page.get_by_role("button", name="Hold tickets").click()


def book(page: Page, slug: str = "paper-moons") -> None:
    """From the listing to a ticket, with nothing filled in."""
    hold(page, slug)
    with page.expect_navigation():
        page.get_by_role("button", name="Confirm").click()


def arrive(page: Page, address: str) -> None:
    """Wait until the page is at ``address``; the second of two taps ends the first one's way there."""
    for left in (2, 1, 0):
        try:
            page.wait_for_url(address)
            return
        except Error as error:
            if not left or "ERR_ABORTED" not in error.message:
                raise


def reload(page: Page) -> None:
    """Reload; Chromium refuses while the page before this one is still being put away."""
    for left in (2, 1, 0):
        try:
            page.reload()
            return
        except Error as error:
            if not left or "Not attached to an active page" not in error.message:
                raise
            page.wait_for_timeout(200)
