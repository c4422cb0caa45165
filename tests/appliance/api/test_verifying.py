"""Pre-enrolment for programs: what says that a ticket is checked, what a pending order waits for, and proving it."""

from __future__ import annotations

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient

from appliance.services import sms, sync
from appliance.store import records
from mqtt_bridge.protocol.messages import OrderVerified, VerificationMoved
from tests.appliance.services.test_requests import hear
from tests.appliance.services.test_verifying import checked
from tests.support.box import ADULT, CHILD, TestBox


@pytest.fixture
def client(app: Flask, box: TestBox) -> FlaskClient:
    """A program where adults prove their contact."""
    box.run(lambda unit: sync.apply_catalogue(unit, msgspec.structs.replace(checked(), version=2)))
    return app.test_client(use_cookies=False)


def hold(client: FlaskClient, kind: str):
    return client.post("/api/v1/holds", json={"items": [{"ticket_type": kind, "quantity": 1}]}).json


def test_an_order_is_pending_until_its_code_was_tried(client: FlaskClient, box: TestBox):
    types = client.get("/api/v1/events").json["events"][0]["sessions"][0]["ticket_types"]
    assert {each["id"]: each.get("verify") for each in types}[ADULT] == "contact"
    assert all("verify" not in each for each in types if each["id"] == CHILD)
    assert "verify" not in hold(client, CHILD)
    held = hold(client, ADULT)
    assert held["verify"] == "contact"
    refused = client.post("/api/v1/orders", json={"hold": held["hold"]})
    assert (refused.status_code, refused.json["field"]) == (422, "contact")
    order = client.post("/api/v1/orders", json={"hold": held["hold"], "contact": "ada@example.org"}).json
    assert (order["status"], order["proof"]["waits_for"], order["proof"]["news"]) == ("pending", "code", "")
    assert order["tickets"][0]["receipt"].startswith("MQ1:")
    where = f"/api/v1/orders/{order['order']}"
    hear(box, VerificationMoved(order["order"], "code", "sent", 5))
    assert client.get(where).json["proof"]["tries_left"] == 5
    assert client.post(f"{where}/proofs", json={"code": "12"}).status_code == 422
    assert client.post(f"{where}/proofs", json={"code": "1234 5678"}).status_code == 202
    assert client.post(f"{where}/codes", json={}).status_code == 202
    hear(box, OrderVerified(order["order"], "centre"))
    now = client.get(where).json
    assert (now["status"], "proof" in now) == ("confirmed", False)
    assert client.post(f"{where}/proofs", json={"code": "1234 5678"}).status_code == 200, "nothing is left to prove"


def test_an_order_sent_again_is_answered_the_same_and_sends_no_other_code(client: FlaskClient, box: TestBox):
    """Under another key, as from another tab, and while the modem is just sending the first one."""
    box.run(lambda unit: records.put_hardware(unit.db, "modem", "ready", "", unit.now.wall_ms, unit.now))
    body = {"hold": hold(client, ADULT)["hold"], "contact": "0151 2345678"}
    first = client.post("/api/v1/orders", json=body).json
    message = box.run(lambda unit: sms.claim(unit, 30))
    assert message is not None
    again = client.post("/api/v1/orders", json=body)
    assert (again.status_code, again.json["order"]) == (201, first["order"])
    box.run(lambda unit: sms.finish(unit, message.id, sms.Outcome("sent")))
    assert client.post("/api/v1/orders", json=body).json["order"] == first["order"]
    code = "".join(each for each in message.text if each.isdigit())
    proven = client.post(f"/api/v1/orders/{first['order']}/proofs", json={"code": code})
    assert (proven.status_code, proven.json["status"]) == (200, "confirmed")
