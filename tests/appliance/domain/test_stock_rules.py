from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.clock import HOUR_MS, MINUTE_MS, Now
from appliance.domain.errors import LimitReached, Refusal, SaleClosed, SoldOut, SoldOutHere
from appliance.domain.inventory import Line, Shelf, per_quota, require, shortages, take_grant
from appliance.domain.limits import SHORTEST_HOLD_MS, Usage, check_holding, hold_life_ms, most_per_hold, share
from appliance.domain.sale import require_open, state, window
from mqtt_bridge.protocol.catalogue import EventSession, Limits
from mqtt_bridge.protocol.messages import Granted
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


def told(epoch: int, granted: int) -> Granted:
    return Granted("q", epoch, granted, 0, 7, 100)


@given(shelves(), st.integers(0, 50))
def test_what_is_held_and_then_sold_cancelled_or_let_go_leaves_the_same_stock(shelf, quantity):
    held = shelf.hold(quantity)
    assert held.end(quantity) == shelf
    sold = held.confirm(quantity, held=True)
    assert sold == shelf.confirm(quantity, held=False)
    assert sold.cancel(quantity).available == shelf.available


@given(shelves(), st.integers(0, 400))
def test_giving_back_takes_free_tickets_only_and_never_more_than_asked(shelf, returned):
    after = shelf.give_back(returned)
    given_back = after.totals.returned - shelf.totals.returned
    assert 0 <= given_back <= shelf.available
    assert given_back == 0 or after.totals.returned <= returned
    assert after.give_back(returned) == after


@given(shelves(), numbers, st.integers(1, 3))
def test_a_grant_told_again_or_late_changes_nothing(shelf, granted, epoch):
    first = {each.epoch: each for each in [shelf, *take_grant([shelf], told(epoch, granted), 5)]}
    again = {each.epoch: each for each in [*first.values(), *take_grant(first.values(), told(epoch, granted), 5)]}
    assert again == first
    older = take_grant(first.values(), told(epoch, max(0, granted - 1)), 5)
    assert [each.totals for each in older] == [first[epoch].totals]


def test_only_the_latest_epoch_is_sold_from():
    old = Shelf("q", 1, Totals(granted=9), 0, wanted=2)
    left, new = take_grant([old], told(2, 4), 5)
    assert (left.current, new.current, new.available) == (False, True, 4)
    (late,) = take_grant([left, new], told(1, 12), 6)
    assert not late.current
    assert not new.old_life().current


def test_a_larger_grant_answers_what_was_wanted():
    waiting = Shelf("q", 1, Totals(granted=3), 0, wanted=2, refused_boot_ms=9)
    (same,) = take_grant([waiting], told(1, 3), 5)
    (more,) = take_grant([waiting], told(1, 5), 5)
    assert (same.wanted, same.refused_boot_ms, same.elsewhere) == (2, 9, 7)
    assert (more.wanted, more.refused_boot_ms, more.available) == (0, None, 5)
