"""The operator sees which badges were issued and revokes what was lost."""

from __future__ import annotations

from pathlib import Path

import msgspec
from flask.testing import FlaskClient

from mqtt_bridge.cloud.badges import issue_badge
from mqtt_bridge.cloud.store import apply_catalogue
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.protocol.catalogue import StaffMember
from tests.mqtt_bridge.cloud.world import World, catalogue

SERIAL = "00112233445566ff"


def issued(world: World, folder: Path) -> None:
    staffed = msgspec.structs.replace(catalogue(), staff=(StaffMember("a7", "Ada <b>", "x"),))
    apply_catalogue(world.database, staffed, {}, world.now_ms)
    issue_badge(world.database, KeyFile(folder / "cloud.pem"), "a7", SERIAL, "op", world.now_ms)


def test_a_badge_is_revoked_after_asking(operator: FlaskClient, world: World, tmp_path: Path) -> None:
    assert "No badge was issued yet" in operator.get("/badges").text
    issued(world, tmp_path)
    page = operator.get("/badges").text
    assert "Ada &lt;b&gt;" in page
    assert f"/badges/{SERIAL}/revoke" not in page
    asked = operator.get(f"/badges?revoke={SERIAL}").text
    assert f"/badges/{SERIAL}/revoke" in asked
    assert operator.post(f"/badges/{SERIAL}/revoke").status_code == 303
    assert "revoked" in operator.get("/badges").text
    assert operator.post("/badges/ff/revoke").status_code == 404


def test_strangers_neither_see_nor_revoke(client: FlaskClient, world: World, tmp_path: Path) -> None:
    issued(world, tmp_path)
    assert client.get("/badges").status_code == 303
    assert client.post(f"/badges/{SERIAL}/revoke").status_code == 303
    assert world.rows("SELECT revoked_at_ms FROM staff_badge") == [(None,)]
