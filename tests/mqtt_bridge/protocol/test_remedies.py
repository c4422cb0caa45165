"""What may be done about a contradiction: the table of kinds, and what holds whatever the figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.protocol.remedies import (
    KINDS,
    TITLES,
    Alternative,
    Case,
    Draw,
    by_rule,
    may_be_automatic,
    suggestions,
)

YARD = Alternative("s2", "The Yard", "Sat 28 Nov, 20:00", 2_000, (Draw("q2", "yard", 2, 14),))
BARN = Alternative("s3", "The Barn", "Sun 29 Nov, 20:00", 3_000, (Draw("q3", "barn", 2, 1, 5),))


@pytest.mark.parametrize(
    ("case", "remedies"),
    [
        (Case("session-cancelled", open=2, cancelled=True, alternatives=(BARN, YARD)), ["rebook", "refund", "rebook"]),
        (Case("session-cancelled", open=2, cancelled=True), ["refund"]),
        (Case("session-moved", open=2, alternatives=(YARD,)), ["rebook", "refund"]),
        (Case("oversold", open=2, short=2, alternatives=(YARD,)), ["rebook", "overbook", "refund", "waitlist"]),
        (Case("oversold", open=2, short=2, pool=2, alternatives=(YARD,)), ["overbook", "rebook", "refund", "waitlist"]),
        (
            Case("oversold", open=1, admitted=1, short=2, alternatives=(YARD,)),
            ["overbook", "rebook", "refund", "waitlist"],
        ),
        (Case("oversold", open=2, short=2, elapsed=True), ["overbook", "refund"]),
        (Case("cancelled-and-admitted", admitted=1, short=1), ["overbook"]),
        (Case("admitted-twice", admitted=1), []),
        (Case("fork"), []),
        (Case("paid-twice", open=2, refund_minor=1200, currency="EUR", alternatives=(YARD,)), ["refund"]),
        (Case("paid-twice", open=2, alternatives=(YARD,)), []),
    ],
)
def test_each_kind_is_offered_what_helps_cheapest_first(case: Case, remedies: list[str]) -> None:
    """Nobody loses, then places, then money, then time; what cannot be done now comes last."""
    assert [each.remedy for each in suggestions(case)] == remedies


def test_effect_and_price_stand_in_words_and_figures() -> None:
    """An operator reads the price before the click."""
    case = Case("oversold", open=2, short=3, pool=1, waiting=4, refund_minor=2400, currency="EUR", alternatives=(YARD,))
    found = {each.remedy: each for each in suggestions(case)}
    assert found["rebook"].effect.startswith(
        "Rebook 2 tickets to The Yard, Sat 28 Nov, 20:00: takes 2 from 'yard', whose"
    )
    assert "pool has 14" in found["rebook"].effect
    assert (found["overbook"].price, found["overbook"].oversell) == ("raises the oversell by 2", 2)
    assert (found["refund"].price, found["refund"].amount_minor) == ("24.00 EUR to pay back", 2400)
    assert "4 wait behind" in found["waitlist"].effect


def test_a_place_whose_pool_is_short_says_what_could_come_back() -> None:
    """It cannot be chosen, only shown with the way there."""
    found = suggestions(Case("session-cancelled", open=2, cancelled=True, alternatives=(BARN,)))
    barn = next(each for each in found if each.target == "s3")
    assert barn.missing == 1
    assert barn.price == "1 missing in the pool; 1 could be called back from devices"
    assert by_rule(Case("session-cancelled", open=2, cancelled=True, alternatives=(BARN,)), "rebook") is None


def test_every_kind_has_a_title_and_rules_only_where_they_make_sense() -> None:
    """Two people inside on one ticket are a matter for people."""
    assert set(TITLES) == set(KINDS)
    assert may_be_automatic("admitted-twice") == ()
    assert "refund" in may_be_automatic("session-cancelled")


counts = st.integers(0, 50)
draws = st.lists(st.builds(Draw, st.just("q"), st.just("room"), st.integers(1, 9), counts, counts), min_size=1).map(
    tuple
)
alternatives = st.lists(
    st.builds(Alternative, st.text("ab", min_size=1), st.just("Yard"), st.just("Sat"), counts, draws), max_size=4
)
cases = st.builds(
    Case,
    st.sampled_from(KINDS),
    open=counts,
    admitted=counts,
    short=counts,
    pool=st.integers(-5, 50),
    waiting=counts,
    refund_minor=counts,
    currency=st.just("EUR"),
    cancelled=st.booleans(),
    elapsed=st.booleans(),
    alternatives=alternatives.map(tuple),
)


@given(cases)
def test_no_suggestion_promises_more_than_there_is(case: Case) -> None:
    """Rebooking draws what pools have, overbooking takes the pool first, money back is at most what was paid."""
    for each in suggestions(case):
        assert 0 <= each.oversell <= case.short
        assert 0 <= each.amount_minor <= case.refund_minor
        assert each.effect
        assert each.price
        if each.remedy == "rebook":
            target = [one for one in case.alternatives if one.event_session == each.target]
            assert case.open
            assert any(each.missing == sum(draw.missing for draw in one.draws) for one in target)
        if each.remedy == "overbook":
            assert each.oversell == case.short - max(0, min(case.short, case.pool))


@given(cases, st.sampled_from(["rebook", "overbook", "refund", "waitlist"]))
def test_a_rule_picks_only_what_can_be_done_now(case: Case, remedy: str) -> None:
    """The best of its kind, the same every time."""
    chosen = by_rule(case, remedy)
    assert chosen == by_rule(case, remedy)
    if chosen is not None:
        assert chosen in suggestions(case)
        assert chosen.missing == 0
