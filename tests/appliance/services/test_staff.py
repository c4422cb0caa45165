from __future__ import annotations

import threading

import pytest

from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import LimitReached, Refusal, Unauthorised
from appliance.domain.pins import verify_pin
from appliance.services import staff, sweep
from appliance.store.tables import audit, staff_token
from tests.support.box import BADGE, PIN, TestBox


def sign_in(box: TestBox, badge: str = BADGE, pin: str = PIN, address: str = "10.0.0.7"):
    return staff.sign_in(box, badge, pin, address)


def audited(box: TestBox) -> list[tuple[str, str]]:
    with box.database.read() as db:
        return [(row.who, row.action) for row in db.execute(audit.select())]


def test_badge_and_pin_give_a_token_that_is_stored_only_as_a_hash(box):
    token = sign_in(box)
    assert (token.badge, token.name, token.expires_in_s) == (BADGE, "Ada", 8 * 3600)
    assert box.look(lambda unit: staff.authenticate(unit, token.token)).badge == BADGE
    with box.database.read() as db:
        rows = repr(list(db.execute(staff_token.select())))
    assert token.token not in rows
    assert token.token not in repr(audited(box))


def test_a_token_ends_after_eight_hours_a_reboot_or_signing_out(box):
    first, second, third = sign_in(box), sign_in(box), sign_in(box)
    box.run(lambda unit: staff.sign_out(unit, first.token))
    with pytest.raises(Unauthorised):
        box.look(lambda unit: staff.authenticate(unit, first.token))
    box.turn.advance(8 * HOUR_MS)
    with pytest.raises(Unauthorised):
        box.look(lambda unit: staff.authenticate(unit, second.token))
    box.turn.reboot()
    with pytest.raises(Unauthorised):
        box.look(lambda unit: staff.authenticate(unit, third.token))
    box.run(sweep.sweep)
    with box.database.read() as db:
        assert list(db.execute(staff_token.select())) == []


@pytest.mark.parametrize(("badge", "pin"), [(BADGE, "0000"), ("Z9", PIN), ("S1", PIN), ("", ""), (BADGE, "\ud800")])
def test_a_wrong_badge_pin_or_venue_is_unauthorised_and_audited(box, badge, pin):
    with pytest.raises(Unauthorised):
        sign_in(box, badge, pin)
    assert audited(box)[-1] == (badge if badge == BADGE else "unknown", "sign_in_failed")


def test_wrong_pins_are_limited_per_badge_even_for_the_right_one(box):
    for number in range(5):
        with pytest.raises(Unauthorised):
            sign_in(box, pin="wrong", address=f"10.0.0.{number}")
    with pytest.raises(LimitReached) as refusal:
        sign_in(box)
    assert refusal.value.status == 429
    box.turn.advance(5 * MINUTE_MS)
    assert sign_in(box).badge == BADGE


def test_wrong_pins_are_limited_per_address_whatever_the_badge(box):
    for number in range(20):
        with pytest.raises(Unauthorised):
            sign_in(box, badge=f"B{number}", pin="wrong")
    with pytest.raises(LimitReached):
        sign_in(box)
    assert sign_in(box, address="10.0.0.8").badge == BADGE


def test_going_on_after_too_many_wrong_pins_is_audited_once_per_address_and_window(box):
    for _ in range(12):
        with pytest.raises(Refusal):
            sign_in(box, pin="wrong")
    assert audited(box) == [(BADGE, "sign_in_failed")] * 5 + [(BADGE, "sign_in_limited")]
    commits = box.database.commits
    with pytest.raises(LimitReached):
        sign_in(box, pin="wrong")
    assert box.database.commits == commits


def test_right_pins_are_not_counted(box):
    for _ in range(8):
        sign_in(box)
    assert audited(box) == [(BADGE, "sign_in")] * 8


def test_wrong_pins_tried_at_once_are_limited_too(box):
    answers = []

    def attempt() -> None:
        try:
            sign_in(box, pin="wrong")
        except Refusal as refusal:
            answers.append(refusal.problem)

    threads = [threading.Thread(target=attempt) for _ in range(12)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert sorted(answers) == ["limit-reached"] * 7 + ["unauthorised"] * 5


def test_a_slow_pin_holds_up_nobodys_write(box, monkeypatch):
    def slow(pin: str, stored: str) -> bool:
        assert box.run(lambda unit: unit.secret())
        return verify_pin(pin, stored)

    monkeypatch.setattr(staff, "verify_pin", slow)
    written = threading.Thread(target=sign_in, args=(box,))
    written.start()
    written.join(20)
    assert audited(box) == [(BADGE, "sign_in")]


def test_a_token_can_be_granted_for_a_while(box):
    box.run(lambda unit: staff.grant_token(unit, "demo", "demo", "Demo", 60))
    assert box.look(lambda unit: staff.authenticate(unit, "demo")).name == "Demo"
    box.turn.advance(60_000)
    with pytest.raises(Unauthorised):
        box.look(lambda unit: staff.authenticate(unit, "demo"))
