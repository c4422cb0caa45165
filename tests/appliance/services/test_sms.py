"""Text messages: asked for, sent once, doubted rather than repeated, and forgotten."""

from __future__ import annotations

from functools import partial

import pytest

from appliance.domain.clock import DAY_MS, HOUR_MS, MINUTE_MS
from appliance.domain.errors import Invalid, LimitReached, NotFound
from appliance.domain.sms import RETRY_MS, State
from appliance.services import booking, hardware, privacy, sms
from appliance.services.booking import Item
from appliance.services.sms import Outcome
from appliance.services.staff_views import SmsView
from appliance.services.startup import prepare
from appliance.services.sweep import sweep
from mqtt_bridge.protocol.messages import ErasePersonalData
from mqtt_bridge.protocol.privacy import contact_digest
from tests.support.box import BADGE, CHILD, SeededBytes, TestBox, guest

NUMBER = "+491701234567"


def book(box: TestBox, who: int = 1) -> str:
    def work(unit):
        client = guest(f"phone-{who}")
        return booking.confirm(unit, booking.place_hold(unit, client, [Item(CHILD, 1)]).id).id

    return box.run(work)


def ask(box: TestBox, who: int = 1, number: str = NUMBER, text: str = "Your code") -> SmsView:
    order = book(box, who)
    return box.run(lambda unit: sms.ask(unit, order, f"{number}{who}", text))


def claim(box: TestBox, per_hour: int = 30) -> SmsView | None:
    return box.run(lambda unit: sms.claim(unit, per_hour))


def finish(box: TestBox, state: State, message: int = 1) -> SmsView:
    return box.run(lambda unit: sms.finish(unit, message, Outcome(state, "because", "7")))


def states(box: TestBox) -> list[str]:
    return [each.state for each in sorted(box.look(sms.recent), key=lambda each: each.id)]


def test_a_message_is_claimed_sent_and_wiped(box: TestBox) -> None:
    asked = ask(box)
    assert (asked.state, asked.number) == ("queued", f"{NUMBER}1")
    assert "desk" in box.wakes.whom
    message = claim(box)
    assert message is not None
    assert (message.state, message.text, message.attempts) == ("sending", "Your code", 1)
    sent = finish(box, "sent")
    assert (sent.state, sent.number, sent.text) == ("sent", "", "")
    assert claim(box) is None


def test_one_message_is_under_way_at_a_time_oldest_first(box: TestBox) -> None:
    ask(box, 1)
    ask(box, 2)
    first = claim(box)
    assert first is not None
    assert first.id == 1
    assert claim(box) is None
    finish(box, "ambiguous")
    second = claim(box)
    assert second is not None
    assert second.id == 2


def test_asking_twice_is_one_message(box: TestBox) -> None:
    order = book(box)
    for _ in range(3):
        box.run(lambda unit: sms.ask(unit, order, NUMBER, "Your code"))
    assert states(box) == ["queued"]
    claim(box)
    finish(box, "sent")
    again = box.run(lambda unit: sms.ask(unit, order, NUMBER, "Your code"))
    assert again.state == "sent"


def test_a_message_that_failed_may_be_asked_for_with_another_number(box: TestBox) -> None:
    order = book(box)
    box.run(lambda unit: sms.ask(unit, order, NUMBER, "Your code"))
    claim(box)
    finish(box, "failed")
    again = box.run(lambda unit: sms.ask(unit, order, "01709876543", "Your code"))
    assert (again.state, again.number, again.attempts) == ("queued", "01709876543", 0)


def test_what_was_certainly_not_sent_is_tried_again_ever_later_and_then_given_up(box: TestBox) -> None:
    ask(box)
    for wait_ms in RETRY_MS:
        assert claim(box) is not None
        assert finish(box, "queued").state == "queued"
        box.turn.advance(wait_ms - 1)
        assert claim(box) is None
        box.turn.advance(1)
    assert claim(box) is not None
    over = finish(box, "queued")
    assert (over.state, over.reason) == ("failed", "because")
    box.turn.advance(HOUR_MS)
    assert claim(box) is None


def test_a_reboot_ends_a_wait(box: TestBox) -> None:
    ask(box)
    claim(box)
    finish(box, "queued")
    box.turn.reboot()
    assert claim(box) is not None


def test_what_may_have_been_sent_waits_for_a_person(box: TestBox) -> None:
    ask(box)
    claim(box)
    finish(box, "ambiguous")
    box.turn.advance(HOUR_MS)
    assert claim(box) is None
    with pytest.raises(Invalid):
        finish(box, "sent")
    again = box.run(lambda unit: sms.resolve(unit, 1, "again", BADGE))
    assert (again.state, again.number) == ("queued", f"{NUMBER}1")
    claim(box)
    finish(box, "ambiguous")
    arrived = box.run(lambda unit: sms.resolve(unit, 1, "arrived", BADGE))
    assert (arrived.state, arrived.number) == ("sent", "")
    with pytest.raises(Invalid):
        box.run(lambda unit: sms.resolve(unit, 1, "again", BADGE))
    with pytest.raises(NotFound):
        box.run(lambda unit: sms.resolve(unit, 9, "again", BADGE))


