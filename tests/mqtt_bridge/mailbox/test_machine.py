"""The pure decisions of the mailboxes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.mailbox.machine import (
    EARLY_ROOM,
    FIRST_PATIENCE_MS,
    MAX_PATIENCE_MS,
    WINDOW,
    Place,
    Window,
    place,
)


def test_each_number_has_one_place() -> None:
    assert [place(seq, upto=5) for seq in (1, 5, 6, 7, 5 + EARLY_ROOM, 6 + EARLY_ROOM)] == [
        Place.DUPLICATE,
        Place.DUPLICATE,
        Place.NEXT,
        Place.EARLY,
        Place.EARLY,
        Place.BEYOND,
    ]


def test_what_nobody_acknowledges_is_sent_again_ever_more_patiently() -> None:
    """3 s, 6 s, 12 s, 24 s, then every 30 s; any progress makes it impatient again."""
    window, now_ms, waits = Window().starting(0, 0), 0, []
    for _ in range(7):
        window = window.sending(10, now_ms)
        waits.append(window.patience_ms)
        assert window.ticking(now_ms + window.patience_ms - 1) is window
        now_ms += window.patience_ms
        window = window.ticking(now_ms)
        assert window.sent == 0
    assert waits == [3_000, 6_000, 12_000, 24_000, 30_000, 30_000, 30_000]
    assert window.repeats == 7
    assert window.sending(10, now_ms).acknowledged(1, now_ms).patience_ms == FIRST_PATIENCE_MS


def test_nothing_under_way_means_no_impatience() -> None:
    """A quiet hour must not make the first message after it look overdue."""
    idle = Window().starting(7, 0).ticking(3_600_000)
    assert idle.repeats == 0
    assert idle.sending(8, 3_600_000).ticking(3_600_001).sent == 8


steps = st.lists(
    st.tuples(st.sampled_from(["send", "ack", "tick", "start"]), st.integers(0, 100), st.integers(0, 20_000)),
    max_size=60,
)


@given(steps)
def test_the_window_is_never_exceeded_and_acks_never_go_back(history: list[tuple[str, int, int]]) -> None:
    window, now_ms = Window(), 0
    for step, number, wait_ms in history:
        now_ms, before = now_ms + wait_ms, window
        if step == "send":
            window = window.sending(window.sent + min(number, window.room), now_ms)
        elif step == "ack":
            window = window.acknowledged(number, now_ms)
        elif step == "tick":
            window = window.ticking(now_ms)
        else:
            window = window.starting(window.acked, now_ms)
        assert before.acked <= window.acked <= window.sent
        assert window.sent - window.acked <= WINDOW
        assert FIRST_PATIENCE_MS <= window.patience_ms <= MAX_PATIENCE_MS
