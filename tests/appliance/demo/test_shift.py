"""The example's evenings move so that the first is tonight, and stay there until it is over."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from appliance.catalogue import keeping, read_catalogue
from appliance.demo import shift
from appliance.demo.town import EXAMPLE
from appliance.domain.admission import door_open
from appliance.domain.clock import DAY_MS, HOUR_MS, MINUTE_MS, Now
from mqtt_bridge.protocol.catalogue import EMPTY, Catalogue, EventSession

# A winter's day, while the example is set in summer time.
NOW_MS = 1_795_478_000_000


@pytest.fixture(scope="module")
def example() -> Catalogue:
    return read_catalogue(EXAMPLE, keeping((), lambda n: b"s" * n)).catalogue


def tonight(catalogue: Catalogue, now_ms: int = NOW_MS) -> Catalogue:
    anchor_ms = shift.anchor_ms(catalogue, now_ms, None)
    assert anchor_ms is not None
    return shift.shifted(catalogue, anchor_ms)


def in_order(catalogue: Catalogue) -> list[EventSession]:
    found = [at for event in catalogue.events for at in event.sessions]
    return sorted(found, key=lambda at: at.starts_at_ms)


@pytest.mark.parametrize("hour", [0, 5, 11, 17, 22])
def test_at_any_hour_the_first_session_of_venues_one_and_two_is_about_to_begin_with_an_open_door(
    example: Catalogue, hour: int
) -> None:
    """Whoever starts the demo can scan at once, at both default venues."""
    now_ms = NOW_MS + hour * HOUR_MS
    now = Now(now_ms, 0, "boot", trusted=True)
    sessions = in_order(tonight(example, now_ms))
    for venue in example.venues[:2]:
        first = next(at for at in sessions if at.venue == venue.id)
        assert now_ms + 30 * MINUTE_MS <= first.starts_at_ms <= now_ms + 2 * HOUR_MS
        assert door_open(first, now, None)


def test_later_sessions_keep_their_clock_time_and_their_order(example: Catalogue) -> None:
    """A show at 19:30 stays a show at 19:30 although summer time has ended in between."""
    before, after = in_order(example), in_order(tonight(example))
    assert [at.id for at in before] == [at.id for at in after]
    later = [
        (old, new)
        for old, new in zip(before, after, strict=True)
        if old.starts_at_ms - before[0].starts_at_ms > DAY_MS / 2
    ]
    assert len(later) >= 6
    for old, new in later:
        zone = ZoneInfo(old.timezone)
        assert clock(old.starts_at_ms, zone) == clock(new.starts_at_ms, zone)
    for old, new in zip(before, after, strict=True):
        assert old.ends_at_ms - old.starts_at_ms == new.ends_at_ms - new.starts_at_ms


def clock(at_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%H:%M")


def test_a_kept_evening_stays_until_it_is_over(example: Catalogue) -> None:
    """Starting again does not move sessions people have tickets for; the next day it is tonight again."""
    kept = shift.anchor_ms(example, NOW_MS, None)
    assert kept is not None
    assert shift.anchor_ms(example, NOW_MS + HOUR_MS, kept) == kept
    assert shift.anchor_ms(example, kept + HOUR_MS, kept) == kept
    moved = shift.anchor_ms(example, kept + DAY_MS, kept)
    assert moved is not None
    assert moved > kept + DAY_MS


def test_an_empty_catalogue_has_nothing_to_move() -> None:
    """No session, no anchor."""
    assert shift.anchor_ms(EMPTY, NOW_MS, None) is None
    assert shift.shifted(EMPTY, NOW_MS) is EMPTY
