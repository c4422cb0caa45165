"""The doctor: looks at everything, touches nothing, and says what to do."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from appliance.bootstrap.cloud import cloud_database
from appliance.bootstrap.device import device_box
from appliance.doctor import cloud
from appliance.doctor.examination import examine
from appliance.doctor.findings import Finding, report
from appliance.services import hardware, printing, sync
from appliance.services.box import Box
from appliance.settings import Settings, read_settings
from appliance.store import jobs
from mqtt_bridge.broker import EmbeddedBroker
from mqtt_bridge.cloud import store
from tests.support.authority import Authority
from tests.support.box import example_catalogue
from tests.support.ports import free_port


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    """A broker that lets everybody in."""
    with EmbeddedBroker(free_port()) as running:
        yield running.url


@pytest.fixture
def settings(tmp_path: Path, broker: str) -> Settings:
    """A device with a simulated printer and a trusted clock."""
    return read(tmp_path, broker)


def read(tmp_path: Path, broker: str, **more: str) -> Settings:
    values = {
        "MARQUEE_DEVICE_NAME": "north-1",
        "MARQUEE_DEVICE_VENUE": "north",
        "MARQUEE_DEVICE_DATA": str(tmp_path / "data"),
        "MARQUEE_DESK_PRINTER": "sim://printer",
        "MARQUEE_BROKER_URL": broker,
        "MARQUEE_CLOCK_MODE": "trusted",
    }
    return read_settings(None, values | more)


@pytest.fixture
def box(settings: Settings) -> Iterator[Box]:
    """The device's box, with a catalogue and a link."""
    made = device_box(settings)
    made.run(lambda unit: sync.apply_catalogue(unit, example_catalogue()))
    made.run(lambda unit: sync.link_changed(unit, up=True))
    yield made
    made.database.close()


def found(settings: Settings) -> dict[str, Finding]:
    """The worst finding of each check."""
    order = ("ok", "warn", "fail")
    worst: dict[str, Finding] = {}
    for each in examine(settings):
        if each.check not in worst or order.index(each.state) > order.index(worst[each.check].state):
            worst[each.check] = each
    return worst


def test_a_healthy_device_is_well_and_says_how_the_wal_bug_is_kept_out(settings: Settings, box: Box) -> None:
    """Every line is ok; the engine's line names version, mitigation, journal and synchronous."""
    box.run(lambda unit: hardware.report(unit, "printer", "ready", "The printer is ready.", unit.now.wall_ms))
    findings = found(settings)
    assert {check: each.state for check, each in findings.items() if each.state != "ok"} == {}
    for words in ("SQLite 3.", "WAL-reset bug", "mitigation", "journal wal", "synchronous FULL"):
        assert words in findings["database"].detail
    assert "1 events, 1 sessions at this venue" in findings["catalogue"].detail


def test_looking_makes_nothing(tmp_path: Path, broker: str) -> None:
    """Not even the folder; what is missing is named with what makes it."""
    findings = found(read(tmp_path, broker))
    assert not (tmp_path / "data").exists()
    assert findings["database"].state == "fail"
    assert "Start marquee portal" in findings["database"].fix


def test_an_unnamed_machine_without_a_cloud_is_told_to_give_settings(tmp_path: Path, broker: str) -> None:
    """The most common mistake: the settings file was not named."""
    findings = found(read(tmp_path, broker, MARQUEE_DEVICE_NAME=""))
    assert list(findings) == ["settings"]
    assert "--config" in findings["settings"].fix


def test_a_secret_that_others_can_read_fails(settings: Settings, box: Box) -> None:
    """Keys are files of mode 0600 in a folder of mode 0700."""
    (settings.device.data / "device.pem").chmod(0o644)
    assert found(settings)["keys"].state == "fail"
    (settings.device.data / "device.pem").chmod(0o600)
    settings.device.data.chmod(0o755)
    assert "chmod 700" in found(settings)["keys"].fix


def test_a_broker_that_is_away_is_a_warning(tmp_path: Path, box: Box) -> None:
    """Selling goes on without it."""
    finding = found(read(tmp_path, "mqtt://127.0.0.1:9"))["broker"]
    assert (finding.state, "refused" in finding.detail) == ("warn", True)


def test_an_untrusted_clock_is_a_warning_that_names_the_switches(tmp_path: Path, broker: str) -> None:
    """The door needs a hand then."""
    finding = found(read(tmp_path, broker, MARQUEE_CLOCK_MODE="untrusted"))["clock"]
    assert finding.state == "warn"
    assert "staff switches" in finding.fix


def test_devices_wrong_addresses_silent_desks_and_faults_are_told_apart(
    tmp_path: Path, broker: str, settings: Settings, box: Box
) -> None:
    """Correct the settings, start the desk, look at the printer."""
    assert "Start marquee desk" in found(settings)["printer"].fix
    box.run(lambda unit: hardware.report(unit, "printer", "fault", "The printer has no paper.", unit.now.wall_ms))
    assert re.fullmatch(r"fault for \d s: The printer has no paper\.", found(settings)["printer"].detail)
    assert found(settings)["scanner"].detail == "none is set up"
    wrong = found(read(tmp_path, broker, MARQUEE_DESK_PRINTER="laser://x"))["printer"]
    assert (wrong.state, "desk.printer" in wrong.fix) == ("fail", True)


