"""The welcome page, what systems ask, and RFC 8908, as one phone after the other sees them."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from appliance.domain.clock import HOUR_MS
from appliance.portal import WebSettings, create_app
from appliance.services import captive
from appliance.services.sweep import sweep
from tests.support.box import TestBox

LEASES = "1800000000 02:00:00:00:00:07 192.168.4.7 phone *\n1800000000 02:00:00:00:00:08 192.168.4.8 other *\n"
PORTAL = "http://tickets.example"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UQ1A; wv) AppleWebKit/537.36 Version/4.0 Chrome/120 Mobile"
GOOGLE = "connectivitycheck.gstatic.com", "/generate_204"
APPLE = "captive.apple.com", "/hotspot-detect.html"


@pytest.fixture
def leases(tmp_path: Path) -> Path:
    path = tmp_path / "dnsmasq.leases"
    path.write_text(LEASES, encoding="utf-8")
    return path


@pytest.fixture
def hotspot(box: TestBox, tmp_path: Path, leases: Path) -> Flask:
    return create_app(box, WebSettings(tmp_path, leases_file=leases, public_url=PORTAL))


class Phone:
    """A phone on the hotspot, without cookies."""

    def __init__(self, app: Flask, address: str, agent: str = PIXEL) -> None:
        self.http: FlaskClient = app.test_client(use_cookies=False)
        self.where = {"environ_overrides": {"REMOTE_ADDR": address}}
        self.agent = agent

    def get(self, host: str, path: str):
        return self.http.get(path, headers={"Host": host, "User-Agent": self.agent}, **self.where)

    def post(self, path: str, host: str = "tickets.example", **form: str):
        return self.http.post(path, data=form, headers={"Host": host, "User-Agent": self.agent}, **self.where)

    def tap(self, go: str):
        return self.post("/welcome", go=go)

    def open(self, asked: tuple[str, str]) -> bool:
        answer = self.get(*asked)
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Strict-Transport-Security" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        if answer.status_code == 302:
            assert answer.headers["Location"] == f"{PORTAL}/welcome"
            return False
        return True


def test_a_phone_is_captive_until_its_owner_taps_and_others_stay_so(hotspot: Flask) -> None:
    mine, other = Phone(hotspot, "192.168.4.7"), Phone(hotspot, "192.168.4.8")
    assert not mine.open(APPLE)
    entered = mine.tap("enter")
    assert (entered.status_code, entered.headers["Location"]) == (303, "/")
    assert mine.open(APPLE)
    assert not mine.open(GOOGLE), "Android would close the window while somebody books"
    assert mine.tap("accept").headers["Location"] == "/welcome"
    assert mine.open(GOOGLE)
    assert mine.get(*GOOGLE).status_code == 204
    assert not other.open(APPLE)
    assert not other.open(GOOGLE)


def test_what_was_tapped_outlives_the_process_but_neither_the_lease_nor_the_boot(
    hotspot: Flask, box: TestBox, tmp_path: Path, leases: Path
) -> None:
    Phone(hotspot, "192.168.4.7").tap("accept")
    again = create_app(box, WebSettings(tmp_path, leases_file=leases, public_url=PORTAL))
    assert Phone(again, "192.168.4.7").open(GOOGLE)
    leases.write_text(LEASES.replace("192.168.4.7", "192.168.5.9"), encoding="utf-8")
    assert Phone(again, "192.168.5.9").open(GOOGLE), "the same phone under another address"
    assert not Phone(again, "192.168.4.7").open(GOOGLE), "another phone may get the address"
    box.turn.advance(12 * HOUR_MS)
    assert not Phone(again, "192.168.5.9").open(GOOGLE)
    Phone(again, "192.168.5.9").tap("accept")
    box.turn.reboot()
    assert not Phone(again, "192.168.5.9").open(GOOGLE)


def test_rows_are_swept_and_bounded(hotspot: Flask, box: TestBox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captive, "MOST_PHONES", 100)
    for number in range(150):
        box.turn.advance(10)
        box.run(lambda unit, name=f"phone {number}": captive.act(unit, name, "accept", HOUR_MS))  # type: ignore[misc]
    assert box.look(lambda unit: captive.standing(unit, "phone 149")).state == "accepted"
    assert box.look(lambda unit: captive.standing(unit, "phone 0")).state == "captive"
    with box.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM hotspot_phone").scalar() <= 100
    box.turn.advance(HOUR_MS)
    box.run(sweep)
    with box.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM hotspot_phone").scalar() == 0


def test_the_captive_portal_api_tells_each_phone_how_it_is(hotspot: Flask) -> None:
    def asked(agent: str) -> dict:
        answer = Phone(hotspot, "192.168.4.7", agent).get("tickets.example", "/.well-known/captive-portal")
        assert answer.content_type == "application/captive+json"
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.get_json()

    first = asked(PIXEL)
    assert first == {
        "captive": True,
        "user-portal-url": f"{PORTAL}/welcome",
        "venue-info-url": f"{PORTAL}/",
        "can-extend-session": True,
        "x-android-use-custom-tabs": 361335020,
    }
    Phone(hotspot, "192.168.4.7").tap("enter")
    assert asked(PIXEL)["captive"] is True
    assert asked("CaptiveNetworkSupport-433.0.0.0.2 wispr")["captive"] is False
    Phone(hotspot, "192.168.4.7").tap("accept")
    assert asked(PIXEL)["captive"] is False
    assert asked(PIXEL)["seconds-remaining"] == 12 * 3600


def test_with_https_the_api_names_the_address_phones_can_trust(box: TestBox, tmp_path: Path, leases: Path) -> None:
    web = WebSettings(tmp_path, leases_file=leases, public_url=PORTAL, secure_url="https://v7.example.org")
    answer = Phone(create_app(box, web), "192.168.4.7").get("v7.example.org", "/.well-known/captive-portal").get_json()
    assert answer["user-portal-url"] == "https://v7.example.org/welcome"


def test_a_post_to_a_name_of_others_changes_nothing_and_leads_nowhere(hotspot: Flask, box: TestBox) -> None:
    phone = Phone(hotspot, "192.168.4.7")
    answer = phone.post("/welcome", host="captive.apple.com", go="accept")
    assert (answer.status_code, answer.content_type) == (511, "text/plain")
    assert "Location" not in answer.headers
    assert not phone.open(GOOGLE)
    assert phone.get("captive.apple.com", "/metrics").status_code == 302, "no page of ours under a name of others"


def test_without_a_portal_address_no_name_is_answered_for(box: TestBox, tmp_path: Path) -> None:
    app = create_app(box, WebSettings(tmp_path))
    assert Phone(app, "192.168.4.7").get(*APPLE).status_code == 404
    assert "About this Wi-Fi" not in Phone(app, "192.168.4.7").get("localhost", "/").text


@pytest.mark.parametrize(
    ("agent", "words", "button"),
    [(IPHONE, "tap Done at the top", False), (PIXEL, "turn mobile data off", True), ("", "turn mobile data off", True)],
)
def test_the_welcome_page_says_what_helps_on_this_phone(hotspot: Flask, agent: str, words: str, button: bool) -> None:
    page = Phone(hotspot, "192.168.4.7", agent).get("tickets.example", "/welcome")
    assert page.status_code == 200
    assert "This Wi-Fi has no internet" in page.text
    assert words in page.text
    assert ("stay connected without internet" in page.text) is button
    assert "tickets.example" in page.text
    assert "<script" not in page.text


def test_pages_of_a_hotspot_lead_back_to_the_welcome_page(hotspot: Flask) -> None:
    assert 'href="/welcome"' in Phone(hotspot, "192.168.4.7").get("tickets.example", "/").text
