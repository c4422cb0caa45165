"""The portal of a venue in Debian's Chromium: guests without JavaScript and cookies, staff with both.

``venue`` sells the demo's own example catalogue, served on a free port of this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, ViewportSize, sync_playwright

from appliance.catalogue.reader import ReadResult
from tests.browser.venue import ARGUMENTS, Venue, read_example, reload, serving, sign_in

__all__ = ["DESK", "PHONE", "Venue", "arrive", "book", "hold", "policy_refusals", "reload", "sign_in"]
PHONE: ViewportSize = {"width": 360, "height": 740}
DESK: ViewportSize = {"width": 1280, "height": 860}


@pytest.fixture(scope="session")
def browser(program: Callable[[str], str]) -> Iterator[Browser]:
    """Debian's Chromium."""
    path = program("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def example() -> ReadResult:
    """The demo's own catalogue with its posters."""
    return read_example()


@pytest.fixture
def venue(tmp_path: Path, example: ReadResult) -> Iterator[Venue]:
    """The Lantern Hall on its first evening, with 20 tickets of every quota."""
    with serving(tmp_path, example) as served:
        yield served


@pytest.fixture
def secure(tmp_path: Path, example: ReadResult) -> Iterator[Venue]:
    """The same at an address with scripts."""
    with serving(tmp_path, example, secure=True) as served:
        yield served


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
