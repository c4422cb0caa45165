"""The arithmetic of lost stock: whatever becomes known in whatever order, more than limit and extra is never out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.cloud.doubt import Doubt, ReleaseRefused, came_back, counted, handed_back
from mqtt_bridge.protocol.stock import Totals

TICKETS = st.integers(0, 20)


def test_no_more_can_be_released_than_is_in_doubt() -> None:
    """Twice three of five is refused, with the figures in the sentence."""
    once = Doubt(in_doubt=5).releasing(3)
    assert (once.released, once.covered, once.oversold) == (3, 2, 0)
    with pytest.raises(ReleaseRefused, match="5 tickets are in doubt and 3 of them were released before; 2 can"):
        once.releasing(3)
    with pytest.raises(ReleaseRefused):
        once.releasing(0)


def test_what_comes_back_lowers_the_release_before_it_enters_the_pool() -> None:
    """In tickets, for less, as much and more than was released."""
    assert [came_back(3, k, k).lowered for k in (2, 3, 5)] == [2, 3, 3]


@pytest.mark.parametrize(("pool", "lowered"), [(-2, 0), (0, 0), (2, 2), (9, 3)])
def test_what_a_lost_cloud_granted_again_lowers_the_release_once_it_is_in_the_pool(pool: int, lowered: int) -> None:
    """Five came back, three were released: none of the three is forgotten, and the pool never falls below zero for it."""
    back = came_back(3, 5, pool)
    assert (back.lowered, back.lowered + back.later) == (lowered, 3)


def test_a_ticket_counts_once_however_often_it_is_told() -> None:
    """The device had reported seven sales; eight tickets by id are eight, six are still seven."""
    totals = Totals(granted=10, sold=7)
    assert counted(totals, 6, 0).sold == 7
    assert counted(totals, 8, 2) == Totals(granted=10, sold=8, cancelled=2)


def test_a_copy_cannot_give_back_what_another_copy_sold() -> None:
    """Ten granted, eight sold by one card; the other copy thinks it has ten left."""
    assert handed_back(Totals(granted=10, sold=8), 10, 0).returned == 2


@pytest.mark.fault(20)
@given(granted=TICKETS, news=st.lists(st.tuples(st.sampled_from(["sale", "release", "back"]), TICKETS), max_size=12))
def test_valid_tickets_never_exceed_limit_and_extra_whatever_order_the_news_come_in(
    granted: int, news: list[tuple[str, int]]
) -> None:
    """The pool is sold out at once after every step; the lost device never sells more than it was granted."""
    limit, elsewhere, released = granted + 5, 5, 0
    line = Totals(granted=granted)
    for what, number in news:
        doubt = Doubt(line.unsold, released)
        if what == "sale":
            line = counted(line, line.sold + min(number, line.unsold), 0)
        elif what == "release" and 0 < number <= doubt.covered:
            released = doubt.releasing(number).released
        elif what == "back":
            before = line.returned
            line = handed_back(line, line.returned + number, 0)
            released -= came_back(
                released, line.returned - before, limit + released - (granted - line.returned) - elsewhere
            ).lowered
        pool = limit + released - (line.granted - line.returned) - elsewhere
        assert pool >= 0
        elsewhere += pool
        assert elsewhere + line.sold - line.cancelled <= limit + released
        assert msgspec.structs.astuple(line)[0] == granted
