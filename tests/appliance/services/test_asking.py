from __future__ import annotations

import pytest

from appliance.domain.errors import SoldOutHere
from appliance.services import asking, booking, sync
from appliance.services.booking import Item
from tests.support.box import ADULT, OPEN_LIMITS, ROOM, TestBox, desk, example_catalogue, make_box


@pytest.fixture
def short(tmp_path):
    box = make_box(tmp_path, catalogue=example_catalogue(OPEN_LIMITS), grants={ROOM: 1}, elsewhere=9)
    box.run(lambda unit: sync.link_changed(unit, True))
    yield box
    box.database.close()


class Cloud:
    """Answers while somebody waits; counts the pauses instead of sleeping."""

    def __init__(self, box: TestBox, answer=None) -> None:
        self.box, self.answer, self.pauses = box, answer, 0
        self.asked: list[int] = []

    def __call__(self, seconds: float) -> None:
        self.pauses += 1
        self.box.turn.advance(round(seconds * 1000))
        self.asked += [need.wanted for need in self.box.look(sync.needs)]
        if self.answer and self.pauses == 3:
            self.answer()


def hold(box: TestBox, cloud, quantity: int = 3):
    return asking.run(box, lambda unit: booking.place_hold(unit, desk(), [Item(ADULT, quantity)]), cloud)


def test_what_is_missing_is_asked_for_and_the_hold_succeeds(short):
    cloud = Cloud(short, lambda: short.grant({ROOM: 3}))
    assert hold(short, cloud).state == "open"
    assert cloud.asked[0] == 2
    assert "bridge" in short.wakes.whom
    assert short.look(sync.needs) == ()


def test_silence_is_a_no_after_two_seconds_and_remembered_for_five(short):
    cloud = Cloud(short)
    with pytest.raises(SoldOutHere):
        hold(short, cloud)
    assert cloud.pauses == 40
    assert short.look(sync.needs) == ()
    with pytest.raises(SoldOutHere):
        hold(short, cloud)
    assert cloud.pauses == 40
    short.turn.advance(5000)
    with pytest.raises(SoldOutHere):
        hold(short, cloud)
    assert cloud.pauses == 80


def test_a_grant_that_is_still_too_little_refuses_with_what_there_is(short):
    cloud = Cloud(short, lambda: short.grant({ROOM: 2}))
    with pytest.raises(SoldOutHere) as refusal:
        hold(short, cloud, 9)
    assert refusal.value.facts["available"] == 2


def test_nothing_is_asked_without_a_link_or_where_nothing_is_elsewhere(short):
    cloud = Cloud(short)
    short.grant({ROOM: 1}, elsewhere=0)
    with pytest.raises(SoldOutHere):
        hold(short, cloud)
    short.grant({ROOM: 1}, elsewhere=5)
    short.run(lambda unit: sync.link_changed(unit, False))
    with pytest.raises(SoldOutHere):
        hold(short, cloud)
    assert cloud.pauses == 0


def test_waiting_ends_when_the_link_breaks(short):
    cloud = Cloud(short, lambda: short.run(lambda unit: sync.link_changed(unit, False)))
    with pytest.raises(SoldOutHere):
        hold(short, cloud)
    assert cloud.pauses == 3


def test_while_some_wait_the_others_are_refused_at_once_and_keep_their_threads(short):
    refused: list[SoldOutHere] = []
    inner = Cloud(short)

    def nested(depth: int):
        """Stand for one more request at the moment this one begins to wait."""
        begun = False

        def pause(seconds: float) -> None:
            nonlocal begun
            if begun or depth > asking.WAITING_AT_ONCE:
                inner(seconds)
                return
            begun = True
            with pytest.raises(SoldOutHere) as caught:
                hold(short, nested(depth + 1))
            refused.append(caught.value)

        return pause

    with pytest.raises(SoldOutHere):
        hold(short, nested(1))
    assert len(refused) == asking.WAITING_AT_ONCE
    # Only the innermost waited its two seconds out; its "no" was the answer to all.
    assert inner.pauses == 40 - 1


def test_a_place_to_wait_is_free_again_whatever_the_answer_was(short):
    for _ in range(asking.WAITING_AT_ONCE + 1):
        cloud = Cloud(short)
        with pytest.raises(SoldOutHere):
            hold(short, cloud)
        assert cloud.pauses == 40
        short.turn.advance(asking.NO_REMEMBERED_MS)
