"""Guesses follow what was seen, and survive clocks that jump."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.cloud.allocation import DeviceFacts, QuotaFacts, plan
from mqtt_bridge.cloud.estimates import (
    LONGEST_LOOK_H,
    USUAL_OUTAGE_H,
    Demand,
    Outages,
    usual_outage_h,
    usual_rate,
)
from mqtt_bridge.protocol.moments import HOUR_MS

START_MS = 1_800_000_000_000


def watched(*sales: int, every_h: float = 1.0) -> Demand:
    """Demand after looks at these increases of ``sold``."""
    demand, sold = Demand(as_of_ms=START_MS), 0
    for step, new in enumerate(sales, 1):
        sold += new
        demand = demand.look(sold, START_MS + round(step * every_h * HOUR_MS), dry=False)
    return demand


def test_a_steady_seller_is_known_by_its_rate() -> None:
    rate = watched(*[12] * 10).rate(usual=3.0)
    assert rate is not None
    assert rate == pytest.approx(12, rel=0.1)


def test_a_new_device_is_taken_for_an_average_one() -> None:
    rate = Demand().rate(usual=7.0)
    assert rate is not None
    assert 4 < rate <= 7


def test_nothing_is_guessed_before_enough_was_sold() -> None:
    assert usual_rate([watched(2), watched(3)]) is None
    assert Demand().rate(None) is None
    assert usual_rate([watched(2), watched(30)]) == pytest.approx(16)


def test_a_look_at_old_news_changes_no_count() -> None:
    demand = watched(5)
    later = demand.look(3, demand.as_of_ms, dry=False)
    assert later == demand


def test_an_empty_shelf_is_no_lack_of_demand() -> None:
    """Ten were there and all were gone when it came back nine hours later: it sells ten an hour, as before."""
    demand = watched(10, 10)
    later = demand.look(30, demand.as_of_ms + 9 * HOUR_MS, dry=True)
    assert later.tickets / later.hours == pytest.approx(10, rel=0.05)
    unsold = demand.look(30, demand.as_of_ms + 9 * HOUR_MS, dry=False)
    assert unsold.tickets / unsold.hours < 4


def test_what_sold_out_before_anything_was_known_is_taken_to_have_lasted_half_the_time() -> None:
    demand = Demand(as_of_ms=START_MS).look(12, START_MS + 4 * HOUR_MS, dry=True)
    assert demand.tickets / demand.hours == pytest.approx(6)


def test_demand_of_long_ago_fades() -> None:
    demand = watched(*[20] * 24, *[1] * 72)
    assert demand.tickets / demand.hours < 4


def test_a_new_epoch_inherits_the_demand_not_the_sales() -> None:
    demand = watched(8, 8)
    inherited = demand.inherited(demand.as_of_ms + 5)
    assert (inherited.tickets, inherited.hours, inherited.sold) == (demand.tickets, demand.hours, 0)
    assert inherited.look(2, demand.as_of_ms + 5, dry=False).tickets == demand.tickets + 2


def test_the_expected_outage_is_the_device_s_own_once_it_has_had_some() -> None:
    outages = Outages()
    for start_h in range(0, 60, 6):
        outages = outages.link(START_MS + start_h * HOUR_MS, up=False).link(START_MS + (start_h + 5) * HOUR_MS, up=True)
    assert outages.expected_h(usual_h=1.0) > 4
    assert Outages().expected_h(usual_h=1.5) == 1.5


def test_repeating_what_a_link_does_changes_nothing() -> None:
    down = Outages().link(START_MS, up=False)
    assert down.link(START_MS + HOUR_MS, up=False) == down
    up = down.link(START_MS + HOUR_MS, up=True)
    assert up.link(START_MS + 2 * HOUR_MS, up=True) == up


def test_an_outage_that_goes_on_makes_outages_longer() -> None:
    down = Outages().link(START_MS, up=False)
    assert usual_outage_h([Outages()], START_MS) == USUAL_OUTAGE_H
    assert usual_outage_h([down], START_MS + 8 * HOUR_MS) == USUAL_OUTAGE_H + 8


times = st.integers(-(2**62), 2**62)


@given(st.lists(st.tuples(times, st.integers(0, 2**31), st.booleans()), max_size=20), st.floats(0.001, 1e6))
def test_no_clock_makes_a_guess_that_is_no_number(looks: list[tuple[int, int, bool]], usual: float) -> None:
    demand, outages = Demand(), Outages()
    for now_ms, sold, flag in looks:
        demand = demand.look(sold, now_ms, dry=flag)
        outages = outages.link(now_ms, up=flag)
    rate, hours = demand.rate(usual), outages.expected_h(usual_outage_h([outages], looks[-1][0] if looks else 0))
    assert rate is not None
    assert math.isfinite(rate)
    assert rate > 0
    assert math.isfinite(hours)
    assert hours >= 0
    assert demand.sold == max([0, *(sold for _, sold, _ in looks)])
    steps = plan(QuotaFacts(10, 0, 10), [DeviceFacts("a", rate=rate, outage_h=hours, started=True)])
    assert len(steps) <= 1


@given(st.integers(-(10**15), 10**15))
def test_a_jump_counts_for_a_day_at_most(jump_ms: int) -> None:
    demand = watched(6, 6).look(18, START_MS + jump_ms, dry=False)
    assert 0 <= demand.hours <= 2 + LONGEST_LOOK_H
