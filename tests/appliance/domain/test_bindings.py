"""Devices found by themselves keep their places while cables come and go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.bindings import bind

PLACES = ("scanner", "scanner_2", "scanner_3")
DEVICES = st.lists(st.sampled_from(["a@1", "a@2", "a#7", "b@1", "b@3", "c#1", "d@9"]), unique=True, max_size=6)


def test_at_first_they_are_taken_in_the_order_of_their_sockets() -> None:
    assert bind({}, PLACES, ["a@1", "b@2"]) == {"scanner": "a@1", "scanner_2": "b@2"}


def test_what_is_unplugged_and_plugged_in_again_is_where_it_was() -> None:
    bound = bind({}, PLACES, ["a@1", "b@2"])
    bound = bind(bound, PLACES, ["b@2"])
    assert bound["scanner_2"] == "b@2", "the other one does not move up"
    assert bind(bound, PLACES, ["b@2", "a@1"]) == {"scanner": "a@1", "scanner_2": "b@2"}


def test_in_another_socket_it_takes_the_place_it_had() -> None:
    bound = {"scanner": "a@1", "scanner_2": "b@2"}
    assert bind(bound, PLACES, ["b@2", "a@3"]) == {"scanner": "a@3", "scanner_2": "b@2"}


def test_a_new_one_takes_a_free_place_first_and_then_that_of_one_that_is_gone() -> None:
    bound = {"scanner": "a@1", "scanner_2": "b@2"}
    assert bind(bound, PLACES, ["b@2", "c@3"])["scanner_3"] == "c@3"
    assert bind(bound, PLACES[:2], ["b@2", "c@3"]) == {"scanner": "c@3", "scanner_2": "b@2"}


def test_what_finds_no_place_is_left_out() -> None:
    assert bind({}, ("printer",), ["a@1", "b@2"]) == {"printer": "a@1"}


@given(DEVICES, DEVICES, DEVICES)
def test_whoever_is_there_never_moves_and_nobody_has_two_places(
    first: list[str], then: list[str], last: list[str]
) -> None:
    bound: dict[str, str] = {}
    for present in (first, then, last):
        after = bind(bound, PLACES, present)
        assert len(set(after.values())) == len(after)
        for place, device in bound.items():
            if device in present:
                assert after[place] == device
        assert sum(device in present for device in after.values()) == min(len(PLACES), len(present))
        bound = after
