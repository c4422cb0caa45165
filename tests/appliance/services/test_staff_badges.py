"""Signing in by badge: offline, with the PIN all the same, and never with one that was lost."""

from __future__ import annotations

import msgspec
import pytest

from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import Invalid, LimitReached, Unauthorised
from appliance.domain.printing import StaffBadge, decode
from appliance.services import printing, staff, staff_badges, sweep, sync
from mqtt_bridge.protocol import badges
from mqtt_bridge.protocol.badges import BadgeClaims
from mqtt_bridge.protocol.messages import KeyDirectory, RevokedBadge
from tests.support.box import BADGE, PIN, TestBox, TestKey, example_catalogue

CLOUD = TestKey(b"c" * 32)
SERIAL, OTHER = "00" * 8, "11" * 8
TEXT = badges.issue(BadgeClaims(BADGE, SERIAL), CLOUD)


@pytest.fixture
def told(box: TestBox) -> TestBox:
    """A device that has heard the key directory once; its catalogue asks Ada for her card."""
    tell(box)
    plain = example_catalogue(version=2)
    ada = msgspec.structs.replace(plain.staff[0], card=True)
    box.run(lambda unit: sync.apply_catalogue(unit, msgspec.structs.replace(plain, staff=(ada, *plain.staff[1:]))))
    return box


def tell(box: TestBox, *lost: str, revision: int = 1) -> None:
    gone = tuple(RevokedBadge(serial, BADGE) for serial in lost)
    directory = KeyDirectory(revision, (), (CLOUD.public.hex(),), gone)
    box.run(lambda unit: sync.apply_keys(unit, directory))


def sign_in(box: TestBox, badge: str = TEXT, pin: str = PIN) -> str:
    return staff.sign_in(box, badge, pin, "10.0.0.7").token


def test_the_card_and_the_pin_sign_in_without_any_link(told):
    assert told.look(lambda unit: unit.device.link_up) is False
    token = sign_in(told)
    assert told.look(lambda unit: staff.authenticate(unit, token)).badge == BADGE


@pytest.mark.parametrize(
    ("badge", "pin"),
    [
        (TEXT, "0000"),
        (BADGE, PIN),
        (TEXT[:-1] + ("0" if TEXT[-1] != "0" else "1"), PIN),
        (badges.issue(BadgeClaims(BADGE, SERIAL), TestKey(b"x" * 32)), PIN),
        (badges.issue(BadgeClaims("Z9", SERIAL), CLOUD), PIN),
        (badges.issue(BadgeClaims("S1", SERIAL), CLOUD), "x"),
        ("MQB1:", PIN),
    ],
)
def test_nothing_less_does(told, badge, pin):
    """A wrong PIN, a typed name, an altered card, a foreign key, nobody's, another venue's, an empty one."""
    with pytest.raises(Unauthorised):
        sign_in(told, badge, pin)


def test_who_needs_no_card_may_use_either(box):
    tell(box)
    assert sign_in(box) != sign_in(box, BADGE)


def test_a_lost_badge_ends_its_sign_ins_and_opens_nothing_while_another_one_does(told):
    token = sign_in(told)
    tell(told, SERIAL, revision=2)
    with pytest.raises(Unauthorised):
        told.look(lambda unit: staff.authenticate(unit, token))
    with pytest.raises(Unauthorised):
        sign_in(told)
    assert sign_in(told, badges.issue(BadgeClaims(BADGE, OTHER), CLOUD))


def test_what_was_revoked_stays_so_whatever_is_told_later(told):
    tell(told, SERIAL, revision=2)
    token = sign_in(told, badges.issue(BadgeClaims(BADGE, OTHER), CLOUD))
    tell(told, revision=3)
    tell(told, SERIAL, revision=4)
    with pytest.raises(Unauthorised):
        sign_in(told)
    assert told.look(lambda unit: staff.authenticate(unit, token)).badge == BADGE


def test_wrong_pins_count_for_card_and_name_together(box):
    tell(box)
    for badge in (TEXT, BADGE, TEXT, BADGE, TEXT):
        with pytest.raises(Unauthorised):
            sign_in(box, badge, "0000")
    with pytest.raises(LimitReached):
        sign_in(box)


def test_a_badge_read_at_a_lane_is_good_for_one_sign_in_within_a_minute(told):
    assert told.run(lambda unit: staff_badges.note_seen(unit, TEXT, "door"))
    [seen] = told.look(staff_badges.seen)
    assert (seen.lane, BADGE in repr(seen)) == ("door", False)
    text = told.look(lambda unit: staff_badges.text_of_seen(unit, seen.id))
    sign_in(told, text)
    assert told.look(staff_badges.seen) == ()
    told.run(lambda unit: staff_badges.note_seen(unit, TEXT, "door"))
    told.turn.advance(MINUTE_MS + 1)
    assert told.look(staff_badges.seen) == ()
    told.run(sweep.sweep)
    with told.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM badge_seen").scalar() == 0


def test_a_bad_badge_at_a_lane_is_not_kept(told):
    tell(told, SERIAL, revision=2)
    assert not told.run(lambda unit: staff_badges.note_seen(unit, TEXT, "door"))
    assert told.look(staff_badges.seen) == ()


def test_a_good_badge_is_printed_to_wear_and_no_other(told):
    told.run(lambda unit: staff_badges.print_badge(unit, TEXT.lower(), BADGE))
    job = told.run(printing.claim)
    assert decode(job.document) == StaffBadge("North Hall", "Ada", BADGE, TEXT)
    with pytest.raises(Invalid):
        told.run(lambda unit: staff_badges.print_badge(unit, "MQB1:X", BADGE))
