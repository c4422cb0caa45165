"""The doctor on setting up: what keeps a card from being a device, a renewal that is overdue, an authority nobody runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
import sqlalchemy as sa

from appliance.doctor import enrolment
from appliance.doctor.examination import examine
from appliance.doctor.findings import Finding
from appliance.domain.setup import Setup
from appliance.services import setting_up as files
from appliance.settings import Settings, read_settings
from mqtt_bridge.cloud import directory
from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.authority import LIST_LIFE
from tests.support.authority import Authority
from tests.support.enrolment import EnrolmentCloud

WORDS = (
    "device",
    "verify",
    "channel",
    "language",
    "waits_for",
    "news",
    "salt",
    "digest",
    "link_digest",
    "refusal",
    "decided_by",
)
NUMBERS = ("proven", "tries_left", "codes", "code_at_ms", "standing_due_ms", "standing_tries", "received_at_ms")
WAITING = {**dict.fromkeys(WORDS, ""), **dict.fromkeys(NUMBERS, 0)}


def settings_in(folder: Path, **variables: str) -> Settings:
    return read_settings(None, {"MARQUEE_DEVICE_DATA": str(folder), **variables})


def states(found: list[Finding]) -> list[tuple[str, str]]:
    return [(each.check, each.state) for each in found]


def test_a_card_that_is_not_set_up_is_told_why_and_what_to_do(tmp_path: Path) -> None:
    """Before anything else, which needs a device to look at."""
    files.write_setup(tmp_path, Setup("bad_file", ("wifi.country: is no country",)))
    found = list(examine(settings_in(tmp_path)))
    assert states(found) == [("enrolment", "fail")]
    assert "wifi.country" in found[0].detail
    assert "switch" in found[0].fix


def test_a_device_that_was_set_up_by_hand_is_not_asked_for_a_file(tmp_path: Path) -> None:
    """Nobody keeps account of it."""
    assert list(enrolment.device(settings_in(tmp_path, MARQUEE_DEVICE_NAME="hall-1"))) == []


def test_a_token_that_stayed_is_a_warning(tmp_path: Path) -> None:
    """It works no more, and should not lie there."""
    files.write_setup(tmp_path, Setup("done", (), "hall-1"))
    found = settings_in(tmp_path, MARQUEE_DEVICE_NAME="hall-1")
    assert states(list(enrolment.device(found))) == [("enrolment", "ok")]
    (tmp_path / files.COPY).write_bytes(b"x")
    assert states(list(enrolment.device(found))) == [("enrolment", "warn")]


@pytest.mark.parametrize(("overdue_days", "expected"), [(7, ["ok"]), (0, ["ok", "warn"])])
def test_a_renewal_that_is_overdue_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overdue_days: int, expected: list[str]
) -> None:
    """The timer had a week for it; the certificate here is past two thirds of its half day."""
    monkeypatch.setattr(enrolment, "OVERDUE", dt.timedelta(days=overdue_days))
    files.write_setup(tmp_path, Setup("done", (), "hall-1"))
    certificate, _ = Authority(tmp_path).issue("hall-1", ends_in=dt.timedelta(hours=1))
    variables = {"MARQUEE_AUTHORITY_URL": "https://c:8443", "MARQUEE_BROKER_CERTIFICATE": certificate}
    found = settings_in(tmp_path, MARQUEE_DEVICE_NAME="hall-1", **variables)
    assert [state for _, state in states(list(enrolment.device(found)))] == expected


def test_a_revocation_list_that_nobody_renews_is_told_in_time(tmp_path: Path) -> None:
    """Before it runs out and the broker refuses everybody."""
    cloud = EnrolmentCloud(tmp_path)
    found = settings_in(tmp_path, MARQUEE_AUTHORITY_FOLDER=str(cloud.folder))
    assert states(list(enrolment.authority(found))) == [("authority", "ok")]
    for days, state in ((3, "warn"), (LIST_LIFE.days + 1, "fail")):
        written = cloud.now - dt.timedelta(days=days)
        (cloud.folder / "broker" / "revoked.pem").unlink()
        cloud.authority.keep_list((), written)
        assert states(list(enrolment.authority(found)))[-1] == ("authority", state)
    (cloud.folder / "server.pem").unlink()
    assert ("authority", "fail") in states(list(enrolment.authority(found)))
    (cloud.folder / "broker" / "revoked.pem").unlink()
    assert "no revocation list" in list(enrolment.authority(found))[-1].detail
    (cloud.folder / "ca.pem").unlink()
    assert list(enrolment.authority(found)) == []
    cloud.database.close()


def test_orders_that_nobody_verifies_fail(tmp_path: Path) -> None:
    """A verifier that is not needed may be missing."""
    cloud = EnrolmentCloud(tmp_path)
    found = settings_in(tmp_path, MARQUEE_CLOUD_DATABASE=str(tmp_path / "cloud.db"))
    assert states(list(enrolment.verifier(found))) == [("verifier", "ok")]
    with cloud.database.write() as db:
        db.execute(sa.insert(t.verification).values(order_id="o", state="waiting", **WAITING))
    assert states(list(enrolment.verifier(found))) == [("verifier", "fail")]
    cloud.database.close()


def test_the_certificate_that_devices_are_handed_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two weeks before it ends, once it has, and where it is no use; nothing where there is none."""
    assert list(enrolment.handed_out(settings_in(tmp_path))) == []
    public, name = Authority(tmp_path / "public"), "tickets.example.org"

    def looked(days: float, wanted: str = name) -> tuple[str, str]:
        certificate, key = public.issue(name, name, ends_in=dt.timedelta(days=days))
        given = {"NAME": wanted, "CERTIFICATE": certificate, "KEY": key}
        variables = {f"MARQUEE_AUTHORITY_PORTAL_{key}": value for key, value in given.items()}
        [found] = enrolment.handed_out(settings_in(tmp_path, **variables))
        return found.state, found.detail

    assert looked(15)[0] == "ok"
    assert looked(13)[0] == "warn"
    assert looked(-0.1) == (
        "fail", f"devices are handed no certificate for {name}: phones would not believe the certificate: it has expired"
    )  # fmt: skip
    assert "it is not for other.example.org" in looked(15, "other.example.org")[1]
    assert "it is not for any.example.com" in looked(15, "*.example.com")[1]
    [half] = enrolment.handed_out(settings_in(tmp_path, MARQUEE_AUTHORITY_PORTAL_NAME=name))
    assert (half.state, "authority.portal_key" in half.detail) == ("fail", True)
    monkeypatch.setattr("os.access", lambda *_: False)
    assert looked(15) == ("ok", looked(15)[1])
    assert "may not read its key" in looked(15)[1]
    assert looked(-0.1)[0] == "fail"


