from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from appliance.domain import requests
from appliance.domain.errors import LimitReached, SoldOutHere
from appliance.domain.inventory import Line, Shelf, shortages
from appliance.domain.sale import state
from mqtt_bridge.protocol.catalogue import Limits
from mqtt_bridge.protocol.stock import Totals


def shelf(free: int, *, elsewhere: int | None = 5, quota: str = "q") -> Shelf:
    return Shelf(quota, 1, Totals(granted=free), 0, elsewhere)


PROVISIONAL, STRICT = Line("p", "q", 3), Line("s", "q", 1)


@pytest.mark.parametrize(
    ("free", "lines", "possible"),
    [
        (0, [PROVISIONAL], True),
        (2, [PROVISIONAL], True),
        (3, [PROVISIONAL], False),  # nothing is short
        (0, [STRICT], False),
        (0, [PROVISIONAL, STRICT], False),  # the strict line is not met
        (1, [PROVISIONAL, STRICT], True),  # the strict line comes first to the one that is here
        (0, [PROVISIONAL, Line("s", "other", 1)], True),  # met from its own quota
        (0, [PROVISIONAL, Line("s", "gone", 1)], False),
    ],
)
def test_a_hold_may_be_requested_if_only_provisional_lines_are_short(free, lines, possible):
    shelves = {"q": shelf(free), "other": shelf(5, quota="other"), "gone": shelf(0, quota="gone")}
    assert requests.may_request(shelves, lines, {"p"}) is possible


def test_what_is_gone_everywhere_is_not_requested_and_what_is_unknown_is():
    assert not requests.may_request({"q": shelf(0, elsewhere=0)}, [PROVISIONAL], {"p"})
    assert requests.may_request({"q": shelf(0, elsewhere=None)}, [PROVISIONAL], {"p"})
    assert requests.may_request({}, [PROVISIONAL], {"p"})


def test_nobody_asks_past_people_who_wait_in_line():
    waited_for = replace(shelf(0), waited_for=True)
    assert not requests.may_request({"q": waited_for}, [PROVISIONAL], {"p"})
    assert state("open", waited_for, on_request=True) == "sold_out_here"


@given(st.integers(0, 9), st.lists(st.tuples(st.sampled_from("ps"), st.integers(1, 4)), min_size=1, max_size=4))
def test_what_may_be_requested_is_short_and_never_by_its_strict_lines(free, wanted):
    lines = [Line(kind, "q", number) for kind, number in wanted]
    if requests.may_request({"q": shelf(free)}, lines, {"p"}):
        assert shortages({"q": shelf(free)}, lines)
        assert sum(number for kind, number in wanted if kind == "s") <= free


def test_the_cap_is_a_share_of_the_limit_and_four_at_least():
    assert requests.cap(Limits(), 400) == 40
    assert requests.cap(Limits(), 0) == requests.cap(Limits(), 39) == 4
    assert requests.cap(Limits(request_share=1.0), 25) == 25
    assert requests.left(Limits(), 400, 39) == 1
    assert requests.left(Limits(), 400, 41) == 0


def test_one_client_gets_its_share_of_the_cap_and_at_least_one():
    assert requests.most_per_client(Limits(), 400) == 20
    assert requests.most_per_client(Limits(share_per_client=0.01), 400) == 1
    assert requests.most_per_hold(Limits(), 400, 0, 1200) == 8
    assert requests.most_per_hold(Limits(), 400, 0, 0) == 4
    assert requests.most_per_hold(Limits(), 400, 39, 1200) == 1


def test_beyond_the_cap_is_sold_out_here_and_beyond_the_share_is_a_limit():
    with pytest.raises(SoldOutHere, match="Only 1 more"):
        requests.check_cap(Limits(), "q", 40, 2, requested=3, own=0)
    with pytest.raises(SoldOutHere, match="No more requests"):
        requests.check_cap(Limits(), "q", 40, 1, requested=4, own=0)
    with pytest.raises(LimitReached, match="one phone"):
        requests.check_cap(Limits(), "q", 40, 1, requested=2, own=2)
    requests.check_cap(Limits(), "q", 40, 2, requested=2, own=0)


@pytest.mark.parametrize(
    ("found", "requestable", "shown"),
    [
        (shelf(1), True, "on_sale"),
        (shelf(0), True, "on_request"),
        (shelf(0), False, "sold_out_here"),
        (shelf(0, elsewhere=0), True, "sold_out"),
        (None, True, "on_request"),
        (None, False, "sold_out_here"),
    ],
)
def test_the_state_is_on_request_where_a_request_has_a_chance(found, requestable, shown):
    assert state("open", found, on_request=requestable) == shown
    assert state("closed", found, on_request=requestable) == "closed"
