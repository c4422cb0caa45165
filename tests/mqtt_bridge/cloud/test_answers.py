from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.cloud.answers import Ask, Stock, decide


def asks(*needs: int, **more: Any) -> list[Ask]:
    """Orders "0", "1", ... for so many tickets of one quota, in this order."""
    return [Ask(str(place), place, {"q": number}, **more) for place, number in enumerate(needs)]


def one(pool: int, coming: int = 0) -> dict[str, Stock]:
    return {"q": Stock(pool, coming)}


def test_first_come_first_served_while_the_pool_lasts():
    answers = decide(reversed(asks(2, 3, 1)), one(5, 1))
    assert answers.confirmed == ["0", "1"]
    assert (answers.refused, answers.missing) == ([], {"q": 1})


def test_nobody_overtakes_who_waits_for_stock_that_may_come_back():
    answers = decide(asks(4, 1), one(3, 2))
    assert (answers.confirmed, answers.refused) == ([], [])
    assert (answers.kept, answers.missing) == ({"q": 3}, {"q": 2})


def test_what_can_never_be_met_is_refused_and_keeps_nothing_from_the_next():
    answers = decide(asks(6, 2), one(3, 2))
    assert answers.refused == [("0", "sold_out")]
    assert answers.confirmed == ["1"]


def test_who_is_behind_more_than_can_come_back_hears_no_at_once():
    answers = decide(asks(3, 1), one(0, 3))
    assert answers.refused == [("1", "sold_out")]
    assert answers.missing == {"q": 3}


def test_after_the_sale_it_is_now_or_not():
    answers = decide(asks(2, 2, last_call=True), one(3, 9))
    assert (answers.confirmed, answers.refused) == (["0"], [("1", "closed")])


@pytest.mark.parametrize("reason", ["closed", "cancelled", "sealed"])
def test_what_is_over_is_refused_whatever_there_is(reason):
    assert decide(asks(1, over=reason), one(9)).refused == [("0", reason)]


def test_an_operator_lets_one_go_first_or_says_no_but_makes_no_stock():
    queue = [Ask("a", 1, {"q": 2}), Ask("b", 2, {"q": 2}, wish="confirm"), Ask("c", 3, {"q": 1}, wish="refuse")]
    answers = decide(queue, one(2, 2))
    assert (answers.confirmed, answers.refused, answers.missing) == (["b"], [("c", "operator")], {"q": 2})
    answers = decide(queue, one(1, 3))
    assert (answers.confirmed, answers.kept) == ([], {"q": 1})


def test_a_withdrawal_beats_everything():
    answers = decide(asks(1, wish="withdraw", over="closed"), one(9))
    assert (answers.withdrawn, answers.refused, answers.confirmed) == (["0"], [], [])


def test_an_order_over_several_quotas_is_met_as_a_whole():
    both = [Ask("a", 1, {"q": 1, "r": 1}), Ask("b", 2, {"q": 1})]
    answers = decide(both, {"q": Stock(1, 1), "r": Stock(0, 1)})
    assert (answers.confirmed, answers.kept, answers.missing) == ([], {"q": 1, "r": 0}, {"q": 1, "r": 1})
    assert decide(both, {"q": Stock(2, 0), "r": Stock(0, 0)}).refused == [("a", "sold_out")]


def test_who_cannot_be_answered_now_keeps_the_place():
    queue = [Ask("a", 1, {"q": 1}, answerable=False), Ask("b", 2, {"q": 1})]
    answers = decide(queue, one(1, 1))
    assert (answers.confirmed, answers.kept, answers.missing) == ([], {"q": 1}, {"q": 1})


ASKS = st.lists(
    st.builds(
        lambda q, r, wish, over, last, able: (
            {quota: number for quota, number in (("q", q), ("r", r)) if number} or {"q": 1},
            {"wish": wish, "over": over, "last_call": last, "answerable": able},
        ),
        st.integers(0, 5),
        st.integers(0, 3),
        st.sampled_from(["", "", "confirm", "refuse", "withdraw"]),
        st.sampled_from([None, None, None, "closed", "sealed"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)


@given(ASKS, st.integers(-2, 9), st.integers(0, 9), st.integers(0, 9))
def test_never_more_than_the_pool_and_everybody_is_answered_or_waits_once(drawn, pool, coming, other):
    queue = [Ask(str(place), place, needs, **more) for place, (needs, more) in enumerate(drawn)]
    stock = {"q": Stock(pool, coming), "r": Stock(other, 0)}
    answers = decide(queue, stock)
    needs = {each.order: each.needs for each in queue}
    for quota, free in (("q", pool), ("r", other)):
        used = sum(needs[order].get(quota, 0) for order in answers.confirmed) + answers.kept.get(quota, 0)
        assert used <= max(0, free)
    answered = [*answers.confirmed, *(order for order, _ in answers.refused), *answers.withdrawn]
    assert len(answered) == len(set(answered))
    # Deciding again over what is left answers nothing more.
    left = [each for each in queue if each.order not in answered]
    after = {
        quota: Stock(free.pool - sum(needs[order].get(quota, 0) for order in answers.confirmed), free.coming)
        for quota, free in stock.items()
    }
    again = decide(left, after)
    assert not (again.confirmed or again.refused or again.withdrawn)
