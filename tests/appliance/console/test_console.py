"""The operator sees everything, nobody else anything."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from appliance.console import create_app
from appliance.console.shown import age, moment
from mqtt_bridge.cloud.store import alarms as found_alarms
from mqtt_bridge.cloud.store import register_device
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.messages import HardwareReport, HardwareState, OfferMade, WaitlistJoined, Wish
from mqtt_bridge.protocol.running import Running, piece_of
from tests.appliance.console.conftest import TOKEN
from tests.mqtt_bridge.cloud.world import START_MS, World

BEARER = {"Authorization": f"Bearer {TOKEN}"}
FIELDS = ["venue", "device", "granted", "confirmed", "returned", "sold", "cancelled", "held", "unsynced", "last_seen"]


@pytest.mark.parametrize("path", ["/", "/devices", "/alarms"])
def test_a_stranger_is_sent_to_the_sign_in(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer no"}, {"Authorization": "Basic eDp5"}])
def test_the_api_wants_an_operators_bearer(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get("/api/v1/stock", headers=headers)
    assert answer.status_code == 401
    assert answer.content_type == "application/problem+json"
    assert answer.json["type"] == "/problems/unauthorised"


def test_stock_has_exactly_the_promised_fields_and_conserves_tickets(world: World, client: FlaskClient) -> None:
    register_device(world.database, "yard-1", "yard", 0)
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 3))
    hall.held = 2
    hall.status(world, unsynced=4)
    world.run()
    (quota,) = client.get("/api/v1/stock", headers=BEARER).json
    assert list(quota) == [
        "ticket_types",
        "quota",
        "limit",
        "extra",
        "pool",
        "devices",
        "waiting",
        "in_doubt",
        "released",
    ]
    assert [list(each) for each in quota["devices"]] == [FIELDS, FIELDS]
    assert (quota["ticket_types"], quota["quota"], quota["limit"], quota["extra"]) == (["t"], "q", 25, 0)
    assert quota["devices"][0] == {
        "venue": "hall",
        "device": "hall-1",
        "granted": 11,
        "confirmed": 0,
        "returned": 0,
        "sold": 3,
        "cancelled": 0,
        "held": 2,
        "unsynced": 4,
        "last_seen": "2023-11-14T22:13:21Z",
    }
    assert quota["devices"][1]["last_seen"] is None
    out = sum(each["granted"] - each["returned"] + each["confirmed"] for each in quota["devices"])
    assert quota["pool"] + out == quota["limit"] + quota["extra"]


def test_stock_of_an_earlier_life_still_counts(world: World, client: FlaskClient) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 3))
    hall.inc, hall.seq, hall.epoch = "life-2", 0, 0
    hall.hello(world)
    world.run()
    (quota,) = client.get("/api/v1/stock", headers=BEARER).json
    assert quota["devices"][0]["sold"] == 3
    assert quota["pool"] + quota["devices"][0]["granted"] == 25


def test_the_stock_page_shows_figures_bars_and_the_state_of_each_link(world: World, operator: FlaskClient) -> None:
    hall = world.add("hall-1", "hall")
    register_device(world.database, "yard-1", "yard", 0)
    world.tell(hall, hall.sell("o1", 3))
    page = operator.get("/").text
    assert "One Night" in page
    assert "<b>3</b> sold" in page
    assert 'aria-label="hall-1: 3 sold, 19 free"' in page
    assert 'title="link up"' in page
    assert "never connected" in page
    world.now_ms += 60_000
    assert 'title="link down"' in operator.get("/").text
    assert "60 s ago" in operator.get("/").text


def test_only_an_operator_lifts_a_freeze(world: World, app: Flask, operator: FlaskClient) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", 30))
    assert "sold or returned 8 more than granted" in operator.get("/").text
    stranger = app.test_client()
    assert stranger.post("/grant-again", data={"quota": "q"}).headers["Location"] == "/sign-in"
    assert operator.post("/grant-again", data={"quota": "q"}, headers={"Origin": "http://evil"}).status_code == 403
    assert world.scalar("SELECT frozen FROM quota") != ""
    assert operator.post("/grant-again", data={"quota": "q"}).status_code == 303
    assert world.scalar("SELECT frozen FROM quota") == ""
    assert "grant again" not in operator.get("/").text


def test_names_from_the_wire_stay_text(world: World, operator: FlaskClient) -> None:
    world.say("<script>alert(1)", "hello", b"{}")
    world.run()
    page = operator.get("/alarms").text
    assert "<script>alert" not in page
    assert "unregistered" in page


def test_the_devices_page_tells_hardware_and_keys(world: World, operator: FlaskClient) -> None:
    hall = world.add("hall-1", "hall")
    hall.status(world, unsynced=7)
    world.run()
    page = operator.get("/devices").text
    assert "printer ready" in page
    assert hall.key.kid in page
    assert "7 messages, oldest 0 s ago" in page


def test_a_devices_page_tells_each_piece_of_hardware_and_what_to_do(world: World, operator: FlaskClient) -> None:
    """State, reason and remedy with "as of"; what overtook itself on the way and what is malformed change nothing."""
    hall = world.add("hall-1", "hall")
    hall.status(world)
    world.run()
    assert "has said nothing of its hardware" in operator.get("/devices/hall-1").text
    broken = HardwareState("printer_2", "fault", "The printer has no paper.", world.now_ms - 120_000)
    hall.health(world, broken)
    hall.health(world, HardwareState("printer_2", "ready", "Old news.", 1), sent_at_ms=world.now_ms - 5_000)
    world.say("hall-1", "health", b"{}")
    world.run()
    page = operator.get("/devices/hall-1").text
    assert "The printer has no paper. Check paper, lid and cable." in page
    assert "printer_2" in page
    assert "began 2 min ago" in page
    assert "as of 0 s ago" in page
    assert "Old news" not in page
    assert "desk does not run" not in page


def test_what_runs_where_is_told_and_an_update_that_did_not_stay_is_an_alarm_once(
    world: World, operator: FlaskClient
) -> None:
    """On the device's page and in the list; a device of before says nothing of it."""
    hall = world.add("hall-1", "hall")
    hall.status(world)
    hall.health(world, HardwareState("printer", "ready", "The printer is ready.", 1))
    world.run()
    assert "has not said what runs there" in operator.get("/devices/hall-1").text
    assert "none told" in operator.get("/devices").text
    marks = {"A": "good", "B": "bad"}
    running = Running("0.1.0", "2026.12", "A", marks=marks, went_back="2027.1")
    for _ in range(2):
        hall.health(world, HardwareState("printer", "ready", "The printer is ready.", 1), piece_of(running))
        world.run()
        world.now_ms += 1000
    page, listed, alarms = (operator.get(path).text for path in ("/devices/hall-1", "/devices", "/alarms"))
    assert "An update to 2027.1 did not stay" in page
    assert "<dt>Image</dt><dd>2026.12</dd>" in page
    assert page.count("The printer is ready.") == 1
    assert "<b>system</b>" not in page
    assert "went back</span> from 2027.1" in listed
    assert "no second good slot" in listed
    assert "2027.1 did not stay: slot A with 2026.12 runs again" in alarms
    with world.database.read() as db:
        assert [(each.kind, each.count) for each in found_alarms(db)] == [("went-back", 1)]
    figures = operator.get("/metrics", headers=BEARER).text
    assert 'marquee_cloud_system{device="hall-1",image="2026.12",program="0.1.0",slot="A"} 1.0' in figures
    assert 'marquee_cloud_slot{device="hall-1",what="went_back"} 1.0' in figures
    assert 'marquee_cloud_slot{device="hall-1",what="trial"} 0.0' in figures
    hall.health(world, piece_of(Running("0.1.0", "2027.2", "B", trial=True, marks={"A": "good", "B": "bad"})))
    world.run()
    assert "An update is on trial" in operator.get("/devices/hall-1").text
    assert "has said nothing of its hardware" in operator.get("/devices/hall-1").text
    assert "slot B on trial" in operator.get("/devices").text