def test_one_name_for_several_devices_is_warned_of(tmp_path: Path) -> None:
    """Phones keep what they keep by name; a star is each device's own."""
    cloud, public, name = EnrolmentCloud(tmp_path), Authority(tmp_path / "public"), "tickets.example.org"

    def looked(name: str) -> list[tuple[str, str]]:
        certificate, key = public.issue(name, name, ends_in=dt.timedelta(days=60))
        given = {"NAME": name, "CERTIFICATE": certificate, "KEY": key}
        variables = {f"MARQUEE_AUTHORITY_PORTAL_{key}": value for key, value in given.items()}
        variables["MARQUEE_CLOUD_DATABASE"] = str(tmp_path / "cloud.db")
        return states(list(enrolment.handed_out(settings_in(tmp_path, **variables))))

    for number, state in (1, "sealed"), (2, "active"), (3, "active"):
        device(cloud, f"hall-{number}", state)
        expected = [("phones", "ok"), ("phones", "warn")] if number == 3 else [("phones", "ok")]
        assert looked(name) == expected
    assert looked(f"*.{name}") == [("phones", "ok")]
    cloud.database.close()


def device(cloud: EnrolmentCloud, name: str, state: str) -> None:
    directory.register_device(cloud.database, name, "hall", 0)
    with cloud.database.write() as db:
        db.execute(sa.update(t.device).where(t.device.c.name == name).values(status=state))
