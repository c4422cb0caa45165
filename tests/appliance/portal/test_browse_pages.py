"""Looking around on a phone without scripts: search, filters that keep what was chosen, pages, and an empty result that leads on."""

from __future__ import annotations

import re
from functools import partial
from html import unescape

import msgspec
import pytest

from appliance.services import booking, sync
from appliance.services.booking import Item
from mqtt_bridge.protocol.catalogue import Event
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import ADULT, SEAT, TestBox, desk, example_catalogue

NIGHT = 24 * 3_600_000


def titles(page: str) -> list[str]:
    """Titles of the cards, in order."""
    return re.findall(r'<h2><a href="[^"]+"><bdi>([^<]+)</bdi>', page)


def links(page: str) -> dict[str, str]:
    """Address by words of every link."""
    found = re.findall(r'<a[^>]* href="([^"]+)"[^>]*>(.*?)</a>', page, flags=re.DOTALL)
    return {re.sub(r"<[^>]+>", "", words).strip(): unescape(url) for url, words in found}


def copies(titles: list[str], *, nights: int = 1) -> tuple[Event, ...]:
    """The example's event under other titles, each so many nights after the one before."""
    model = example_catalogue().events[0]
    return tuple(
        msgspec.structs.replace(
            model,
            id=f"e{number}",
            slug=f"event-{number}",
            title=title,
            sessions=tuple(
                msgspec.structs.replace(
                    at,
                    id=f"{at.id}-{number}",
                    starts_at_ms=at.starts_at_ms + number * nights * NIGHT,
                    ends_at_ms=at.ends_at_ms + number * nights * NIGHT,
                )
                for at in model.sessions
            ),
        )
        for number, title in enumerate(titles, start=1)
    )


def show(box: TestBox, *more: Event) -> None:
    """Publish the example's event and ``more``."""
    whole = example_catalogue(version=2)
    catalogue = msgspec.structs.replace(whole, events=(*whole.events, *more))
    box.run(lambda unit: sync.apply_catalogue(unit, catalogue))


@pytest.fixture
def programme(box: TestBox) -> TestBox:
    """Four events, one a night."""
    show(box, *copies(["Zoë and the Whale", "Night of Brass", "Chess for Two"]))
    return box


def test_one_event_alone_has_nothing_to_search(phone: Phone):
    assert 'role="search"' not in phone.get("/")


def test_words_find_titles_without_accents_and_case_and_stay_in_the_field(phone: Phone, programme: TestBox):
    page = phone.get("/?q=zoe+WHALE")
    assert titles(page) == ["Zoë and the Whale"]
    assert 'value="zoe WHALE"' in page
    assert "<b>1 event</b>" in page


def test_the_form_sends_words_and_filters_together_and_keeps_them(phone: Phone, programme: TestBox):
    action, _fields = next(each for each in forms(phone.get("/")) if "q" in each[1])
    assert action == "/"
    page = phone.get("/?q=night&when=week&venue=north&price=15&left=1")
    assert titles(page) == ["Night of Brass"]
    kept = dict(forms(page))["/"]
    assert kept["q"] == "night"
    assert re.findall(r'<option value="([^"]+)" selected>', page) == ["week", "north", "15"]
    assert 'name="left" value="1" checked' in page


def test_each_choice_can_be_taken_out_again_by_one_tap(phone: Phone, programme: TestBox):
    page = phone.get("/?q=night&when=tonight&venue=north")
    assert titles(page) == []
    assert "Nothing fits all of that" in page
    without = {words.split("\n")[0].split("take out")[0].strip(): url for words, url in links(page).items()}
    assert without["Tonight"] == "/?q=night&venue=north"
    assert without["“night”"] == "/?when=tonight&venue=north"
    assert titles(phone.get(without["Tonight"])) == ["Night of Brass"]
    assert links(page)["Show all 4 events"] == "/"


