"""axe-core (WCAG 2.2 A and AA) finds nothing on any page of guests and staff, in both directions of reading, light and dark, at 360 px."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from appliance.catalogue.reader import ReadResult
from tests.browser import tour
from tests.browser.axe import violations
from tests.browser.conftest import PHONE
from tests.browser.venue import Venue, serving

pytestmark = pytest.mark.system


@pytest.fixture
def hotspot(tmp_path: Path, example: ReadResult) -> Iterator[Venue]:
    """A venue with a hotspot, whose listing shows many states."""
    (tmp_path / "leases").write_text("", encoding="utf-8")
    with serving(tmp_path, example, tour.grants(example.catalogue), leases_file=tmp_path / "leases") as served:
        yield served


@pytest.fixture
def thumb(browser: Browser, hotspot: Venue) -> Iterator[Page]:
    """A narrow phone whose pages axe can run in."""
    context = browser.new_context(base_url=hotspot.url, viewport=PHONE)
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def found_on(part: Callable[[tour.Tour], None], page: Page, venue: Venue, lang: str) -> dict[str, list[str]]:
    """Walk ``part`` and return what is wrong at each stop."""
    found: dict[str, list[str]] = {}

    def stop(name: str) -> None:
        found[name] = violations(page)

    part(tour.Tour(page, venue, lang, stop))
    assert len(found) > 4
    return {name: each for name, each in found.items() if each}


def test_the_way_to_a_ticket(thumb: Page, hotspot: Venue):
    assert found_on(tour.way, thumb, hotspot, "ar") == {}


@pytest.mark.slow
@pytest.mark.parametrize("part", [tour.guests, tour.staff], ids=["guests", "staff"])
@pytest.mark.parametrize("lang", ["en", "ar"])
def test_every_page(thumb: Page, hotspot: Venue, part: Callable[[tour.Tour], None], lang: str):
    assert found_on(part, thumb, hotspot, lang) == {}


def test_axe_sees_what_is_wrong(thumb: Page, hotspot: Venue):
    thumb.goto("/")
    thumb.evaluate(
        "() => { document.documentElement.removeAttribute('lang'); document.querySelector('h1').style.color = '#333'; }"
    )
    assert {each.split(": ")[1] for each in violations(thumb)} == {"html-has-lang", "color-contrast"}
