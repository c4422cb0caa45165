"""An experiment changes what phones are shown, in shared pages too, and what they do counts for what they saw."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient

from appliance.domain.clock import HOUR_MS
from appliance.domain.experiments import BUCKETS
from appliance.portal import WebSettings, create_app
from appliance.services import conversion, sync
from appliance.web.proxied import KEY_MARKER
from mqtt_bridge.protocol.catalogue import Experiment, Variant
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import START_MS, TestBox

SHORT = Variant("short", title="Wet")


@pytest.fixture
def asking(box: TestBox) -> TestBox:
    asked = Experiment(
        "words",
        "river",
        "Short is better.",
        "held",
        10,
        START_MS - HOUR_MS,
        START_MS + HOUR_MS,
        (Variant("as-is"), SHORT),
    )
    catalogue = msgspec.structs.replace(box.look(lambda unit: unit.catalogue), version=2, experiments=(asked,))
    box.run(lambda unit: sync.apply_catalogue(unit, catalogue))
    return box


@pytest.fixture
def proxied(asking: TestBox, tmp_path: Path) -> Flask:
    return create_app(asking, WebSettings(data=tmp_path, behind_proxy=True))


def from_proxy(app: Flask, bucket: str, address: str = "10.0.0.7") -> FlaskClient:
    client = app.test_client(use_cookies=False)
    client.environ_base["HTTP_X_MARQUEE_LANGUAGE"] = "en"
    client.environ_base["HTTP_X_MARQUEE_VARIANT"] = bucket
    client.environ_base["HTTP_X_FORWARDED_FOR"] = address
    return client


def figures(box: TestBox) -> dict[tuple[str, str], int]:
    return {(each.variant, each.stage): each.phones for each in box.look(conversion.totals)}


@pytest.mark.parametrize("path", ["/", "/events/river"])
def test_the_proxys_bucket_decides_what_a_shared_page_shows(proxied: Flask, path: str):
    shown = [from_proxy(proxied, str(bucket)).get(path) for bucket in range(BUCKETS)]
    assert ["Wet" in each.text for each in shown] == [False, True] * (BUCKETS // 2)
    assert shown[0].headers["ETag"] != shown[1].headers["ETag"]


@pytest.mark.parametrize("bucket", ["", "6", "x", "short"])
def test_a_proxy_that_names_no_bucket_gets_the_event_itself_and_the_answer_is_not_touched(
    proxied: Flask, asking: TestBox, bucket: str
):
    assert "Wet" not in from_proxy(proxied, bucket).get("/events/river").text
    assert figures(asking) == {("", "seen"): 1}


def test_without_a_proxy_a_phone_chooses_by_its_own_name_and_cannot_say_otherwise(asking: TestBox, tmp_path: Path):
    app = create_app(asking, WebSettings(data=tmp_path))
    addresses = [f"10.0.0.{n}" for n in range(2, 30)]

    def page(address: str, **headers: str) -> bool:
        client = app.test_client(use_cookies=False)
        return "Wet" in client.get("/events/river", headers=headers, environ_base={"REMOTE_ADDR": address}).text

    shown = [page(each) for each in addresses]
    assert 5 < sum(shown) < 23
    told = {"X-Marquee-Variant": "1", "X-Marquee-Language": "en"}
    assert shown == [page(each, **told) for each in addresses]
    assert sum(figures(asking).values()) == len(addresses)


def test_a_phone_counts_once_from_looking_to_booking(asking: TestBox, proxied: Flask):
    client = from_proxy(proxied, "1")
    client.get("/events/river")
    page = client.get("/events/river").text.replace(KEY_MARKER, "0123456789abcdef0123456789abcdef")
    action, fields = next(each for each in forms(page) if each[0].startswith("/holds"))
    held = client.post(action, data=fields, follow_redirects=True)
    confirm = next(action for action, _ in forms(held.text) if action.endswith("/confirm"))
    client.post(confirm, data={}, follow_redirects=True)
    assert figures(asking) == {("short", "seen"): 1, ("short", "held"): 1, ("short", "confirmed"): 1}


def test_where_the_proxy_tells_who_looked_pages_count_nobody(box: TestBox, tmp_path: Path):
    phone = Phone(create_app(box, WebSettings(data=tmp_path, visits_told=True)))
    phone.get("/events/river")
    assert phone.status == 200
    assert figures(box) == {}
