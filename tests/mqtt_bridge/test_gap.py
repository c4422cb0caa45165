"""Messages that come without one that follows: said hello again about, and not too often."""

from __future__ import annotations

from mqtt_bridge.gap import PATIENCE_MS, Gap
from mqtt_bridge.protocol.messages import Ack


def test_a_gap_shows_when_no_message_follows_for_long_enough_and_then_only_after_as_long_again() -> None:
    gap, ack = Gap(), Ack("life", 7)
    assert not gap.shows(ack, 0)
    assert not gap.shows(ack, 5)
    assert not gap.shows(ack, 4 + PATIENCE_MS)
    assert gap.shows(ack, 5 + PATIENCE_MS)
    assert not gap.shows(ack, 6 + PATIENCE_MS)
    assert not gap.shows(ack, 5 + 2 * PATIENCE_MS)
    assert gap.shows(ack, 6 + 2 * PATIENCE_MS)


def test_a_stream_that_goes_on_has_none_however_long_it_paused() -> None:
    gap = Gap()
    for upto in range(1, 5):
        assert not gap.shows(Ack("life", upto), 3 * upto * PATIENCE_MS)
        assert not gap.shows(Ack("life", upto), (3 * upto + 1) * PATIENCE_MS)


def test_another_life_begins_anew() -> None:
    gap = Gap()
    assert not any(gap.shows(Ack("life", 7), at_ms) for at_ms in (0, 1))
    assert not gap.shows(Ack("another", 7), 1 + PATIENCE_MS)
    assert not gap.shows(Ack("another", 7), 1 + 2 * PATIENCE_MS)