def test_what_was_being_sent_when_the_desk_died_is_in_doubt(box: TestBox) -> None:
    ask(box, 1)
    ask(box, 2)
    claim(box)
    assert box.run(sms.recover) == 1
    assert states(box) == ["ambiguous", "queued"]


def test_a_copied_card_sends_nothing_that_waited_on_the_original(box: TestBox) -> None:
    ask(box)
    prepare(box.database, box.identity, SeededBytes(9), box.signer, bound_to="another board")
    assert claim(box) is None
    box.run(sweep)
    assert states(box) == ["ambiguous"]


def test_the_hour_has_its_quota_and_the_next_another(box: TestBox) -> None:
    for who in (1, 2, 3):
        ask(box, who)
    for message in (1, 2):
        assert claim(box, per_hour=2) is not None
        finish(box, "sent", message)
    assert claim(box, per_hour=2) is None
    box.turn.advance(HOUR_MS)
    assert claim(box, per_hour=2) is not None


def test_nobody_is_pestered_and_nobody_fills_the_queue(box: TestBox, monkeypatch: pytest.MonkeyPatch) -> None:
    for who in range(sms.PER_NUMBER_AND_HOUR):
        order = book(box, who)
        box.run(partial(sms.ask, order_id=order, number=NUMBER, text="x"))
    order = book(box, 8)
    with pytest.raises(LimitReached):
        box.run(lambda unit: sms.ask(unit, order, NUMBER, "x"))
    monkeypatch.setattr(sms, "MOST_WAITING", 3)
    with pytest.raises(LimitReached):
        box.run(lambda unit: sms.ask(unit, order, "01701111111", "x"))


def test_only_confirmed_orders_have_messages(box: TestBox) -> None:
    order = book(box)
    box.run(lambda unit: booking.cancel(unit, order))
    with pytest.raises(Invalid):
        box.run(lambda unit: sms.ask(unit, order, NUMBER, "x"))
    with pytest.raises(NotFound):
        box.run(lambda unit: sms.ask(unit, "nothing", NUMBER, "x"))


def test_what_was_cancelled_meanwhile_is_not_announced(box: TestBox) -> None:
    order = book(box, 1)
    box.run(lambda unit: sms.ask(unit, order, NUMBER, "x"))
    ask(box, 2)
    box.run(lambda unit: booking.cancel(unit, order))
    message = claim(box)
    assert message is not None
    assert message.id == 2
    assert states(box) == ["failed", "sending"]


def test_a_message_that_came_too_late_is_given_up_where_the_clock_is_trusted(box: TestBox) -> None:
    ask(box)
    box.turn.advance(4 * HOUR_MS)
    box.turn.trust(False)
    box.run(sweep)
    assert states(box) == ["queued"]
    box.turn.trust(True)
    assert claim(box) is None
    assert states(box) == ["failed"]


def test_numbers_are_wiped_after_some_days_and_rows_after_some_weeks(box: TestBox) -> None:
    ask(box)
    claim(box)
    finish(box, "ambiguous")
    box.turn.advance(2 * DAY_MS)
    box.run(sweep)
    assert box.look(sms.recent)[0].number
    box.turn.advance(DAY_MS)
    box.run(sweep)
    [wiped] = box.look(sms.recent)
    assert (wiped.number, wiped.text, wiped.state) == ("", "", "ambiguous")
    with pytest.raises(Invalid):
        box.run(lambda unit: sms.resolve(unit, 1, "again", BADGE))
    box.turn.advance(30 * DAY_MS)
    box.run(sweep)
    assert box.look(sms.recent) == ()


def test_an_erasure_by_number_or_order_reaches_the_queue(box: TestBox) -> None:
    ask(box, 1)
    ask(box, 2)
    order = book(box, 3)
    box.run(lambda unit: sms.ask(unit, order, f"{NUMBER}3", "x"))
    digest = contact_digest("salt", "+49 170 12345671")
    box.run(lambda unit: privacy.on_erase(unit, ErasePersonalData("e1", salt="salt", digest=digest)))
    box.run(lambda unit: privacy.on_erase(unit, ErasePersonalData("e2", order=order)))
    found = {each.id: (each.state, each.number, each.text) for each in box.look(sms.recent)}
    assert found == {1: ("failed", "", ""), 2: ("queued", f"{NUMBER}2", "Your code"), 3: ("failed", "", "")}


def test_an_erasure_while_it_is_being_sent_leaves_nothing_to_repeat(box: TestBox) -> None:
    ask(box)
    claim(box)
    digest = contact_digest("salt", f"{NUMBER}1")
    box.run(lambda unit: privacy.on_erase(unit, ErasePersonalData("e1", salt="salt", digest=digest)))
    assert finish(box, "queued").state == "failed"


def test_messages_are_offered_only_while_a_fresh_word_says_the_modem_is_ready(box: TestBox) -> None:
    assert not box.look(sms.offered)
    box.run(lambda unit: hardware.report(unit, "modem", "ready", "Registered.", unit.now.wall_ms))
    assert box.look(sms.offered)
    box.turn.advance(2 * MINUTE_MS)
    assert not box.look(sms.offered)
    box.run(lambda unit: hardware.report(unit, "modem", "degraded", "No network.", unit.now.wall_ms))
    assert not box.look(sms.offered)
