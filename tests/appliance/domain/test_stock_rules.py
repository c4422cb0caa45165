from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.clock import HOUR_MS, MINUTE_MS, Now
from appliance.domain.errors import LimitReached, Refusal, SaleClosed, SoldOut, SoldOutHere
from appliance.domain.inventory import Line, Shelf, per_quota, require, shortages
from appliance.domain.limits import SHORTEST_HOLD_MS, Usage, check_holding, hold_life_ms, most_per_hold, share
from appliance.domain.sale import require_open, state, window
from mqtt_bridge.protocol.catalogue import EventSession, Limits
from mqtt_bridge.protocol.stock import Totals

numbers = st.integers(0, 200)


@st.composite
def shelves(draw) -> Shelf:
    granted, returned, sold, cancelled = (draw(numbers) for _ in range(4))
    totals = Totals(granted=granted, returned=min(returned, granted), sold=sold, cancelled=min(cancelled, sold))
    return Shelf("q", 1, totals, draw(numbers), draw(st.none() | numbers))


@given(shelves(), st.integers(1, 300))
def test_a_claim_is_met_exactly_when_enough_is_available(shelf, quantity):
    lines = [Line("t", "q", quantity)]
    if quantity <= shelf.available:
        assert shortages({"q": shelf}, lines) == {}
        require({"q": shelf}, lines)
        return
    with pytest.raises(Refusal) as refusal:
        require({"q": shelf}, lines)
    gone = shelf.available == 0 and shelf.held == 0 and shelf.elsewhere == 0
    assert isinstance(refusal.value, SoldOut if gone else SoldOutHere)
    assert refusal.value.facts["available"] == shelf.available


def test_types_that_share_a_quota_are_added_up():
    assert per_quota([Line("a", "q", 2), Line("b", "q", 3), Line("c", "r", 1)]) == {"q": 5, "r": 1}


def test_a_quota_never_granted_here_is_sold_out_here_only():
    with pytest.raises(SoldOutHere):
        require({}, [Line("t", "q", 1)])


@given(shelves(), st.integers(1, 60) | st.floats(0.05, 60))
def test_a_hold_lives_between_two_minutes_and_the_rule_and_shorter_when_less_is_left(shelf, minutes):
    life = hold_life_ms(Limits(hold_minutes=minutes), [shelf])
    full = round(minutes * MINUTE_MS)
    assert min(SHORTEST_HOLD_MS, full) <= life <= full


@given(st.floats(0.01, 1), numbers, numbers)
def test_a_share_is_at_least_one_ticket_and_never_more_than_there_is(fraction, available, own):
    most = share(Limits(share_per_client=fraction), available, own)
    assert 1 <= most <= max(1, available + own)


def test_what_is_offered_is_what_a_guest_may_hold():
    shelf = Shelf("q", 1, Totals(granted=10), 0)
    assert most_per_hold(Limits(), shelf, 100) == 5
    assert most_per_hold(Limits(per_hold=3), shelf, 100) == 3
    assert most_per_hold(Limits(), shelf, 0) == 4
    assert most_per_hold(Limits(unpaid_per_client=2), shelf, 100) == 2
    assert most_per_hold(Limits(), None, 100) == 0


def test_waiting_helps_only_against_the_hourly_limit():
    with pytest.raises(LimitReached) as several:
        check_holding(Limits(), Usage(open_holds=2))
    with pytest.raises(LimitReached) as often:
        check_holding(Limits(), Usage(unconfirmed_last_hour=6, oldest_unconfirmed_age_ms=HOUR_MS - 1500))
    assert (several.value.status, often.value.status, often.value.facts["retry_after_s"]) == (409, 429, 2)


@pytest.mark.parametrize("frozen", [True, False])
def test_words_say_why_nothing_is_sold(frozen):
    for closed in ("not_yet", "closed", "cancelled"):
        with pytest.raises(SaleClosed) as refusal:
            require_open(closed, frozen=frozen)
        assert refusal.value.detail.endswith(".")


def test_cancelled_beats_every_switch_and_frozen_beats_an_open_one():
    at = EventSession("s", "k", "v", 10, 20, "UTC", (), (), cancelled=True)
    now = Now(5, 0, "b", trusted=True)
    assert window(at, now, "open", frozen=False) == "cancelled"
    assert window(EventSession("s", "k", "v", 10, 20, "UTC", (), ()), now, "open", frozen=True) == "closed"
    assert state("open", None) == "sold_out_here"
