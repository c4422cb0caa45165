"""The pages behind a staff phone: who may send pictures, and where passkeys are spoken of at all."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from flask import Flask

from appliance.portal import WebSettings, create_app
from tests.appliance.portal.conftest import Phone, forms
from tests.appliance.web.test_frames import picture
from tests.support.box import BADGE, PIN, TestBox

SECURE = "https://hall.example.org"


@pytest.fixture
def app(tmp_path: Path, box: TestBox) -> Flask:
    """The portal of a venue that also has a secure address."""
    made = create_app(box, WebSettings(data=tmp_path, secure_url=SECURE))
    made.testing = True
    return made


def csrf_of(page: str) -> str:
    return next(fields["csrf"] for _action, fields in forms(page) if "csrf" in fields)


def test_a_picture_is_read_for_signed_in_staff_only(door: Phone, phone: Phone):
    fields = {"csrf": csrf_of(door.get("/staff/")), "frame": (BytesIO(picture("MQ1:ABC")), "frame.jpg")}
    answer = door.http.post("/staff/frames", data=fields)
    assert answer.json == {"code": "MQ1:ABC"}
    assert answer.headers["Cache-Control"] == "no-store"
    again = {"csrf": fields["csrf"], "frame": (BytesIO(picture("MQ1:ABC")), "frame.jpg")}
    assert door.http.post("/staff/frames", data=again).status_code == 429
    stranger = {"csrf": fields["csrf"], "frame": (BytesIO(picture("x")), "frame.jpg")}
    assert phone.http.post("/staff/frames", data=stranger).headers["Location"] == "/staff/sign-in"
    without = {"frame": (BytesIO(picture("x")), "frame.jpg")}
    assert door.http.post("/staff/frames", data=without).status_code == 403
    assert door.http.post("/staff/frames", data={"csrf": fields["csrf"]}).status_code == 422


def test_elsewhere_the_pages_say_where_camera_and_passkeys_work(door: Phone):
    page = door.get("/staff/")
    assert f'href="{SECURE}/staff/"' in page
    assert "camera-on" not in page
    assert "camera.js" not in page
    assert f'href="{SECURE}/staff/passkeys"' in door.get("/staff/passkeys")
    # Their questions are asked at the secure address only: a passkey belongs to its host.
    csrf = {"csrf": csrf_of(page)}
    assert door.http.post("/staff/passkeys/options", data=csrf).status_code == 404
    assert door.http.post("/staff/sign-in/passkey/options").status_code == 404


def test_at_the_secure_address_a_question_is_asked_and_names_the_host(app: Flask):
    door = app.test_client()
    page = door.get("/staff/sign-in", base_url=SECURE).text
    action, fields = forms(page)[0]
    door.post(action, data={**fields, "badge": BADGE, "pin": PIN}, base_url=SECURE)
    csrf = csrf_of(door.get("/staff/passkeys", base_url=SECURE).text)
    asked = door.post("/staff/passkeys/options", data={"csrf": csrf}, base_url=SECURE)
    assert asked.json["rp"] == {"name": "Marquee", "id": "hall.example.org"}
    assert asked.json["authenticatorSelection"]["userVerification"] == "required"
    assert door.post("/staff/passkeys/options", base_url=SECURE).status_code == 403
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    assert door.post("/staff/sign-in/passkey", base_url=SECURE, headers=elsewhere).status_code == 403
    refused = door.post("/staff/sign-in/passkey", data={"credential": "{}"}, base_url=SECURE)
    assert refused.status_code == 401
    assert "Sign in with badge and PIN" in refused.text
