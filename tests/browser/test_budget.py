"""What a first visit costs a phone on a crowded hotspot."""

from __future__ import annotations

import gzip

import pytest
from playwright.sync_api import Page, Response

from tests.browser.conftest import Venue

pytestmark = [pytest.mark.system, pytest.mark.slow]
MOST_BYTES = 120_000
MOST_REQUESTS = 12
MOST_TEXT_ZIPPED = 14_000


@pytest.mark.parametrize("path", ["/", "/events/paper-moons"])
def test_a_first_view_stays_within_its_budget(page: Page, path: str, venue: Venue):
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    page.goto(path, wait_until="networkidle")
    assert not page.locator("script").count()
    fetched = [each for each in answers if not each.url.startswith("data:")]
    sizes = {each.url.removeprefix(venue.url): each.request.sizes() for each in fetched}
    total = sum(each["responseBodySize"] + each["responseHeadersSize"] for each in sizes.values())
    text = sum(
        len(gzip.compress(each.body(), 9))
        for each in fetched
        if each.headers.get("content-type", "").startswith(("text/html", "text/css"))
    )
    print(f"{path}: {total} bytes in {len(fetched)} requests, HTML and CSS {text} bytes compressed")
    assert total <= MOST_BYTES
    assert len(fetched) <= MOST_REQUESTS
    assert text <= MOST_TEXT_ZIPPED


def test_a_second_view_fetches_only_the_page(page: Page):
    page.goto("/", wait_until="networkidle")
    fetched: list[str] = []
    page.on("response", lambda answer: fetched.append(answer.url))
    page.goto("/", wait_until="networkidle")
    from_network = [each for each in fetched if "/assets/" not in each and "/static/" not in each]
    assert len(from_network) == 1
