"""Tokens of the edge gateway: one audience, one purpose, one date; good at every venue as far as it can know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import Invalid, NotFound, Unauthorised
from appliance.services import booking, finding, gateway, staff, switches, sync
from appliance.services.rotation import rotate_key
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.protocol import badges
from mqtt_bridge.protocol.badges import BadgeClaims
from mqtt_bridge.protocol.messages import KeyDirectory, RevokedBadge
from tests.support.box import ADULT, BADGE, PIN, ROOM, TONIGHT, TestBox, TestKey, guest, make_box


def booked(box: TestBox, ticket_type: str = ADULT) -> str:
    held = box.run(lambda unit: booking.place_hold(unit, guest(), [booking.Item(ticket_type, 2)]))
    return box.run(lambda unit: booking.confirm(unit, held.id)).id


def token(box: TestBox, order: str, audience: str = "viewer", date: str = TONIGHT) -> str:
    return box.look(lambda unit: gateway.issue(unit, order, date, audience)).token  # type: ignore[arg-type]


def bearer(box: TestBox, text: str) -> gateway.Bearer | None:
    return box.look(lambda unit: gateway.bearer_of(unit, text))


@pytest.fixture
def south(tmp_path: Path) -> TestBox:
    return make_box(tmp_path, venue="south", seed=2)


def test_a_token_says_its_audience_purpose_and_date_and_is_good_for_minutes_of_this_boot(box):
    text = token(box, booked(box))
    found = bearer(box, text)
    assert found is not None
    assert (found.audience, found.purpose, found.event_session) == ("viewer", "watch", TONIGHT)
    box.turn.advance(15 * MINUTE_MS - 1)
    assert bearer(box, text) is not None
    box.turn.advance(1)
    assert bearer(box, text) is None


def test_the_wall_clock_neither_lengthens_nor_shortens_it_and_a_restart_ends_it(box):
    text = token(box, booked(box))
    box.turn.now = replace(box.turn.now, wall_ms=0)
    assert bearer(box, text) is not None
    box.turn.trust(trusted=False)
    assert bearer(box, text) is not None
    box.turn.reboot()
    assert bearer(box, text) is None


def test_only_an_order_with_a_ticket_that_is_good_for_the_date_gets_one(box):
    order = booked(box)
    with pytest.raises(NotFound):
        token(box, "x" * 26)
    with pytest.raises(Invalid):
        token(box, order, date="s_other")
    box.run(lambda unit: booking.cancel(unit, order))
    with pytest.raises(Invalid):
        token(box, order)


def test_cancelling_ends_the_tokens_of_its_tickets_at_once(box):
    order = booked(box)
    text = token(box, order)
    box.run(lambda unit: booking.cancel(unit, order))
    assert bearer(box, text) is None


@pytest.mark.parametrize("position", [5, 60, -20])
def test_an_altered_token_is_nobodys(box, position):
    text = token(box, booked(box))
    letter = "A" if text[position] != "A" else "B"
    assert (
        bearer(box, text[:position] + letter + text[len(text) + position + 1 if position < 0 else position + 1 :])
        is None
    )
    assert bearer(box, text[:40]) is None
    assert bearer(box, "MQT1..") is None


def test_one_can_be_revoked_by_itself_by_serial_or_with_its_ticket(box):
    order = booked(box)
    first, second = token(box, order), token(box, order)
    box.run(lambda unit: gateway.revoke(unit, first, "operator"))
    assert bearer(box, first) is None
    held = bearer(box, second)
    assert held is not None
    code = box.look(lambda unit: booking.find_order(unit, order)).tickets
    mine = next(each.code for each in code if each.id == held.subject)
    box.run(lambda unit: gateway.revoke(unit, mine, "operator"))
    assert bearer(box, second) is None
    with pytest.raises(NotFound):
        box.run(lambda unit: gateway.revoke(unit, "nonsense", "operator"))


def test_elsewhere_it_is_bound_to_its_date_and_with_a_doubtful_clock_to_staffs_switch(box, south):
    """North's device cannot measure south's boot-time: the open door of the date decides."""
    south.meet(box)
    box.meet(south)
    order = sold_by(south)
    text = token(south, order, "attendee")
    found = bearer(box, text)
    assert found is not None
    assert found.audience == "attendee"
    south.turn.advance(HOUR_MS)
    assert bearer(south, text) is None
    assert bearer(box, text) is not None
    box.turn.trust(trusted=False)
    assert bearer(box, text) is None
    box.run(lambda unit: switches.set_door(unit, TONIGHT, "open", BADGE))
    assert bearer(box, text) is not None
    box.turn.trust(trusted=True)
    box.run(lambda unit: switches.set_door(unit, TONIGHT, None, BADGE))
    box.turn.advance(5 * HOUR_MS)
    assert bearer(box, text) is None


def sold_by(seller: TestBox) -> str:
    """An order of ``seller`` for tonight, which north hosts."""
    seller.grant({ROOM: 4})
    return booked(seller, ADULT)


def test_elsewhere_it_needs_a_key_that_is_known_and_not_lost(box, south):
    order = sold_by(south)
    text = token(south, order)
    assert bearer(box, text) is None
    box.meet(south)
    assert bearer(box, text) is not None
    lost = box.look(lambda unit: finding.key_of(unit, south.signer.kid))
    assert lost is not None
    gone = KeyDirectory(2, (msgspec.structs.replace(lost, sealed=True),))
    box.run(lambda unit: sync.apply_keys(unit, gone))
    assert bearer(box, text) is None


def test_after_the_devices_key_was_rotated_old_tokens_live_on_and_new_ones_are_signed_with_the_new_key(box, tmp_path):
    key = KeyFile(tmp_path / "device.pem")
    office = replace(box, signer=key)
    order = booked(office)
    office.meet()
    before = token(office, order)
    rotate_key(office, key)
    after = token(office, order)
    assert bearer(office, before) is not None
    assert bearer(office, after) is not None
    assert before.rsplit(".", 1)[1][:10] != after.rsplit(".", 1)[1][:10]


def test_a_device_cannot_speak_for_another_one(box, south):
    """A key proves only its own device: what it signs under another name is nobody's."""
    box.meet(south)
    order = sold_by(south)
    honest = token(south, order)
    other = make_impostor(south)
    forged = token(other, order)
    assert bearer(box, honest) is not None
    assert bearer(box, forged) is None