def test_the_report_of_a_dead_desk_is_called_old(world: World, operator: FlaskClient) -> None:
    """The bridge repeats the report; when the desk last spoke stands in it."""
    hall = world.add("hall-1", "hall")
    hall.status(world)
    state = HardwareState("printer", "ready", "The printer is ready.", 1)
    report = HardwareReport("hall-1", "hall", (state,), world.now_ms - 300_000, world.now_ms)
    world.say("hall-1", "health", encode(report))
    world.run()
    assert "desk does not run" in operator.get("/devices/hall-1").text


def test_an_empty_console_says_what_to_do(world: World, operator: FlaskClient) -> None:
    assert "marquee provision" in operator.get("/devices").text
    assert "Nothing contradicts anything" in operator.get("/alarms").text


def test_the_cookie_is_sealed_http_only_strict_and_ends(world: World, client: FlaskClient) -> None:
    answer = client.post("/sign-in", data={"token": TOKEN})
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
    assert TOKEN not in cookie
    assert client.get("/").status_code == 200
    world.now_ms += 13 * 3600 * 1000
    assert client.get("/").status_code == 303


def test_signing_out_ends_the_sign_in_also_for_whoever_copied_the_cookie(app: Flask, operator: FlaskClient) -> None:
    cookie = operator.get_cookie("operator")
    assert cookie is not None
    copied = {"Cookie": f"operator={cookie.value}"}
    thief = app.test_client(use_cookies=False)
    assert thief.get("/", headers=copied).status_code == 200
    answer = operator.post("/sign-out")
    assert (answer.status_code, answer.headers["Clear-Site-Data"]) == (303, '"cache"')
    assert operator.get("/").status_code == 303
    assert thief.get("/", headers=copied).status_code == 303
    assert thief.post("/sign-out", headers=copied).status_code == 303


