"""From a provisioning file to a certificate, over real TLS: first boot, enrolment, renewal, and all that can come in between."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from flask import Flask, redirect
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from appliance import cli
from appliance.authority.throttle import PER_ADDRESS, Throttle
from appliance.domain.clock import DAY_MS, Now
from appliance.domain.provisioning import MOST_STATIONS, Provisioning, Uplink, Wifi
from appliance.domain.setup import Setup, settings_of, with_portal
from appliance.errands import enrol as errand
from appliance.errands.enrol import LONGEST_WAIT_S, REFUSED_WAIT_S
from appliance.services import setting_up as files
from appliance.services.clock import BUILT_AT_MS
from appliance.settings import Settings, read_settings
from mqtt_bridge import durable
from mqtt_bridge.cloud.authority import fingerprint
from mqtt_bridge.cloud.enrolments import revoke, revoked
from mqtt_bridge.cloud.store import alarms
from mqtt_bridge.enrolling import (
    CloudUnreachable,
    Refused,
    WrongAuthority,
    ask,
    fetch_authority,
    load_or_make_key,
    request_for,
)
from tests.support.enrolment import BROKER, CLOUD_KEY, Card, EnrolmentCloud
from tests.support.ports import free_port


@pytest.fixture(autouse=True)
def untouched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this machine is read."""
    monkeypatch.delenv("MARQUEE_CONFIG", raising=False)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[EnrolmentCloud]:
    cloud = EnrolmentCloud(tmp_path / "cloud-side")
    with cloud.serving():
        yield cloud
    cloud.database.close()


@pytest.fixture
def card(tmp_path: Path, cloud: EnrolmentCloud) -> Card:
    return Card(tmp_path, Now(cloud.now_ms, 0, "b", trusted=True))


def test_a_card_becomes_a_device_and_the_token_is_gone(card: Card, cloud: EnrolmentCloud, capsys) -> None:
    """The whole way; afterwards its settings reach the broker with a certificate of its own."""
    token = cloud.register()
    assert card.boot(cloud.provisioning(token)) == 0
    assert card.step() == "waiting"
    assert card.enrolling.attempt() == 0
    assert card.enrolling.done()
    assert card.boot() == 0

    settings = read_settings(card.config, {})
    assert (settings.device.org, settings.device.name, settings.device.venue) == ("town", "hall-1", "hall")
    assert (settings.broker.url, settings.broker.cloud_key) == (BROKER, CLOUD_KEY)
    assert (settings.hotspot.country, settings.hotspot.ssid) == ("DE", "Town Hall")
    assert Path(settings.hotspot.passphrase_file).read_text("utf-8") == "long enough\n"
    certificate = x509.load_pem_x509_certificate(Path(settings.broker.certificate).read_bytes())
    certificate.verify_directly_issued_by(cloud.authority.certificate)
    assert certificate.subject.rfc4514_string() == "CN=hall-1"
    assert certificate.not_valid_after_utc <= cloud.now + timedelta(days=90)
    assert not card.file.exists()
    private = [path for path in card.data.rglob("*") if path.is_file()]
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)
    assert not any(token.encode() in path.read_bytes() for path in private)
    assert token not in "".join(capsys.readouterr())


