"""What a decision costs is said before it is made, never too low, and "unknown" where nobody can know."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.cloud import price
from mqtt_bridge.cloud.allocation import stepped_limit
from mqtt_bridge.cloud.doubt import Doubt, ReleaseRefused
from mqtt_bridge.cloud.price import Holding, Situation

HALL, YARD = Holding("hall", 6, 1), Holding("yard", 11, 0, live=False, outage_h=2.0)
AT = Situation(limit=25, extra=0, sold=5, holdings=(HALL, YARD))


def test_raising_works_at_once_and_risks_nothing() -> None:
    raised = price.limit(AT, 40)
    assert (raised.now, raised.gap, raised.oversold, raised.hours) == (40, 0, 0, 0.0)


def test_lowering_within_the_pool_works_at_once() -> None:
    assert AT.pool == 3
    lowered = price.limit(AT, 22)
    assert (lowered.now, lowered.gap, lowered.oversold, lowered.hours) == (22, 0, 0, 0.0)
    assert lowered.stranded == 11


def test_lowering_below_what_is_out_is_a_target() -> None:
    """25 with 22 out: to 18 the hall's free stock suffices at once; to 10 the yard's must come back first."""
    soon = price.limit(AT, 18)
    assert (soon.now, soon.gap, soon.oversold, soon.hours) == (22, 4, 4, 0.0)
    later = price.limit(AT, 10)
    assert (later.now, later.gap, later.oversold, later.hours) == (22, 12, 12, 2.0)


def test_lowering_below_known_sales_is_refused_with_the_figures() -> None:
    with pytest.raises(price.Refused, match="5 tickets are known to be sold.*lowered to 4.*possible is 5"):
        price.limit(AT, 4)
    with pytest.raises(price.Refused, match="below zero"):
        price.limit(AT, -1)
    assert price.limit(AT, 5).gap == 17


def test_extra_counts_with_the_limit() -> None:
    at = Situation(limit=3, extra=2, sold=5)
    assert price.limit(at, 3).gap == 0
    with pytest.raises(price.Refused, match="with 2 extra; the lowest possible is 3"):
        price.limit(at, 2)


def test_how_long_an_unknown_outage_lasts_is_unknown() -> None:
    never_away = Holding("yard", 11, 0, live=False)
    assert price.limit(Situation(25, 0, 5, (HALL, never_away)), 10).hours is None
    assert price.limit(Situation(25, 0, 5, (HALL,), Doubt(11)), 10).hours is None
    assert price.limit(Situation(25, 0, 5, (HALL, never_away)), 17).hours == 0.0


def test_several_outages_that_must_all_end_take_longer_than_one() -> None:
    away = tuple(Holding(name, 5, 0, live=False, outage_h=2.0) for name in "abc")
    assert price.limit(Situation(15, 0, 0, away), 10).hours == 2.0
    assert price.limit(Situation(15, 0, 0, away), 0).hours == pytest.approx(2 * (1 + 1 / 2 + 1 / 3))


def test_optimistic_costs_its_maximum() -> None:
    assert price.optimistic(AT, 7).oversold == 7
    assert price.optimistic(AT, 0).oversold == 0
    with pytest.raises(price.Refused):
        price.optimistic(Situation(3, 5, 7), 2)


def test_releasing_costs_what_is_released_and_leaves_the_rest_stranded() -> None:
    at = Situation(25, 0, 5, (), Doubt(in_doubt=9, released=2))
    cost = price.release(at, 4)
    assert (cost.oversold, cost.stranded, cost.hours) == (4, 3, 0.0)
    with pytest.raises(ReleaseRefused):
        price.release(at, 8)


def test_sealing_oversells_nothing_and_strands_what_the_device_holds() -> None:
    assert price.seal(AT, "yard") == price.Price(0, 11, None)
    assert price.seal(Situation(25, 0, 5, (Holding("yard", 0),)), "yard") == price.Price(0, 0, 0.0)


def test_a_recall_brings_what_is_free_when_the_device_hears_of_it() -> None:
    assert price.recall(AT, "hall", 9) == price.Price(0, 4, 0.0)
    assert price.recall(AT, "yard", 9) == price.Price(0, 0, 2.0)


holdings = st.lists(
    st.builds(
        Holding,
        st.text("abc", min_size=1, max_size=2),
        st.integers(0, 50),
        st.integers(0, 10),
        st.booleans(),
        st.none() | st.floats(0, 48),
    ),
    max_size=5,
)


@given(holdings, st.integers(0, 50), st.integers(0, 20), st.integers(0, 30), st.integers(0, 300))
def test_a_lower_limit_never_costs_more_than_is_out_and_a_higher_one_never_more_than_a_lower(
    theirs: list[Holding], sold: int, extra: int, pool: int, new: int
) -> None:
    at = Situation(0, extra, sold, tuple(theirs))
    at = Situation(max(0, at.committed + pool - extra), extra, sold, tuple(theirs))
    try:
        cost = price.limit(at, new)
    except price.Refused:
        assert new + extra < sold
        return
    assert cost.now == new or cost.now == stepped_limit(new, at.committed, extra)
    assert 0 <= cost.gap <= at.out
    assert cost.now <= max(at.limit, new)
    assert cost.now + extra >= min(at.committed, at.limit + extra)
    assert price.limit(at, new + 1).oversold <= cost.oversold