def test_signing_in_anew_ends_the_sign_in_before(app: Flask, operator: FlaskClient) -> None:
    before = operator.get_cookie("operator")
    assert before is not None
    assert operator.post("/sign-in", data={"token": TOKEN}).status_code == 303
    assert operator.get("/").status_code == 200
    thief = app.test_client(use_cookies=False)
    assert thief.get("/", headers={"Cookie": f"operator={before.value}"}).status_code == 303


def test_over_https_the_cookie_is_of_this_host_alone(world: World, client: FlaskClient) -> None:
    answer = client.post("/sign-in", data={"token": TOKEN}, base_url="https://localhost")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-operator=")
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert client.get("/", base_url="https://localhost").status_code == 200
    planted = {"Cookie": f"operator={cookie.partition(';')[0].partition('=')[2]}"}
    stranger = client.application.test_client(use_cookies=False)
    assert stranger.get("/", base_url="https://localhost", headers=planted).status_code == 303


def test_a_form_of_thousands_of_fields_and_a_body_without_a_length_are_refused(client: FlaskClient) -> None:
    many = client.post("/sign-in", data={f"a{number}": "1" for number in range(20_000)})
    assert many.status_code == 413
    endless = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    long = client.post(
        "/sign-in",
        input_stream=io.BytesIO(b"token=" + b"x" * 70_000),
        content_type="application/x-www-form-urlencoded",
        environ_overrides=endless,
    )
    assert long.status_code == 413


def test_a_revoked_token_ends_every_sign_in_made_with_it(world: World, operator: FlaskClient) -> None:
    with world.database.write() as db:
        db.exec_driver_sql("UPDATE operator_token SET revoked = 1")
    assert operator.get("/").status_code == 303
    assert operator.get("/api/v1/stock", headers=BEARER).status_code == 401


