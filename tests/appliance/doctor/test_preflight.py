"""Before the event: what would fail during it is said today."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509

from appliance.bootstrap.device import device_box
from appliance.cli import main
from appliance.doctor import surroundings
from appliance.doctor.findings import Finding
from appliance.doctor.preflight import next_date, preflight
from appliance.services import hardware, sync
from appliance.services.box import Box
from appliance.settings import Settings, read_settings
from mqtt_bridge.enrolling import last_third
from tests.support import box as example
from tests.support.authority import Authority

HOUR_MS = 3_600_000


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certs")


@pytest.fixture
def settings(tmp_path: Path, authority: Authority) -> Settings:
    certificate, key = authority.issue("north-1")
    given = {
        "DEVICE_ORG": "org", "DEVICE_NAME": "north-1", "DEVICE_VENUE": "north", "DEVICE_DATA": str(tmp_path / "data"),
        "DEVICE_BOARD": "board", "DESK_PRINTER": "auto", "DESK_SCANNER": "auto", "DESK_SCANNER_2": "auto", "CLOCK_MODE": "trusted",
        "BROKER_URL": "mqtts://127.0.0.1:1", "BROKER_CA": str(authority.file), "BROKER_CERTIFICATE": str(certificate),
        "BROKER_KEY": str(key),
    }  # fmt: skip
    return read_settings(None, {f"MARQUEE_{name}": value for name, value in given.items()})


@pytest.fixture
def box(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A box whose event begins in an hour."""
    now_ms = int(datetime.now(UTC).timestamp() * 1000)
    monkeypatch.setattr(example, "START_MS", now_ms)
    made = device_box(settings)
    made.run(lambda unit: sync.apply_catalogue(unit, example.example_catalogue()))
    for name in ("printer", "scanner"):
        made.run(partial(hardware.report, name=name, state="ready", reason="It is ready.", since_ms=now_ms))
    return made


def told(settings: Settings) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for each in preflight(settings):
        found.setdefault(each.check, []).append(each)
    return found


def state(settings: Settings, check: str) -> set[str]:
    return {each.state for each in told(settings)[check]}


def test_a_box_office_that_is_ready_says_for_what(settings: Settings, box: Box) -> None:
    found = told(settings)
    [event] = found["event"]
    assert event.state == "ok"
    assert event.detail.startswith("Songs of the River, ")
    assert {check for check, lines in found.items() if any(each.state == "fail" for each in lines)} == set()
    assert {"staff", "certificate", "clock", "link", "disk", "printer", "scanner", "spool"} <= set(found)


def test_a_certificate_must_outlive_the_event(settings: Settings, box: Box, authority: Authority) -> None:
    [line] = told(settings)["certificate"]
    assert (line.state, "longer than the event" in line.detail) == ("ok", True)
    authority.issue("north-1", ends_in=timedelta(hours=2))
    [line] = told(settings)["certificate"]
    assert (line.state, "the event ends later" in line.detail) == ("fail", True)
    assert line.fix == "Get a new one."
    Path(settings.broker.certificate).write_text("torn")
    assert state(settings, "certificate") == {"fail"}


def test_what_renews_by_itself_is_said_to_and_when(settings: Settings, box: Box, authority: Authority) -> None:
    """An enrolled device asks for the next certificate in the last third of this one's life: not before, and also after its end."""
    enrolled = replace(settings, authority=replace(settings.authority, url="https://cloud:8443"))
    path = Path(settings.broker.certificate)
    due = last_third(x509.load_pem_x509_certificate(path.read_bytes()))
    fix = surroundings.renewal(enrolled, x509.load_pem_x509_certificate(path.read_bytes()))
    assert f"by itself from {due:%Y-%m-%d} on" in fix
    for ends_in, state in ((timedelta(hours=2), "warn"), (timedelta(seconds=-1), "fail")):
        authority.issue("north-1", ends_in=ends_in)
        [before] = told(enrolled)["certificate"]
        [today] = [each for each in surroundings.certificate(enrolled) if "broker.certificate" in each.detail]
        assert (before.state, today.state) == ("fail", state)
        assert all("by itself within a quarter of an hour" in each.fix for each in (before, today))
        assert ("has expired on" in today.detail) == (state == "fail")
    cloud = replace(enrolled, device=replace(enrolled.device, name=""))
    assert surroundings.renewal(cloud, x509.load_pem_x509_certificate(path.read_bytes())).startswith(
        "Start marquee authority"
    )


def test_what_waits_for_the_cloud_should_not_wait_before_an_event(settings: Settings, box: Box) -> None:
    """Its greeting is what waits here: this device was never online."""
    [line] = told(settings)["link"]
    assert line.state == "warn"
    assert "unsynced" in line.detail


def test_paper_that_is_out_is_told(settings: Settings, box: Box) -> None:
    box.run(lambda unit: hardware.report(unit, "printer", "fault", "The printer has no paper.", unit.now.wall_ms))
    [line] = told(settings)["printer"]
    assert (line.state, "no paper" in line.detail) == ("warn", True)


def test_a_disk_that_an_evening_may_fill_is_too_full(
    settings: Settings, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(settings.device.data)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=400_000_000))
    assert state(settings, "disk") == {"fail"}


def test_the_next_date_is_the_first_that_is_not_over_and_not_called_off() -> None:
    catalogue = example.example_catalogue()
    tonight = catalogue.events[0].sessions[0]
    found = next_date(catalogue, "north", tonight.ends_at_ms - 1)
    assert found is not None and found.at == tonight, "also while it is under way"
    assert next_date(catalogue, "north", tonight.ends_at_ms) is None
    assert next_date(catalogue, "nowhere", 0) is None


def test_a_device_without_a_date_and_a_machine_that_is_no_device_fail(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    device_box(settings)
    assert state(settings, "event") == {"fail"}
    assert main(["preflight"]) == 1
    assert "no venue's device" in capsys.readouterr().out