def test_the_key_never_leaves_and_the_file_is_overwritten_before_it_goes(
    card: Card, cloud: EnrolmentCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On FAT a removed file can still be read, so what is removed is zeros."""
    removed: list[bytes] = []
    unlink = Path.unlink

    def watched(path: Path, missing_ok: bool = False) -> None:
        if path.exists():
            removed.append(path.read_bytes())
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", watched)
    token = cloud.register()
    card.boot(cloud.provisioning(token))
    card.enrolling.attempt()
    assert card.enrolling.done()
    card.boot()
    assert removed
    assert all(set(each) <= {0} for each in removed if len(each) > 300)
    key = (card.data / "tls" / "device.key").read_bytes()
    assert key.startswith(b"-----BEGIN PRIVATE KEY")
    assert not any(key in path.read_bytes() for path in cloud.folder.rglob("*") if path.is_file())


def test_an_answer_that_got_lost_is_asked_for_again(
    card: Card, cloud: EnrolmentCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cloud marked the token as used and the power went: the same key gets a certificate, long after the token's end too."""
    card.boot(cloud.provisioning(cloud.register()))
    keep = errand._keep
    monkeypatch.setattr(errand, "_keep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        card.enrolling.attempt()
    assert not files.is_enrolled(card.data)
    monkeypatch.setattr(errand, "_keep", keep)
    cloud.now_ms += 40 * DAY_MS
    assert card.boot() == 0
    assert card.enrolling.attempt() == 0
    assert card.enrolling.done()
    with cloud.database.read() as db:
        assert alarms(db) == ()


def test_a_copy_of_the_file_enrols_nobody_else_and_is_an_alarm(
    tmp_path: Path, card: Card, cloud: EnrolmentCloud
) -> None:
    """Its second device makes a key of its own, which is not the pinned one."""
    file = cloud.provisioning(cloud.register())
    card.boot(file)
    assert card.enrolling.attempt() == 0
    (tmp_path / "copy").mkdir()
    copy = Card(tmp_path / "copy", card.now)
    copy.boot(file)
    assert copy.enrolling.attempt() == REFUSED_WAIT_S
    assert copy.step() == "token_refused"
    with cloud.database.read() as db:
        assert [(each.kind, each.subject) for each in alarms(db)] == [("token-reused", "hall-1")]
    assert revoked(cloud.database, cloud.now_ms) == ()


def cut_off(write: Callable[..., None], stop_at: int) -> Callable[..., None]:
    """Return ``write`` on a power supply that goes at its call number ``stop_at``."""
    writes = itertools.count(1)

    def cut(path: Path, data: bytes, *rest: int) -> None:
        if next(writes) == stop_at:
            raise KeyboardInterrupt
        write(path, data, *rest)

    return cut


def test_a_power_cut_after_any_write_of_first_boot_changes_nothing(
    card: Card, cloud: EnrolmentCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was written so far, the next boot ends with the same device."""
    file, write, cuts = cloud.provisioning(cloud.register()), durable.write, 0
    for stop_at in range(1, 10):
        shutil.rmtree(card.data, ignore_errors=True)
        monkeypatch.setattr(durable, "write", cut_off(write, stop_at))
        cuts += card.boot(file) != 0
        monkeypatch.setattr(durable, "write", write)
        assert card.boot() == 0
        assert card.step() == "waiting"
        assert read_settings(card.config, {}).device.name == "hall-1"
        assert (card.data / files.COPY).read_bytes() == file
    assert cuts == 6


def test_a_missing_or_wrong_file_is_told_and_a_corrected_one_taken(card: Card, cloud: EnrolmentCloud, capsys) -> None:
    """In plain words with key and fix; without secrets."""
    assert card.boot() == 1
    assert card.step() == "no_file"
    assert "marquee-cloud provision" in capsys.readouterr().err
    token = cloud.register()
    good = cloud.provisioning(token)
    assert card.boot(good.replace(b'"DE"', b'"XX"').replace(b"long enough", b"short")) == 1
    said = capsys.readouterr().err
    setup = files.read_setup(card.data)
    assert setup is not None
    assert setup.step == "bad_file"
    assert [each.split(":")[0] for each in setup.problems] == ["wifi.country", "wifi.passphrase"]
    assert all(each in said for each in setup.problems)
    assert token not in said
    assert card.boot(good) == 0
    assert card.step() == "waiting"
    assert card.boot(good.replace(b"Town Hall", b"Hall")) == 0
    assert read_settings(card.config, {}).hotspot.ssid == "Hall"


def test_a_file_that_cannot_be_removed_is_told_and_the_device_goes_on(
    card: Card, cloud: EnrolmentCloud, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """A card's partition may be write-protected."""
    card.boot(cloud.provisioning(cloud.register()))
    card.enrolling.attempt()
    assert card.enrolling.done()

    def refuse(_path: Path) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(durable, "shred", refuse)
    assert card.boot() == 1
    assert "cannot be removed (Read-only file system)" in capsys.readouterr().err
    assert card.step() == "done"


def test_host_and_operators_are_named_when_asked_for(
    card: Card, cloud: EnrolmentCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the unit, which runs as root; what a host's name may not hold is replaced."""
    called: list[str] = []
    monkeypatch.setattr("socket.sethostname", called.append)
    key, keys = "ssh-ed25519 " + "A" * 68 + " anna@office", tmp_path / "ops" / "authorized_keys"
    file = cloud.provisioning(cloud.register("hall_1"), "hall_1", ssh_keys=(key,))
    assert card.boot(file) == 0
    assert called == []
    words = ("first-boot", "--file", str(card.file), "--call-host", "--ssh-keys", str(keys))
    assert cli.main(["--config", card.config, *words]) == 0
    assert called == ["hall-1"]
    assert (card.data / "hostname").read_text("utf-8") == "hall-1\n"
    assert keys.read_text("utf-8") == f"{key}\n"
    assert keys.stat().st_mode & 0o777 == 0o644


def first_boot(card: Card, keys: Path) -> int:
    """As the unit runs it."""
    words = ("first-boot", "--file", str(card.file), "--ssh-keys", str(keys))
    return cli.main(["--config", str(card.fleet), *words])


PIN = f"scrypt$16384$8$5${'0' * 32}${'0' * 64}"
KEY, OTHER_KEY = ("ssh-ed25519 " + letter * 68 for letter in "AB")


def test_no_key_is_let_in_that_the_file_of_the_card_does_not_name(
    card: Card, cloud: EnrolmentCloud, tmp_path: Path
) -> None:
    """Who took a process of ours over may write anything into its folder, and have first boot run again."""
    keys = tmp_path / "ops" / "authorized_keys"
    card.file.write_bytes(cloud.provisioning(cloud.register(), ssh_keys=(KEY,)))
    assert first_boot(card, keys) == 0
    assert card.enrolling.attempt() == 0
    copy = card.data / files.COPY
    for planted in (True, False):
        copy.write_bytes(cloud.provisioning("t" * 43, ssh_keys=(OTHER_KEY,)) if planted else copy.read_bytes())
        assert first_boot(card, keys) == 0
        assert keys.read_text("utf-8") == f"{KEY}\n"
    assert not card.file.exists()
    copy.write_bytes(cloud.provisioning("t" * 43, ssh_keys=(OTHER_KEY,)))
    (card.data / files.DEVICE).unlink()
    assert first_boot(card, keys) == 1
    assert keys.read_text("utf-8") == f"{KEY}\n"


def test_a_file_that_is_refused_lets_nobody_in(card: Card, cloud: EnrolmentCloud, tmp_path: Path) -> None:
    keys = tmp_path / "ops" / "authorized_keys"
    card.boot(cloud.provisioning(cloud.register(), ssh_keys=(KEY,)))
    card.enrolling.attempt()
    card.file.write_bytes(cloud.provisioning(cloud.register("hall-2"), "hall-2", ssh_keys=(OTHER_KEY,)))
    assert first_boot(card, keys) == 1
    assert not keys.exists()


def test_a_power_cut_before_the_keys_were_written_costs_none(
    card: Card, cloud: EnrolmentCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All else was done, so the next boot finds a file that it knows."""
    keys, write = tmp_path / "ops" / "authorized_keys", durable.write

    def cut(path: Path, data: bytes, *rest: int, **more: int) -> None:
        if path == keys:
            raise KeyboardInterrupt
        write(path, data, *rest, **more)

    card.file.write_bytes(cloud.provisioning(cloud.register(), ssh_keys=(KEY,)))
    monkeypatch.setattr(durable, "write", cut)
    assert first_boot(card, keys) != 0
    monkeypatch.setattr(durable, "write", write)
    assert not keys.exists()
    assert files.read_taken(card.data) is not None
    (card.data / files.COPY).unlink()
    assert first_boot(card, keys) == 0
    assert keys.read_text("utf-8") == f"{KEY}\n"


@pytest.mark.skipif(os.getuid() != 0, reason="gives folders to another account")
def test_links_in_the_folder_lead_root_nowhere(cloud: EnrolmentCloud) -> None:
    """It is another account's, which may put links there: what root does there it does as that account."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        place.chmod(0o755)
        card = Card(place, Now(cloud.now_ms, 0, "b", trusted=True))
        of_root = place / "of-root"
        of_root.mkdir(mode=0o700)
        (of_root / "device.pem").write_bytes(b"root's")
        card.data.mkdir(mode=0o700)
        (card.data / "tls").symlink_to(of_root)
        before = b'{"digest": "0", "org": "town", "name": "/../../of-root/planted", "venue": "hall"}'
        (card.data / files.TAKEN).write_bytes(before)
        (card.data / "before-1-").mkdir()
        for path in (card.data, *card.data.iterdir()):
            os.chown(path, 65534, 65534, follow_symlinks=False)
        file = cloud.provisioning(cloud.register())
        assert card.boot(file) == 0
        (card.data / files.TAKEN).unlink()
        (card.data / "tls").symlink_to(of_root)
        with pytest.raises(PermissionError):
            card.boot(file)
        assert {path.name for path in of_root.iterdir()} == {"device.pem"}
        (card.data / "tls").unlink()
        assert card.boot(file) == 0
        assert {path.stat().st_uid for path in card.data.iterdir()} == {65534}
        assert os.geteuid() == 0


def test_a_second_file_is_refused_unless_it_says_replace(card: Card, cloud: EnrolmentCloud, capsys) -> None:
    """Then what was sold is moved aside, not deleted, and the card begins anew."""
    card.boot(cloud.provisioning(cloud.register()))
    card.enrolling.attempt()
    assert card.enrolling.done()
    (card.data / "marquee.db").write_bytes(b"bookings")
    token = cloud.register("hall-2")
    assert card.boot(cloud.provisioning(token, "hall-2")) == 1
    assert "this is hall-1 already" in capsys.readouterr().err
    assert (card.step(), read_settings(card.config, {}).device.name) == ("done", "hall-1")
    assert card.boot(cloud.provisioning(token, "hall-2", replace=True)) == 0
    assert (card.step(), read_settings(card.config, {}).device.name) == ("waiting", "hall-2")
    assert (card.data / "before-1-hall-1" / "marquee.db").read_bytes() == b"bookings"
    assert not files.is_enrolled(card.data)
    assert card.enrolling.attempt() == 0
    assert card.enrolling.done()


def enrolled(card: Card, cloud: EnrolmentCloud) -> None:
    card.boot(cloud.provisioning(cloud.register()))
    card.enrolling.attempt()
    assert card.enrolling.done()
    assert card.boot() == 0
    assert not card.file.exists()


def test_another_wifi_for_a_device_that_sells_keeps_it_selling(
    card: Card, cloud: EnrolmentCloud, tmp_path: Path
) -> None:
    """Whatever the internet does: it needs nothing of the cloud for that, so the token in the file is not used and goes with it."""
    enrolled(card, cloud)
    device = card.data / files.DEVICE
    device.write_text(with_portal(device.read_text("utf-8"), ("https://t.example.org", "/phones/t.pem")), "utf-8")
    before, certificate = read_settings(card.config, {}), (card.data / "tls" / "device.pem").read_bytes()
    token, keys = cloud.register(renew=True), tmp_path / "keys"
    file = cloud.provisioning(token, replace=True, pin=PIN, ssh_keys=(KEY,))
    card.file.write_bytes(file.replace(b"Town Hall", b"Barn").replace(b"long enough", b"longer still"))
    assert first_boot(card, keys) == 0
    now = read_settings(card.config, {})
    assert (now.hotspot.ssid, now.device, now.authority) == ("Barn", before.device, before.authority)
    assert (now.broker, now.portal) == (before.broker, before.portal)
    assert Path(now.hotspot.passphrase_file).read_text("utf-8") == "longer still\n"
    assert (card.data / "tls" / "device.pem").read_bytes() == certificate
    assert files.read_setup(card.data) == Setup("done", (), "hall-1", "hall", PIN)
    assert keys.read_text("utf-8") == f"{KEY}\n"
    assert not card.file.exists()
    assert not any(token.encode() in path.read_bytes() for path in card.data.rglob("*") if path.is_file())
    assert card.enrolling.done()
    with cloud.database.read() as db:
        used = db.exec_driver_sql("SELECT count(*) FROM enrolment WHERE used_at_ms IS NOT NULL").scalar()
    assert used == 1


def test_no_power_cut_while_its_wifi_changes_takes_a_device_out_of_sale(
    card: Card, cloud: EnrolmentCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    enrolled(card, cloud)
    write, cuts = durable.write, 0
    for stop_at in range(1, 9):
        file = cloud.provisioning("t" * 43, replace=True).replace(b"Town Hall", f"Barn {stop_at}".encode())
        monkeypatch.setattr(durable, "write", cut_off(write, stop_at))
        cuts += card.boot(file) != 0
        assert files.is_enrolled(card.data)
        assert card.step() == "done"
        monkeypatch.setattr(durable, "write", write)
        assert card.boot() == 0
        assert (card.step(), read_settings(card.config, {}).hotspot.ssid) == ("done", f"Barn {stop_at}")
        assert not card.file.exists()
    assert cuts == 4


@pytest.mark.parametrize("changed", ["authority", "address", "certificate", "venue"])
def test_what_makes_another_device_of_it_has_it_enrol_anew(card: Card, cloud: EnrolmentCloud, changed: str) -> None:
    """A certificate of another authority is worth nothing, and of another broker only enrolling tells."""
    enrolled(card, cloud)
    file = cloud.provisioning(cloud.register(renew=True), replace=True)
    if changed == "authority":
        file = cloud.provisioning("t" * 43, replace=True, ca="ab" * 32)
    elif changed == "address":
        file = file.replace(cloud.url.encode(), b"https://elsewhere.example.org:8443")
    elif changed == "certificate":
        (card.data / "tls" / "device.pem").unlink()
    else:
        file = file.replace(b'venue = "hall"', b'venue = "barn"')
    assert card.boot(file) == 0
    assert card.step() == "waiting"
    assert not files.is_enrolled(card.data)
    assert card.file.exists()
    assert (card.data / "tls" / "device.key").exists() == (changed != "venue")


def test_who_is_not_the_pinned_authority_gets_no_token(card: Card, cloud: EnrolmentCloud, tmp_path: Path) -> None:
    """A login page, an impostor with an authority of its own, or a server for another name."""
    impostor = EnrolmentCloud(tmp_path / "impostor")
    with impostor.serving():
        file = cloud.provisioning(cloud.register()).replace(cloud.url.encode(), impostor.url.encode())
        card.boot(file)
        assert card.enrolling.attempt() == LONGEST_WAIT_S
        assert card.step() == "wrong_authority"
        with pytest.raises(WrongAuthority, match="has no certificate of our authority"):
            ask(impostor.url, cloud.authority.pem, "", "t", None)
    with pytest.raises(WrongAuthority, match="for this name"):
        ask(cloud.url.replace("127.0.0.1", "localhost"), cloud.authority.pem, "", "t", None)
    impostor.database.close()
    with cloud.database.read() as db:
        assert db.exec_driver_sql("SELECT count(*) FROM enrolment WHERE used_at_ms IS NOT NULL").scalar() == 0


def test_no_answer_leads_elsewhere(cloud: EnrolmentCloud) -> None:
    """A redirect is not followed, whoever sends it: the token goes to one address only."""
    elsewhere = Flask("elsewhere")
    elsewhere.add_url_rule("/<path:_>", "all", lambda _: redirect(f"{cloud.url}/ca.pem"), methods=["GET", "POST"])
    pin, home = fingerprint(cloud.folder), cloud.url
    with cloud.serving(elsewhere):
        assert cloud.url != home
        with pytest.raises(WrongAuthority):
            fetch_authority(cloud.url, pin)
        with pytest.raises(CloudUnreachable, match="302"):
            ask(cloud.url, cloud.authority.pem, "", "t", None)


def test_without_a_network_it_waits_longer_each_time_and_then_enrols(card: Card, cloud: EnrolmentCloud) -> None:
    """At most a minute, and never all devices at the same time."""
    away = cloud.provisioning(cloud.register())
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        card.boot(away.replace(cloud.url.encode(), f"https://127.0.0.1:{port}".encode()))
        waits = [card.enrolling.attempt() for _ in range(7)]
    assert card.step() == "unreachable"
    assert all(0.5 * most <= wait <= most for wait, most in zip(waits, (2, 4, 8, 16, 32, 60, 60), strict=True))
    card.boot(away)
    assert card.enrolling.attempt() == 0


def test_a_device_without_a_clock_enrols_and_sees_through_an_ended_certificate(
    card: Card, cloud: EnrolmentCloud
) -> None:
    """It may think it is 1970, or far ahead; what ended before this program was made is over all the same."""
    card.boot(cloud.provisioning(cloud.register()))
    for wall_ms in (0, cloud.now_ms + 9000 * DAY_MS):
        card.now = Now(wall_ms, 0, "b", trusted=False)
        assert card.enrolling.attempt() == 0
    key = load_or_make_key(card.data / "tls" / "device.key")
    ended = cloud.now_ms + 91 * DAY_MS
    with pytest.raises(WrongAuthority, match="expired"):
        ask(cloud.url, cloud.authority.pem, request_for(key, "hall-1"), "", ended)
    assert ask(cloud.url, cloud.authority.pem, request_for(key, "hall-1"), "", BUILT_AT_MS).broker_url == BROKER


def test_renewal_in_the_last_third_keeps_the_key_and_a_revoked_device_gets_none(
    card: Card, cloud: EnrolmentCloud, capsys
) -> None:
    """Without a token; before its time nothing is asked."""
    card.boot(cloud.provisioning(cloud.register()))
    card.enrolling.attempt()
    settings = read_settings(card.config, {})
    path = Path(settings.broker.certificate)
    first = path.read_bytes()

    def renew(days: int) -> int:
        now = Now(cloud.now_ms + days * DAY_MS, 0, "b", trusted=False)
        return errand.renew(settings, lambda: now)

    assert renew(59) == 0
    assert path.read_bytes() == first
    assert renew(61) == 0
    second = x509.load_pem_x509_certificate(path.read_bytes())
    assert second.public_key() == x509.load_pem_x509_certificate(first).public_key()
    assert path.read_bytes() != first
    revoke(cloud.database, "hall-1", "op", cloud.now_ms)
    assert renew(61) == 1
    assert "not renewed" in capsys.readouterr().err
    assert x509.load_pem_x509_certificate(path.read_bytes()) == second


def test_a_renewal_that_is_due_fails_until_the_cloud_is_there_also_after_the_end(
    card: Card, cloud: EnrolmentCloud, capsys
) -> None:
    """1 has systemd try again; before it is due an absent cloud is nobody's failure, and what no try would mend is 2."""
    card.boot(cloud.provisioning(cloud.register()))
    card.enrolling.attempt()
    there = read_settings(card.config, {})
    path = Path(there.broker.certificate)
    away = replace(there, authority=replace(there.authority, url="https://127.0.0.1:9"))

    def renew(settings: Settings, days: int) -> int:
        now = Now(cloud.now_ms + days * DAY_MS, 0, "b", trusted=False)
        return errand.renew(settings, lambda: now)

    first = path.read_bytes()
    assert [renew(away, days) for days in (58, 61, 91)] == [0, 1, 1]
    assert path.read_bytes() == first
    assert renew(there, 91) == 0
    assert path.read_bytes() != first
    assert renew(replace(there, authority=replace(there.authority, url="")), 91) == 2
    path.unlink()
    assert renew(there, 91) == 2
    capsys.readouterr()


def test_a_renewal_says_where_the_broker_is_now_and_the_address_of_before_is_not_forgotten(
    card: Card, cloud: EnrolmentCloud, capsys
) -> None:
    """A cloud that changes its name has given it to all devices after one life of their certificates."""
    card.boot(cloud.provisioning(cloud.register()))
    card.enrolling.attempt()

    def renewed(broker: str) -> tuple[str, tuple[str, ...]]:
        cloud.broker = broker
        with cloud.serving():
            settings = read_settings(card.config, {})
            moved = replace(settings, authority=replace(settings.authority, url=cloud.url))
            now = Now(cloud.now_ms + 61 * DAY_MS, 0, "b", trusted=False)
            assert errand.renew(moved, lambda: now) == 0
        found = read_settings(card.config, {})
        assert (found.authority, found.hotspot) == (settings.authority, settings.hotspot)
        assert (card.data / files.DEVICE).stat().st_mode & 0o077 == 0
        return found.broker.url, found.broker.urls_before

    names = [f"mqtts://{name}.example:8883" for name in ("new", "newer", "third", "fourth")]
    assert renewed(BROKER) == (BROKER, ())
    assert renewed(names[0]) == (names[0], (BROKER,))
    assert renewed(BROKER) == (BROKER, (names[0],))
    assert renewed(names[1]) == (names[1], (BROKER, names[0]))
    renewed(names[2])
    assert renewed(names[3]) == (names[3], (names[2], names[1], BROKER))
    kept = (card.data / files.DEVICE).read_bytes()
    capsys.readouterr()
    # Without TLS, or what the settings could not be read with: the device goes on as it was.
    for odd in ("mqtt://broker.example:1883", "mqtts://::::", "mqtts://broker.example:99999"):
        assert renewed(odd)[0] == names[3]
        assert odd in capsys.readouterr().err
    assert (card.data / files.DEVICE).read_bytes() == kept


def test_an_address_that_cannot_be_written_down_costs_no_certificate(card: Card, cloud: EnrolmentCloud, capsys) -> None:
    """A device that somebody set up by hand names its broker elsewhere; a file of its own is not begun for it."""
    card.boot(cloud.provisioning(cloud.register()))
    card.enrolling.attempt()
    settings = read_settings(card.config, {})
    cloud.broker = "mqtts://new.example:8883"
    now = Now(cloud.now_ms + 61 * DAY_MS, 0, "b", trusted=False)
    with cloud.serving():
        moved = replace(settings, authority=replace(settings.authority, url=cloud.url))
        for there in ("[device]\n", None):
            if there is None:
                (card.data / files.DEVICE).unlink()
            else:
                (card.data / files.DEVICE).write_text(there, "utf-8")
            before = Path(settings.broker.certificate).read_bytes()
            assert errand.renew(moved, lambda: now) == 0
            assert Path(settings.broker.certificate).read_bytes() != before
            assert "the broker is said to be at mqtts://new.example:8883" in capsys.readouterr().err
    assert not (card.data / files.DEVICE).exists()


def test_odd_requests_are_refused_small_and_without_an_echo(cloud: EnrolmentCloud) -> None:
    """Neither answer nor log repeats what was sent."""
    client = cloud.app().test_client()
    token = "secret-" * 6
    for body, status in (
        ({"csr": "x", "token": token}, 422),
        ({"csr": "x", "tokn": token}, 422),
        ({"token": token}, 422),
        ([token], 422),
        ({"csr": "x" * 20_000}, 413),
    ):
        answer = client.post("/v1/certificates", json=body)
        assert answer.status_code == status
        assert token not in answer.text
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.post("/v1/certificates", data="{", content_type="application/json").status_code == 400
    assert client.get("/v1/certificates").status_code == 405
    assert client.get("/ca.key").status_code == 404


def test_one_address_may_ask_so_often_and_no_oftener(cloud: EnrolmentCloud) -> None:
    """And it cannot use up what others may."""
    client = cloud.app(Throttle()).test_client()
    codes = [client.get("/ca.pem").status_code for _ in range(PER_ADDRESS + 5)]
    assert codes == [200] * PER_ADDRESS + [429] * 5
    assert client.get("/ca.pem", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 200
    assert client.get("/healthz").status_code == 200
    cloud.now_ms += 60_000
    assert client.get("/ca.pem").status_code == 200
    few = Throttle(per_address=2, in_all=3)
    assert [bool(few.wait_s("a", 0)) for _ in range(9)] == [False, False, *[True] * 7]
    assert [bool(few.wait_s(each, 0)) for each in "bcd"] == [False, True, True]


def test_of_two_that_use_a_token_at_the_same_moment_one_gets_it(cloud: EnrolmentCloud, tmp_path: Path) -> None:
    """The other is refused and an alarm, whoever was first."""
    token, together = cloud.register(), threading.Barrier(2)
    got: list[str] = []

    def use(name: str) -> None:
        csr = request_for(load_or_make_key(tmp_path / name), "hall-1")
        together.wait()
        try:
            got.append(ask(cloud.url, cloud.authority.pem, csr, token, None).broker_url)
        except Refused as error:
            got.append(error.reason)

    both = [threading.Thread(target=use, args=(name,)) for name in "ab"]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert sorted(got) == [BROKER, "used-token"]


@pytest.mark.slow
def test_the_process_itself_serves_whatever_a_silent_peer_does(tmp_path: Path) -> None:
    """``marquee authority init`` and ``marquee authority``; somebody who connects and says nothing keeps nobody waiting."""
    port = free_port()
    config = tmp_path / "cloud.toml"
    lines = f'[device]\ndata = "{tmp_path / "data"}"\n[authority]\nurl = "https://127.0.0.1:{port}"\nbind = "127.0.0.1:{port}"\n'
    config.write_text(lines, "utf-8")
    for words in ("authority init", "authority init", "provision hall-1 hall"):
        assert cli.main(["--config", str(config), *words.split()]) == 0
    folder = tmp_path / "data" / "authority"
    process = subprocess.Popen([sys.executable, "-m", "appliance.cli", "--config", str(config), "authority"])
    try:
        found, deadline = b"", time.monotonic() + 30
        while not found and time.monotonic() < deadline:
            time.sleep(0.1)
            with contextlib.suppress(CloudUnreachable):
                found = fetch_authority(f"https://127.0.0.1:{port}", fingerprint(folder))
        with socket.create_connection(("127.0.0.1", port)):
            assert fetch_authority(f"https://127.0.0.1:{port}", fingerprint(folder)) == found
        assert found == (folder / "ca.pem").read_bytes()
    finally:
        process.terminate()
        assert process.wait(10) == 0


@examples(max_examples=30)
@given(
    st.text(st.characters(min_codepoint=0x20, exclude_categories=["C"]), min_size=1, max_size=10),
    st.booleans(),
    st.sampled_from(["", "internet"]),
)
def test_the_settings_of_any_file_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, ssid: str, open_: bool, apn: str
) -> None:
    """Whatever the hotspot is called."""
    path = tmp_path_factory.mktemp("device") / "device.toml"
    wifi = Wifi("DE", ssid.strip() or "x", "" if open_ else "12345678", 6, MOST_STATIONS if open_ else 0)
    given = Provisioning("o", "d-1", "v", "https://c:8443", "0" * 64, "t" * 43, wifi, uplink=Uplink("up", "", apn))
    broker, portal = ("mqtts://b:8883", "0" * 64), ("https://tickets.example.org", "/phones/tickets.example.org.pem")
    text = settings_of(given, "/data", broker)
    assert with_portal(text, portal) == settings_of(given, "/data", broker, portal)
    path.write_text(with_portal(with_portal(text, ("https://a.b", "/c")), portal), "utf-8")
    settings = read_settings(path, {})
    assert (settings.hotspot.ssid, settings.hotspot.channel, settings.hotspot.stations) == (wifi.ssid, 6, wifi.stations)
    assert (settings.uplink.wifi_ssid, settings.uplink.modem_apn) == ("up", apn)
    assert (settings.portal.secure_url, settings.portal.certificate) == portal


def test_how_far_it_is_survives_a_torn_file(tmp_path: Path) -> None:
    """Nobody's screen fails because of it."""
    assert files.read_setup(tmp_path) is None
    files.write_setup(tmp_path, Setup("unreachable", ("x",), "hall-1"))
    assert files.read_setup(tmp_path) == Setup("unreachable", ("x",), "hall-1")
    (tmp_path / files.SETUP).write_bytes(b"{")
    assert files.read_setup(tmp_path) is None
