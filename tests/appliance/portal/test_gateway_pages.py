"""What the proxy learns about a request before it serves something itself."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from appliance.portal import WebSettings, create_app, staff
from appliance.store import tables
from tests.appliance.portal.conftest import Phone
from tests.support.box import TONIGHT, TestBox


def ask(app: Flask, uri: str, method: str = "GET", cookie: str = "", bearer: str = "") -> TestResponse:
    """What nginx sends for ``auth_request``."""
    headers = {"X-Original-URI": uri, "X-Original-Method": method}
    headers |= {"Cookie": f"staff={cookie}"} if cookie else {}
    headers |= {"Authorization": f"Bearer {bearer}"} if bearer else {}
    return app.test_client(use_cookies=False).get("/internal/token", headers=headers)


@pytest.fixture
def order(app: Flask, phone: Phone) -> tuple[str, str]:
    """(page that manages, page that shows) of an order."""
    page = phone.book()
    shared = re.search(r'href="http://localhost(/tickets/[^"]+)"', page)
    assert shared is not None
    return phone.path, shared[1]


def test_who_it_is_comes_back_in_headers_and_is_never_kept(app: Flask, door: Phone):
    cookie = door.http.get_cookie("staff", path="/staff")
    assert cookie is not None
    answer = ask(app, "/staff/orders?q=x", cookie=cookie.value)
    assert (answer.status_code, answer.headers["Marquee-Audience"]) == (204, "staff")
    assert answer.headers["Marquee-Subject"] == "A7"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.data == b""
    assert ask(app, "/staff/orders", bearer=cookie.value).status_code == 204


def test_without_a_token_401_with_another_ones_403(app: Flask, order: tuple[str, str]):
    manage, view = order
    for where in ("/staff/", "/live/nonsense/a.m3u8", "/tickets/nonsense"):
        answer = ask(app, where)
        assert (answer.status_code, answer.headers["Marquee-Audience"]) == (401, "")
    assert ask(app, "/staff/", bearer=manage.rsplit("/", 1)[1]).status_code == 403
    assert ask(app, view.replace("/tickets", "/live") + "/a.m3u8").status_code == 403
    assert ask(app, "/").status_code == 403


def test_an_address_that_only_shows_lets_nobody_act(app: Flask, order: tuple[str, str]):
    manage, view = order
    assert ask(app, manage).status_code == ask(app, view).status_code == 204
    assert ask(app, f"{manage}/cancel", "POST").status_code == 204
    assert ask(app, f"{view}/cancel", "POST").status_code == 403
    assert ask(app, f"{view}/cancel").status_code == 403
    assert ask(app, view, "POST").status_code == 403


def test_whose_it_is_never_tells_the_id_that_acts(app: Flask, box: TestBox, order: tuple[str, str]):
    answer = ask(app, order[0])
    with box.database.read() as db:
        (row,) = db.execute(tables.order.select()).all()
    assert re.fullmatch("[a-z2-7]{26}", answer.headers["Marquee-Subject"])
    assert row.id not in str(answer.headers)


def test_the_api_gives_a_viewers_token_that_opens_one_stream_and_ends_when_given_up(app: Flask, box: TestBox):
    http = app.test_client()
    phone = Phone(app)
    phone.book()
    with box.database.read() as db:
        (row,) = db.execute(tables.order.select()).all()
    body = {"order": row.id, "event_session": TONIGHT, "audience": "viewer"}
    made = http.post("/api/v1/tokens", json=body)
    assert made.status_code == 201
    assert made.json is not None
    assert (made.json["purpose"], made.json["expires_in"]) == ("watch", 900)
    token = made.json["token"]
    assert row.id not in token
    answer = ask(app, f"/live/{token}/index.m3u8")
    assert (answer.status_code, answer.headers["Marquee-Audience"]) == (204, "viewer")
    assert ask(app, "/staff/", bearer=token).status_code == 403
    assert (
        http.post("/api/v1/check-ins", json={"code": "x"}, headers={"Authorization": f"Bearer {token}"}).status_code
        == 401
    )
    assert http.delete("/api/v1/tokens", headers={"Authorization": f"Bearer {token}"}).status_code == 204
    assert ask(app, f"/live/{token}/index.m3u8").status_code == 401
    assert http.delete("/api/v1/tokens", headers={"Authorization": f"Bearer {token}"}).status_code == 401
    other = http.post("/api/v1/tokens", json=body | {"audience": "attendee"})
    assert other.json is not None
    assert ask(app, f"/live/{other.json['token']}/index.m3u8").status_code == 403


def test_only_the_proxy_is_answered(tmp_path: Path, box: TestBox):
    behind = create_app(box, WebSettings(data=tmp_path, behind_proxy=True))
    headers = {"X-Original-URI": "/staff/", "X-Forwarded-For": "10.0.0.9", "X-Forwarded-Host": "box.example"}
    http = behind.test_client()
    assert http.get("/internal/token", headers=headers).status_code == 401
    for address in ("10.0.0.9", "192.168.4.20"):
        found = http.get("/internal/token", headers=headers, environ_overrides={"REMOTE_ADDR": address})
        assert found.status_code == 404
    assert http.get("/internal/token").status_code == 404


def test_the_gateway_opens_exactly_the_staff_pages_that_the_portal_opens_to_all(app: Flask):
    differ = []
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/staff"):
            where = re.sub("<[^>]+>", "1", rule.rule)
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                is_open = ask(app, where, method).status_code == 204
                if is_open != (rule.endpoint in staff.OPEN_TO_ALL):
                    differ.append((method, where))
    assert differ == []


def test_every_page_with_a_token_in_its_address_needs_that_token(app: Flask, order: tuple[str, str], phone: Phone):
    """And an address that the gateway does not know is closed."""
    for rule in app.url_map.iter_rules():
        if "<token>" in rule.rule and not rule.rule.startswith("/staff"):
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                assert ask(app, re.sub("<[^>]+>", "nonsense", rule.rule), method).status_code in {401, 403}, rule.rule