def test_a_filter_by_day_shows_the_date_that_fits_and_leads_to_it(phone: Phone, programme: TestBox):
    page = phone.get("/?when=2027-01-16&venue=south")
    assert titles(page) == ["Zoë and the Whale"]
    assert "South Barn" in page
    assert "and 1 more date" not in page
    target = re.search(r'<h2><a href="([^"]+)"', page)
    assert target is not None
    assert "South Barn" in phone.get(unescape(target[1]))


def test_only_with_tickets_left_leaves_out_what_is_sold_out(phone: Phone, programme: TestBox):
    assert titles(phone.get("/?left=1&venue=north")) == ["Songs of the River", *titles(phone.get("/"))[1:]]
    for kind, number in ((ADULT, 10), (SEAT, 5)):
        programme.run(partial(booking.place_hold, client=desk(), items=[Item(kind, number)]))
    # The copies draw from the same quotas.
    assert titles(phone.get("/?left=1&venue=north")) == []
    assert len(titles(phone.get("/?left=1"))) == 4


def test_what_many_ask_for_is_one_tap(phone: Phone, programme: TestBox):
    page = phone.get("/")
    assert titles(phone.get(links(page)["Tonight"])) == ["Songs of the River"]
    assert links(page)["Free"] == "/?price=free"
    assert "Tonight" not in links(phone.get("/?price=free"))


def test_free_finds_what_has_a_free_ticket(phone: Phone, programme: TestBox):
    assert len(titles(phone.get("/?price=free"))) == 4
    assert titles(phone.get("/?price=free&venue=south")) == []


def test_with_a_clock_nobody_trusts_there_is_no_tonight_to_choose(phone: Phone, programme: TestBox):
    assert 'value="tonight"' in phone.get("/")
    programme.turn.trust(False)
    page = phone.get("/")
    assert 'value="tonight"' not in page
    assert 'value="2027-01-15"' in page


def test_a_language_chosen_by_hand_stays_in_the_search(phone: Phone, programme: TestBox):
    page = phone.get("/?lang=de")
    assert dict(forms(page))["/?lang=de"]["lang"] == "de"
    found = phone.get("/?lang=de&q=brass&when=week")
    assert "<b>1 Veranstaltung</b>" in found
    assert next(url for words, url in links(found).items() if words.startswith("Nächste 7")) == "/?q=brass&lang=de"


def test_a_long_programme_comes_in_pages_in_order_of_time(phone: Phone, box: TestBox):
    show(box, *copies([f"Night {number}" for number in range(1, 65)]))
    first = phone.get("/")
    assert len(titles(first)) == 30
    assert "Page 1 of 3" in first
    second = phone.get(links(first)["Later dates"])
    assert titles(second)[0] == "Night 30"
    last = phone.get(links(second)["Later dates"])
    assert titles(last) == [f"Night {number}" for number in range(60, 65)]
    assert "Later dates" not in links(last)
    assert phone.get("/?page=999") == last
    assert titles(phone.get("/?page=0")) == titles(phone.get("/?page=x")) == titles(first)
    assert links(phone.get("/?q=night"))["Later dates"] == "/?q=night&page=2"


@pytest.mark.parametrize("query", ["q=%3Cscript%3E", 'venue="><script>', "when=%00", "price=1e9", "page=٣", "q=%F0%28"])
def test_nonsense_in_the_address_is_text_and_never_an_error(phone: Phone, programme: TestBox, query: str):
    page = phone.get(f"/?{query}")
    assert phone.status == 200
    assert "<script" not in page


def test_the_page_names_its_one_address_and_the_same_in_every_language(phone: Phone, programme: TestBox):
    page = phone.get("/?q=brass&when=nonsense&page=7")
    assert '<link rel="canonical" href="/?q=brass">' in page
    assert '<link rel="alternate" hreflang="ar" href="/?q=brass&amp;lang=ar">' in page
    assert '<meta name="robots" content="noindex">' in page