def test_sign_ins_are_limited_per_address_and_every_one_is_written_down(world: World, client: FlaskClient) -> None:
    answers = [client.post("/sign-in", data={"token": f"guess {k}"}).status_code for k in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert client.post("/sign-in", data={"token": TOKEN}).status_code == 429
    other = client.post("/sign-in", data={"token": TOKEN}, environ_base={"REMOTE_ADDR": "10.1.1.1"})
    assert other.status_code == 303
    world.now_ms += 60_000
    assert client.post("/sign-in", data={"token": TOKEN}).status_code == 303
    written = world.rows("SELECT action, count(*) FROM audit WHERE subject = 'console' GROUP BY action ORDER BY action")
    assert written == [("sign-in refused", 10), ("signed in", 2), ("signed out", 1)], "the second ends the first"
    assert world.scalar("SELECT count(*) FROM audit WHERE detail LIKE '%guess%' OR detail LIKE '%operator-token%'") == 0


def through_proxy(client: FlaskClient, told: str, token: str = "a guess", peer: str = "127.0.0.1") -> int:
    return client.post(
        "/sign-in", data={"token": token}, headers={"X-Forwarded-For": told}, environ_base={"REMOTE_ADDR": peer}
    ).status_code


def test_a_stranger_behind_the_proxy_of_this_machine_keeps_no_operator_out(world: World, client: FlaskClient) -> None:
    """The address that the proxy saw is limited and written down; of what was there before it only the last part is its word."""
    answers = [through_proxy(client, f"10.66.0.{k}, 192.0.2.7") for k in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert through_proxy(client, "192.0.2.7", TOKEN) == 429
    assert through_proxy(client, "192.0.2.8", TOKEN) == 303
    written = world.rows("SELECT DISTINCT action, detail FROM audit WHERE subject = 'console' ORDER BY action")
    assert written == [("sign-in refused", "192.0.2.7"), ("signed in", "192.0.2.8")]


def test_nobody_but_the_proxy_of_this_machine_says_who_asks(world: World, client: FlaskClient) -> None:
    answers = [through_proxy(client, f"192.0.2.{k}", peer="10.0.0.9") for k in range(12)]
    assert answers == [401] * 10 + [429] * 2
    assert world.rows("SELECT DISTINCT detail FROM audit WHERE action = 'sign-in refused'") == [("10.0.0.9",)]


@pytest.mark.parametrize(
    "headers", [{"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_another_site_cannot_post_the_sign_in_form(client: FlaskClient, headers: dict[str, str]) -> None:
    assert client.post("/sign-in", data={"token": TOKEN}, headers=headers).status_code == 403


def test_every_answer_carries_the_security_headers(operator: FlaskClient) -> None:
    for path in ("/", "/nothing-here", "/api/v1/stock", "/healthz"):
        answer = operator.get(path)
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/", "/devices", "/alarms", "/sign-in"])
def test_pages_hold_no_inline_script_or_style(world: World, operator: FlaskClient, path: str) -> None:
    world.add("hall-1", "hall")
    page = operator.get(path, follow_redirects=True).text
    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page


def test_health_needs_no_token_and_readiness_knows_the_tables(world: World, client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json["status"] == "ready"
    with world.database.write() as db:
        db.exec_driver_sql("UPDATE cloud_version SET version_num = '0000'")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["status"]) == (503, "not_ready")


def test_metrics_are_for_this_machine_and_operators(world: World, client: FlaskClient) -> None:
    world.add("hall-1", "hall")
    text = client.get("/metrics").text
    assert 'marquee_quota{quota="q",what="pool"} 3.0' in text
    assert 'marquee_allocation_total{device="hall-1",quota="q",total="granted"} 22.0' in text
    elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
    assert client.get("/metrics", environ_base=elsewhere).status_code == 401
    for told in ("10.0.0.9", "127.0.0.1"):
        assert client.get("/metrics", headers={"X-Forwarded-For": told}).status_code == 401
    assert client.get("/metrics", environ_base=elsewhere, headers=BEARER).status_code == 200


def test_ages_and_moments_read_like_speech() -> None:
    assert [age(START_MS - s * 1000, START_MS) for s in (3, 119, 120, 7200, 200_000)] == [
        "3 s ago",
        "119 s ago",
        "2 min ago",
        "2 h ago",
        "2 d ago",
    ]
    assert age(None, START_MS) == "never"
    assert moment(START_MS, "Europe/Berlin") == "Tue 14 Nov, 23:13"


def test_the_console_changes_nothing_by_being_looked_at(world: World, app: Flask, operator: FlaskClient) -> None:
    before = world.database.commits
    for path in ("/", "/devices", "/alarms", "/api/v1/stock", "/metrics", "/readyz"):
        assert operator.get(path).status_code == 200
    assert world.database.commits == before


def test_the_length_of_each_waitlist_is_shown_and_told(
    world: World, client: FlaskClient, operator: FlaskClient
) -> None:
    """Entries, the tickets they want, and what is offered to them right now."""
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", hall.totals.unsold))
    for number, quantity in ((1, 1), (2, 2), (3, 3)):
        world.tell(hall, hall.envelope(WaitlistJoined(f"w{number}", "q", number, (Wish("t", quantity),), 0)))
    world.tell(hall, hall.envelope(OfferMade("w1", "q", (hall.count(),))))
    page = operator.get("/").text
    assert "<b>2</b> on the waitlist for <b>5</b> · <b>1</b> offered to it" in page
    assert client.get("/api/v1/stock", headers=BEARER).json[0]["waiting"] == 2


def test_every_page_says_that_the_cloud_is_copied_no_more(world: World, tmp_path: Path) -> None:
    """After a day without a good copy; and monitoring is told when that was."""
    last, words = tmp_path / "last", "There is no new copy of the cloud."
    made = create_app(world.database, tmp_path, copied=last, clock=lambda: world.now_ms)
    client = made.test_client()
    assert client.post("/sign-in", data={"token": TOKEN}).status_code == 303
    assert words in client.get("/").text
    assert "\nmarquee_copied_timestamp_seconds 0.0\n" in client.get("/metrics").text
    last.touch()
    os.utime(last, ns=(0, (world.now_ms - 24 * 3_600_000) * 1_000_000))
    assert words not in client.get("/devices").text
    world.now_ms += 1
    page = client.get("/devices").text
    assert words in page and "24 h ago" in page and "journalctl -u marquee-backup" in page
    assert "marquee_copied" not in create_app(world.database, tmp_path).test_client().get("/metrics").text