def test_doubtful_print_jobs_and_a_frozen_device_are_listed(settings: Settings, box: Box) -> None:
    """What waits for a person, and why nothing is sold."""
    box.run(lambda unit: jobs.add(unit.db, "stub", b"{}", unit.now, None))
    box.run(printing.claim)
    box.run(printing.recover)
    box.run(sync.begin_incarnation)
    findings = found(settings)
    assert "1 jobs may or may not be on paper" in findings["spool"].detail
    assert findings["link"].state == "fail"


def certificate(path: Path, days: int) -> Path:
    """Write a certificate that ends in ``days`` days."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=400))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, None)
    )
    path.write_bytes(built.public_bytes(Encoding.PEM))
    return path


@pytest.mark.parametrize(("days", "state"), [(-1, "fail"), (10, "warn"), (300, "ok")])
def test_certificates_are_watched_before_they_expire(tmp_path: Path, days: int, state: str) -> None:
    """A month ahead."""
    pem = certificate(tmp_path / "ca.pem", days)
    settings = read(tmp_path, "mqtts://127.0.0.1:9", MARQUEE_BROKER_CA=str(pem))
    assert found(settings)["certificate"].state == state


@pytest.mark.parametrize(("hours", "state"), [(-1, "fail"), (240, "warn"), (7200, "ok")])
def test_the_portals_certificate_is_watched_with_what_phones_would_say(
    tmp_path: Path, broker: str, hours: int, state: str
) -> None:
    pem, _key = Authority(tmp_path / "authority").issue("portal", "v7.example.org", ends_in=timedelta(hours=hours))
    portal = {"MARQUEE_PORTAL_SECURE_URL": "https://v7.example.org", "MARQUEE_PORTAL_CERTIFICATE": pem}
    told = [each for each in examine(read(tmp_path, broker, **portal)) if "portal.certificate" in each.detail]
    assert [each.state for each in told] == [state]


@pytest.mark.parametrize(("days", "state"), [(13, "warn"), (15, "ok")])
def test_one_that_the_cloud_hands_out_has_until_its_last_fortnight(
    tmp_path: Path, broker: str, days: int, state: str
) -> None:
    """It is renewed there, and comes by itself."""
    pem, _key = Authority(tmp_path / "phones").issue("portal", "v7.example.org", ends_in=timedelta(days=days))
    portal = {"SECURE_URL": "https://v7.example.org", "CERTIFICATE": pem, "HANDED_FOLDER": str(tmp_path / "phones")}
    settings = read(tmp_path, broker, **{f"MARQUEE_PORTAL_{name}": value for name, value in portal.items()})
    told = [each for each in examine(settings) if "portal.certificate" in each.detail]
    assert [each.state for each in told] == [state]


def test_the_cloud_has_a_doctor_too(tmp_path: Path, broker: str) -> None:
    """Database, catalogue and alarms, where the cloud's database lies."""
    settings = read(tmp_path, broker, MARQUEE_DEVICE_NAME="", MARQUEE_DEVICE_VENUE="")
    database = cloud_database(settings)
    assert found(settings)["catalogue"].fix == "Run marquee import FILE."
    store.apply_catalogue(database, example_catalogue(), {}, 1)
    assert found(settings)["catalogue"].state == "ok"
    assert found(settings)["alarms"].detail == "none"
    database.close()


def test_copies_that_are_made_no_more_are_told_after_a_day(tmp_path: Path) -> None:
    """The disk of copies was full, say, and nobody looked at the journal."""
    last = tmp_path / "last"
    settings = read_settings(None, {"MARQUEE_DEVICE_DATA": str(tmp_path), "MARQUEE_CLOUD_COPIED": str(last)})
    assert list(cloud.copies(replace(settings, cloud=replace(settings.cloud, copied="")))) == []
    (never,) = cloud.copies(settings)
    assert (never.state, never.detail) == ("warn", "none was made yet")
    last.touch()
    (good,) = cloud.copies(settings)
    assert good.state == "ok"
    old_s = time.time() - 24 * 3600 - 60
    os.utime(last, (old_s, old_s))
    (late,) = cloud.copies(settings)
    assert (late.state, f"{datetime.fromtimestamp(old_s, UTC):%Y-%m-%d %H:%M} UTC" in late.detail) == ("warn", True)
    assert "journalctl -u marquee-backup" in late.fix


def test_a_check_that_breaks_is_a_finding(settings: Settings, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others go on."""

    def broken(*_: object) -> None:
        raise PermissionError("no")

    monkeypatch.setattr("shutil.disk_usage", broken)
    findings = found(settings)
    assert findings["disk"].state == "fail"
    assert findings["catalogue"].state == "ok"


def test_the_status_and_the_json_are_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """1 only if something failed."""
    well, ill = Finding("disk", "warn", "little", "Free some."), Finding("keys", "fail", "open", "Close.")
    assert report([well], as_json=True) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"check": "disk", "state": "warn", "detail": "little", "fix": "Free some."}
    ]
    assert report([well, ill], as_json=False) == 1
    assert "fail keys" in capsys.readouterr().out
