"""Badges on pages: into the field, or scanned at a lane and taken over."""

from __future__ import annotations

from flask import Flask

from appliance.services import staff_badges, sync
from mqtt_bridge.protocol import badges
from mqtt_bridge.protocol.badges import BadgeClaims
from mqtt_bridge.protocol.messages import KeyDirectory
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import BADGE, PIN, TestBox, TestKey

CLOUD = TestKey(b"c" * 32)
TEXT = badges.issue(BadgeClaims(BADGE, "00" * 8), CLOUD)


def know(box: TestBox) -> None:
    box.run(lambda unit: sync.apply_keys(unit, KeyDirectory(1, (), (CLOUD.public.hex(),))))


def test_a_badge_scanned_into_the_field_signs_in_and_is_never_shown_again(app: Flask, box: TestBox):
    know(box)
    door = Phone(app, cookies=True)
    page = door.send(door.get("/staff/sign-in"), "", badge=TEXT, pin="0000")
    assert door.status == 401
    assert TEXT[:20] not in page
    door.send(page, "", badge=TEXT, pin=PIN)
    assert door.path == "/staff/"


def test_a_badge_scanned_at_a_lane_is_offered_and_asks_for_the_pin(app: Flask, box: TestBox):
    know(box)
    door = Phone(app, cookies=True)
    assert "just scanned" not in door.get("/staff/sign-in")
    box.run(lambda unit: staff_badges.note_seen(unit, TEXT, "north <door>"))
    page = door.get("/staff/sign-in")
    assert "north &lt;door&gt;" in page
    assert BADGE not in page
    door.send(page, "", badge="", pin=PIN)
    assert door.path == "/staff/"


def test_a_badge_is_printed_from_its_text(door: Phone, box: TestBox):
    know(box)
    page = door.get("/staff/more")
    assert any("/staff-badges" in where for where, _fields in forms(page))
    door.send(page, "/staff-badges", text="MQB1:NONSENSE")
    assert door.status == 422
    for _ in range(2):
        door.send(page, "/staff-badges", text=TEXT)
    with box.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM print_job WHERE kind = 'staff_badge'").scalar() == 1
