"""Until a device is set up every page leads to one that says how far it is; then the same process is the portal."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from flask import Flask
from werkzeug.test import Client

from appliance.domain.pins import hash_pin
from appliance.domain.setup import WORDS, Setup, Step
from appliance.services.setting_up import write_setup
from appliance.setup import UntilSetUp, create_app
from appliance.web.languages import LANGUAGES

PROBLEM = "wifi.country: is no country; write the two letters of ISO 3166, such as DE"
PIN = hash_pin("4711", bytes(16))


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def app(tmp_path: Path, clock: list[float]) -> Flask:
    return create_app(tmp_path, public_url="http://tickets.home.arpa", clock=lambda: clock[0])


def test_every_page_leads_here_and_machines_are_told_to_wait(app: Flask) -> None:
    """So a captive window finds it, whatever its system asks for."""
    client = app.test_client()
    for path in ("/", "/generate_204", "/hotspot-detect.html", "/events/x", "/staff/"):
        for answer in (client.get(path), client.post(path)):
            assert (answer.status_code, answer.location) == (302, "http://tickets.home.arpa/setup")
    assert client.get("/?lang=ar").location == "http://tickets.home.arpa/setup?lang=ar"
    assert client.get("/api/v1/events").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").json == {"status": "not_ready", "checks": {"setup": "no_file"}}


@pytest.mark.parametrize("step", get_args(Step))
def test_each_state_has_its_own_words_in_every_language(app: Flask, tmp_path: Path, step: Step) -> None:
    """What it is and what to do; nothing is missing, and console and paper have words of it too."""
    write_setup(tmp_path, Setup(step, (PROBLEM,), "hall-1", "hall"))
    pages = {code: app.test_client().get(f"/setup?lang={code}").text for code in LANGUAGES}
    assert len(set(pages.values())) == len(LANGUAGES)
    for code, page in pages.items():
        assert f'lang="{code}"' in page
        assert PROBLEM in page
        assert "hall-1" in page
    assert all(WORDS[step][0])


def test_particulars_need_the_pin_where_the_file_has_one(app: Flask, tmp_path: Path, clock: list[float]) -> None:
    """And guessing is slow; the sentence that says what to do is for everybody."""
    write_setup(tmp_path, Setup("token_refused", ("this token expired on 2026-01-01",), "hall-1", "hall", PIN))
    client = app.test_client()
    page = client.get("/setup")
    assert page.headers["Cache-Control"] == "no-store"
    assert "The central office refuses" in page.text
    assert "expired on" not in page.text
    assert PIN not in page.text
    assert "expired on" in client.post("/setup", data={"pin": "4711"}).text
    for _ in range(5):
        assert "That PIN is wrong" in client.post("/setup", data={"pin": "1234"}).text
    assert "Too many wrong PINs" in client.post("/setup", data={"pin": "4711"}).text
    clock[0] += 301
    assert "expired on" in client.post("/setup", data={"pin": "4711"}).text
    assert client.post("/setup", data={"pin": "4711"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


def test_the_same_process_becomes_the_portal(app: Flask, tmp_path: Path) -> None:
    """As soon as the state says so, once, without a restart."""
    made: list[Flask] = []

    def load() -> Flask:
        made.append(Flask("portal"))
        made[0].add_url_rule("/", "start", lambda: "programme")
        return made[0]

    client = Client(UntilSetUp(tmp_path, app, load))
    write_setup(tmp_path, Setup("unreachable"))
    assert client.get("/").status_code == 302
    write_setup(tmp_path, Setup("done", (), "hall-1"))
    assert [client.get("/").text for _ in range(2)] == ["programme"] * 2
    assert len(made) == 1
