"""Sealing, releasing and confirming a restore from the console: the price first, then the button, then what became of it."""

from __future__ import annotations

from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from appliance.console import create_app
from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.fleet_log import FleetLog
from tests.appliance.console.conftest import TOKEN
from tests.mqtt_bridge.cloud.world import World

OWN = {"Origin": "http://localhost"}


def text(client: FlaskClient, path: str) -> str:
    answer = client.get(path, follow_redirects=True)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_a_device_is_sealed_after_its_price_was_shown(world: World, operator: FlaskClient) -> None:
    """The page says what goes in doubt; the device's page says that it is sealed; a second time there is nothing to seal."""
    hall = world.add("hall-1", "hall")
    assert "Seal this device" in text(operator, "/devices/hall-1")
    page = text(operator, "/devices/hall-1/seal")
    assert f"{hall.totals.granted} tickets go in doubt" in page
    assert "door of hall" in page
    answer = operator.post("/devices/hall-1/seal", data={"reason": "river"}, headers=OWN)
    assert answer.headers["Location"] == "/devices/hall-1"
    assert "Sealed: it sells nothing more" in text(operator, "/devices/hall-1")
    assert operator.get("/devices/hall-1/seal").status_code == 404
    assert world.rows("SELECT detail FROM audit WHERE action = 'device sealed'")[0][0].endswith("river")  # type: ignore[attr-defined]


def test_stock_in_doubt_is_released_after_its_price_was_shown(world: World, operator: FlaskClient) -> None:
    """More than is in doubt is refused with the figures, also when it became less meanwhile."""
    hall = world.add("hall-1", "hall")
    losses.seal_device(world.database, "hall-1", "op", "", world.now_ms, log=None)
    whole = hall.totals.granted
    assert f"{whole}</b> in doubt" in text(operator, "/")
    assert f"at most {whole}" in text(operator, "/quotas/q/release")
    assert f"can be released, not {whole + 1}" in text(operator, f"/quotas/q/release?number={whole + 1}")
    page = text(operator, "/quotas/q/release?number=3")
    assert "up to 3 could be sold twice" in page
    assert 'name="shown" value="3"' in page
    unseen = operator.post("/quotas/q/release", data={"number": "3", "shown": "2"}, headers=OWN)
    assert unseen.headers["Location"] == "/quotas/q/release?number=3"
    seen = {"number": "3", "shown": "3"}
    assert operator.post("/quotas/q/release", data=seen, headers=OWN).headers["Location"] == "/"
    again = operator.post("/quotas/q/release", data=seen, headers=OWN)
    assert again.headers["Location"] == "/quotas/q/release?number=3"
    stock = operator.get("/api/v1/stock").json
    assert stock is not None
    assert [(each["in_doubt"], each["released"], each["extra"]) for each in stock] == [(whole, 3, 3)]
    refused = operator.post("/quotas/q/release", data={"number": str(whole)}, headers=OWN)
    assert refused.headers["Location"] == f"/quotas/q/release?number={whole}"
    assert operator.get("/quotas/gold/release").status_code == 404


def test_a_restored_cloud_names_who_is_missing_and_grants_after_a_word(
    world: World, operator: FlaskClient, tmp_path: Path
) -> None:
    """No button while a device is missing; sealing it is enough."""
    world.add("hall-1", "hall")
    losses.begin_restored(world.database, FleetLog(tmp_path / "fleet.jsonl"), "ffff", world.now_ms)
    page = text(operator, "/")
    assert "restored from a backup" in page
    assert ">hall-1</bdi>" in page
    assert "grant again" not in page
    assert operator.post("/confirm-restore", headers=OWN).status_code == 303
    assert "restored from a backup" in text(operator, "/")
    losses.seal_device(world.database, "hall-1", "op", "", world.now_ms, log=None)
    assert "grant again" in text(operator, "/")
    operator.post("/confirm-restore", headers=OWN)
    assert "restored from a backup" not in text(operator, "/")


def test_nobody_else_decides_and_seals_are_logged_outside_the_database(world: World, tmp_path: Path) -> None:
    """Not without signing in, not from another site; the log has the seal with its stock."""
    hall = world.add("hall-1", "hall")
    log = FleetLog(tmp_path / "fleet.jsonl")
    app: Flask = create_app(world.database, tmp_path, fleet_log=log, clock=lambda: world.now_ms)
    client = app.test_client()
    for path in ("/devices/hall-1/seal", "/quotas/q/release", "/confirm-restore"):
        assert client.post(path, headers=OWN).headers["Location"] == "/sign-in"
    client.post("/sign-in", data={"token": TOKEN})
    assert client.post("/devices/hall-1/seal", headers={"Origin": "http://evil.example"}).status_code == 403
    assert client.post("/devices/hall-1/seal", headers=OWN).status_code == 303
    (entry,) = log.entries()
    assert (entry.kind, entry.device, entry.door) == ("sealed", "hall-1", True)
    assert [each.totals.granted for each in entry.stock] == [hall.totals.granted]
