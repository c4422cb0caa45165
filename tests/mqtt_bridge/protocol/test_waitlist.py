"""The one rule of the waitlist: fair, conserving, deaf to clocks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import InLine
from mqtt_bridge.protocol.waitlist import (
    LONGEST_SAVING_MS,
    NEXT,
    OPEN,
    SAVING_MS,
    Waiting,
    merged,
    next_round,
    next_state,
    saving_ms,
    serve,
    walked_past,
)


def line(*quantities: int, here: bool = True) -> list[Waiting]:
    """Entries a, b, c ... of these sizes."""
    return [Waiting(chr(97 + k), quantity, here=here) for k, quantity in enumerate(quantities)]


def names(entries: tuple[Waiting, ...]) -> str:
    return "".join(each.id for each in entries)


WAITING = st.builds(
    Waiting,
    id=st.uuids().map(str),
    quantity=st.integers(1, 8),
    here=st.booleans(),
    reachable=st.sampled_from([True, True, True, False]),
    rounds=st.integers(0, 3),
    passed=st.integers(0, 10),
)
LINES = st.lists(WAITING, max_size=8)
FREE = st.integers(0, 30)


def test_tickets_go_in_order_and_what_is_left_is_spare() -> None:
    """With enough for all, everybody is due and the rest may be sold to anybody."""
    served = serve(line(2, 1, 3), 8)
    assert (names(served.offers), served.spare, served.saved, served.unmet) == ("abc", 2, 0, ())


def test_what_a_group_cannot_use_yet_goes_to_others_until_as_much_went_by_as_it_wants() -> None:
    """A group of two and one free ticket: people from outside may have it twice, then it is saved."""
    waiting = line(2)
    assert [serve(walked_past(waiting, gone), 1).spare for gone in (0, 1, 2)] == [1, 1, 0]
    assert serve(walked_past(waiting, 2), 1).saved == 1
    assert serve(walked_past(waiting, 1), 9).spare == 7


def test_small_ones_may_pass_a_group_by_as_many_tickets_as_it_wants_and_no_more() -> None:
    """A group of three is passed by three single guests; the fourth waits behind it."""
    waiting, passed = line(3, 1, 1, 1, 1), ""
    for _ in range(3):
        served = serve(waiting, 1)
        passed += names(served.offers)
        waiting = [*served.unmet]
    assert passed == "bcd"
    assert [serve(waiting, free).offers for free in (1, 2)] == [(), ()]
    assert names(serve(waiting, 3).offers) == "a"


def test_a_new_round_lets_as_many_pass_again_walk_ups_last() -> None:
    """Saved in vain: those behind come first, then people from outside, together no more than the group wants."""
    waiting = next_round(walked_past(line(3, 1), 3))
    served = serve(waiting, 2)
    assert (names(served.offers), served.spare, served.saved) == ("b", 1, 0)
    assert serve(walked_past(next_round(line(3)), 3), 2).spare == 0


def test_each_round_saves_twice_as_long_up_to_a_day() -> None:
    """Slow trickles reach the group in the end: some round is long enough."""
    assert [saving_ms(rounds) for rounds in (0, 1, 2)] == [SAVING_MS, 2 * SAVING_MS, 4 * SAVING_MS]
    assert saving_ms(1000) == LONGEST_SAVING_MS


def test_what_is_due_elsewhere_is_put_aside_before_later_ones_here_are_served() -> None:
    """Who joined first at another venue comes first here too."""
    far, near = Waiting("", 1, here=False), Waiting("near", 1)
    served = serve([far, near], 1)
    assert (served.offers, served.aside, served.spare) == ((), 1, 0)
    assert names(serve([far, near], 2).offers) == "near"


def test_an_entry_that_no_stock_can_reach_keeps_its_place_and_holds_nobody_up() -> None:
    """Its venue is cut off: the next one is served."""
    served = serve([Waiting("", 4, here=False, reachable=False), Waiting("b", 1)], 1)
    assert (names(served.offers), served.unmet) == ("b", ())


@given(LINES, FREE)
def test_no_ticket_is_given_twice_or_lost(waiting: list[Waiting], free: int) -> None:
    """Offered + put aside + saved + spare is exactly what was free."""
    served = serve(waiting, free)
    assert sum(each.quantity for each in served.offers) + served.aside + served.saved + served.spare == free
    assert min(served.aside, served.saved, served.spare) >= 0


@given(LINES, FREE)
def test_the_first_who_can_be_reached_is_never_passed_while_it_fits(waiting: list[Waiting], free: int) -> None:
    """The head is served or too large, and never passed beyond its size."""
    served = serve(waiting, free)
    reachable = [each for each in waiting if each.reachable]
    if reachable and reachable[0].quantity <= free:
        assert reachable[0].id not in {each.id for each in served.unmet}
    for before in reachable:
        after = next((each for each in served.unmet if each.id == before.id), before)
        assert before.passed <= after.passed <= max(before.passed, before.quantity)


@given(LINES, FREE)
def test_deciding_again_with_what_is_left_decides_nothing_more(waiting: list[Waiting], free: int) -> None:
    """The rule reaches its end in one step, so it does not matter how often or where it is asked."""
    served = serve(waiting, free)
    again = serve(served.unmet, served.saved + served.spare)
    assert (again.offers, again.aside, again.spare) == ((), 0, served.spare)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=10), st.data())
def test_every_group_is_served_once_w_plus_2n_tickets_came_free(sizes: list[int], data: st.DataObject) -> None:
    """W wanted before it, n its own: whoever else waits, and in whatever portions stock comes free."""
    wanted = {chr(97 + k): sum(sizes[:k]) + 2 * size for k, size in enumerate(sizes)}
    waiting, free, freed = line(*sizes), 0, 0
    while waiting:
        portion = data.draw(st.integers(1, 4))
        free, freed = free + portion, freed + portion
        served = serve(waiting, free)
        waiting, free = list(served.unmet), served.saved + served.spare
        assert all(wanted[each.id] > freed for each in waiting)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=6), st.integers(1, 5))
def test_a_group_is_served_at_last_however_slowly_stock_comes_and_whoever_joins_behind(
    sizes: list[int], minutes_apart: int
) -> None:
    """One ticket every few minutes, always a new single guest at the end: no starvation, and no ticket idle for good."""
    waiting, free, since_ms, now_ms = line(*sizes), 0, None, 0
    groups = set(names(tuple(waiting)))
    for step in range(5000):
        now_ms += minutes_apart * 60_000
        free += 1
        waiting.append(Waiting(f"single-{step}", 1))
        served = serve(waiting, free)
        waiting, free = list(served.unmet), served.saved + served.spare
        since_ms = (since_ms or now_ms) if served.saved else None
        if since_ms is not None and now_ms - since_ms >= saving_ms(waiting[0].rounds):
            waiting, since_ms = next_round(waiting), None
        if not groups & {each.id for each in waiting}:
            return
    raise AssertionError(f"still waiting: {waiting[:3]}")


def test_a_device_finds_its_own_entries_in_the_clouds_line_and_the_newest_behind_it() -> None:
    """Own by number, others without a name, unknown ones last; what passed is merged by maximum."""
    own = {3: Waiting("c", 1), 4: Waiting("d", 2, passed=1), 7: Waiting("g", 1)}
    told = (InLine(0, 2), InLine(4, 2, 1, 0), InLine(9, 1), InLine(0, 1, 0, 0, False), InLine(3, 1))
    seen = merged(own, told, linked=True)
    assert [(each.id, each.here, each.reachable) for each in seen] == [
        ("", False, True),
        ("d", True, True),
        ("", False, False),
        ("c", True, True),
        ("g", True, True),
    ]
    assert (seen[1].rounds, seen[1].passed) == (1, 0)
    assert [each.reachable for each in merged(own, told, linked=False)] == [False, True, False, True, True]


@given(st.lists(st.integers(0, 30), unique=True), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 4))))
def test_merging_loses_and_doubles_no_own_entry(numbers: list[int], told: list[tuple[int, int]]) -> None:
    """Whatever the cloud says, each own entry stands in line once."""
    own = {number: Waiting(str(number), 1) for number in numbers}
    seen = merged(own, [InLine(*each) for each in told], linked=True)
    assert sorted(each.id for each in seen if each.here) == sorted(map(str, numbers))


@pytest.mark.parametrize("state", ["taken", "lapsed", "left", "closed"])
def test_final_states_are_final(state: str) -> None:
    """Nothing revives an entry that ended."""
    assert state not in OPEN
    assert not [move for move in NEXT if move[0] == state]
    with pytest.raises(ProtocolError):
        next_state(state, "offer")  # type: ignore[arg-type]
