"""One holding-up of a ticket is one scan; nothing else is ever taken for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.repeats import REPEAT_MS, Repeats


def test_a_code_is_a_repeat_until_it_was_out_of_sight() -> None:
    """Each sight begins the two seconds anew: a forgotten ticket under the scanner stays one scan."""
    lane = Repeats()
    assert not lane.is_repeat("A", 0)
    lane.recorded("A", 0)
    assert lane.is_repeat("A", REPEAT_MS - 1)
    assert lane.is_repeat("A", 2 * REPEAT_MS - 2)
    assert not lane.is_repeat("A", 3 * REPEAT_MS)


def test_a_scan_that_could_not_be_recorded_is_tried_again() -> None:
    """Only what stands in the rows may be dropped."""
    lane = Repeats()
    assert not lane.is_repeat("A", 0)
    assert not lane.is_repeat("A", 10)


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 3000)), max_size=60))
def test_a_first_sight_or_one_after_the_pause_is_always_a_scan(sights: list[tuple[str, int]]) -> None:
    """Against the plainest rule there is: when was this code last in sight?"""
    lane, now_ms, last = Repeats(), 0, dict[str, int]()
    for code, pause_ms in sights:
        now_ms += pause_ms
        expected = code in last and now_ms - last[code] < REPEAT_MS
        assert lane.is_repeat(code, now_ms) is expected
        if not expected:
            lane.recorded(code, now_ms)
        last[code] = now_ms


def test_a_babbling_scanner_does_not_fill_the_memory() -> None:
    """Thousands of codes within two seconds."""
    lane = Repeats()
    for number in range(1000):
        lane.recorded(str(number), 0)
    assert lane.is_repeat("999", 1)
    assert not lane.is_repeat("0", 1)