def make_impostor(south: TestBox) -> TestBox:
    return replace(south, identity=replace(south.identity, device="north-1"))


def test_staff_sign_ins_are_tokens_under_the_same_roof_but_only_where_they_were_made(box, south):
    text = staff.sign_in(box, BADGE, PIN, "10.0.0.7").token
    assert bearer(box, text) == gateway.Bearer("staff", "desk", BADGE)
    assert bearer(south, text) is None
    box.run(lambda unit: staff.sign_out(unit, text))
    assert bearer(box, text) is None


def test_one_badge_signs_in_at_every_venue_offline_and_a_lost_one_at_none(box, south):
    """No venue asks anybody: the key directory they heard once is enough."""
    cloud = TestKey(b"c" * 32)
    card = badges.issue(BadgeClaims(BADGE, "00" * 8), cloud)
    for each in (box, south):
        each.run(lambda unit: sync.apply_keys(unit, KeyDirectory(1, (), (cloud.public.hex(),))))
        assert not each.look(lambda unit: unit.device.link_up)
        text = staff.sign_in(each, card, PIN, "10.0.0.7").token
        assert bearer(each, text) == gateway.Bearer("staff", "desk", BADGE)
    for each in (box, south):
        lost = KeyDirectory(2, (), (cloud.public.hex(),), (RevokedBadge("00" * 8, BADGE),))
        each.run(lambda unit, lost=lost: sync.apply_keys(unit, lost))
        with pytest.raises(Unauthorised):
            staff.sign_in(each, card, PIN, "10.0.0.7")
