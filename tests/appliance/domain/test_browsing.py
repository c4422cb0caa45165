"""What a guest looks for is found, and nonsense in a link looks for nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from appliance.domain import browsing
from appliance.domain.browsing import Wish, wish_of
from appliance.domain.clock import Now
from mqtt_bridge.protocol.catalogue import TicketType
from tests.support.box import example_catalogue

EVENT = example_catalogue().events[0]
AT = EVENT.sessions[0]
BERLIN = "Europe/Berlin"


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def now(text: str, *, trusted: bool = True) -> Now:
    return Now(moment(text), 0, "boot", trusted)


def kind(minor: int, currency: str = "EUR") -> TicketType:
    return TicketType("t", "T", "q", minor, currency)


@pytest.mark.parametrize(
    ("asked", "wish"),
    [
        ({}, Wish()),
        ({"q": "  brass   night "}, Wish(words="brass night")),
        ({"when": "tonight", "left": "1"}, Wish(when="tonight", left=True)),
        ({"when": "2026-06-05"}, Wish(when="2026-06-05")),
        ({"when": "2026-13-45", "price": "-1", "left": "yes"}, Wish()),
        ({"price": "free", "venue": "hall"}, Wish(price="free", venue="hall")),
        ({"price": "\u0661\u0662"}, Wish()),
        ({"q": "x" * 5000}, Wish(words="x" * 100)),
    ],
)
def test_a_query_asks_for_what_it_can_mean_and_the_wish_leads_back_to_it(asked: dict[str, str], wish: Wish) -> None:
    assert wish_of(asked) == wish
    assert wish_of(browsing.query_for(wish)) == wish
    assert bool(wish) == bool(browsing.query_for(wish))


@pytest.mark.parametrize("words", ["songs", "RIVER songs", "evening", "nörth", "riv nor", "songs’"])
def test_words_begin_a_word_of_title_summary_or_venue_without_case_and_accents(words: str) -> None:
    assert browsing.has_words(Wish(words=words), EVENT, ["North Hall"])


@pytest.mark.parametrize("words", ["iver", "songs south", "!"])
def test_words_that_begin_none_find_nothing(words: str) -> None:
    assert not browsing.has_words(Wish(words=words), EVENT, ["North Hall"])


def test_arabic_and_german_titles_are_found_as_people_type_them() -> None:
    for title, words in (("أغاني النهر", "النهر"), ("Über den Müggelsee", "ueber mueggel"), ("Łódź", "lodz")):
        assert browsing.has_words(Wish(words=words), msgspec.structs.replace(EVENT, title=title), [])


@pytest.mark.parametrize(
    ("starts_at", "asked_at", "tonight"),
    [
        ("2026-06-05T18:00", "2026-06-05T08:00", True),
        ("2026-06-05T18:00", "2026-06-04T20:00", False),
        ("2026-06-05T23:30", "2026-06-05T16:00", True),  # half past one in the night, in Berlin
        ("2026-06-06T06:00", "2026-06-05T16:00", False),
        ("2026-06-05T18:00", "2026-06-05T23:00", True),  # it began, and goes on
    ],
)
def test_tonight_lasts_until_four_in_the_morning_where_the_session_is(
    starts_at: str, asked_at: str, tonight: bool
) -> None:
    at = msgspec.structs.replace(AT, starts_at_ms=moment(starts_at), timezone=BERLIN)
    assert browsing.is_on(Wish(when="tonight"), at, now(asked_at)) is tonight
    assert browsing.is_on(Wish(when="week"), at, now(asked_at))


def test_a_week_and_a_day_have_their_ends() -> None:
    at = msgspec.structs.replace(AT, starts_at_ms=moment("2026-06-05T22:30"), timezone=BERLIN)
    assert not browsing.is_on(Wish(when="week"), at, now("2026-05-29T22:30"))
    assert browsing.is_on(Wish(when="2026-06-06"), at, now("2026-06-01T00:00"))
    assert not browsing.is_on(Wish(when="2026-06-05"), at, now("2026-06-01T00:00"))
    assert browsing.day(at.starts_at_ms, "Nowhere/Land").isoformat() == "2026-06-05"


def test_an_untrusted_clock_does_not_say_when_tonight_is() -> None:
    at = msgspec.structs.replace(AT, starts_at_ms=moment("2030-01-01T20:00"))
    assert browsing.is_on(Wish(when="tonight"), at, now("2026-06-05T08:00", trusted=False))


@pytest.mark.parametrize(
    ("price", "minor", "currency", "fits"),
    [
        ("", 10**9, "EUR", True),
        ("free", 0, "EUR", True),
        ("free", 1, "EUR", False),
        ("15", 1500, "EUR", True),
        ("15", 1501, "EUR", False),
        ("1500", 1500, "JPY", True),
        ("15", 1500, "JPY", False),
    ],
)
def test_a_price_is_in_whole_units_of_the_currency(price: str, minor: int, currency: str, fits: bool) -> None:
    assert browsing.costs(Wish(price=price), kind(minor, currency)) is fits


def test_prices_to_choose_from_each_leave_something_in_and_something_out() -> None:
    assert browsing.price_steps([kind(0), kind(500), kind(900), kind(1400)]) == ("free", "5", "10")
    assert browsing.price_steps([kind(1200)]) == browsing.price_steps([]) == ()
