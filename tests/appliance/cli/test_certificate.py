"""``marquee certificate``: DHCP option 114 only while phones will believe the certificate behind it."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

import pytest

from appliance import cli
from appliance.domain.clock import DAY_MS, HOUR_MS, Now
from appliance.services import certificates
from tests.support.authority import Authority

URL = "https://v7.example.org"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that runs the command and returns its exit status."""
    data = tmp_path / "data"
    data.mkdir()

    def run(file: str, *words: str, clock: str = "trusted") -> int:
        for name, value in {
            "DEVICE_DATA": str(data),
            "PORTAL_SECURE_URL": URL,
            "PORTAL_CERTIFICATE": file,
            "CLOCK_MODE": clock,
        }.items():
            monkeypatch.setenv(f"MARQUEE_{name}", value)
        return cli.main(["certificate", *words])

    return run


def test_the_option_comes_and_goes_with_the_certificate_and_dnsmasq_is_told_each_time_once(
    certificate, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr("os.kill", lambda pid, number: told.append((pid, number)))
    pid, options = tmp_path / "dnsmasq.pid", tmp_path / "dhcp-options"
    pid.write_text("4711\n", encoding="ascii")
    words = ("--options", str(options), "--reload", str(pid))
    good, _ = authority.issue("good", "v7.example.org")
    assert certificate(good, *words) == 0
    assert options.read_text(encoding="utf-8") == f'114,"{URL}/.well-known/captive-portal"\n'
    assert "valid until" in capsys.readouterr().out
    assert certificate(good, *words) == 0
    assert told == [(4711, signal.SIGHUP)]
    old, _ = authority.issue("old", "v7.example.org", ends_in=timedelta(seconds=-1))
    assert certificate(old, *words) == 1
    assert "114" not in options.read_text(encoding="utf-8")
    assert "it has expired" in capsys.readouterr().out
    assert len(told) == 2


def test_a_dnsmasq_that_cannot_be_told_is_told_again(certificate, authority: Authority, tmp_path: Path, capsys) -> None:
    options, pid = tmp_path / "dhcp-options", tmp_path / "dnsmasq.pid"
    good, _ = authority.issue("good", "v7.example.org")
    assert certificate(good, "--options", str(options), "--reload", str(pid)) == 1
    assert not options.exists()
    assert "dnsmasq could not be told" in capsys.readouterr().err


def test_what_phones_would_not_believe_is_said(certificate, authority: Authority, tmp_path: Path, capsys) -> None:
    other, _ = authority.issue("other", "v8.example.org")
    assert certificate(other) == 1
    assert certificate(authority.file) == 1
    assert certificate(str(tmp_path / "none.pem")) == 1
    assert certificate("") == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.removeprefix("certificate: ").partition("/")[0].strip() for line in said] == [
        "it is not for v7.example.org",
        "it is not for v7.example.org",
        "",
        "there is none (portal.certificate)",
    ]


def test_the_last_trusted_time_outlives_a_clock_that_was_lost(
    certificate, authority: Authority, tmp_path: Path, capsys
) -> None:
    """Build date or last trusted time, whichever is later: an expired certificate does not come back with a dead clock battery."""
    old, _ = authority.issue("old", "v7.example.org", ends_in=timedelta(seconds=-1))
    assert certificate(old, clock="untrusted") == 0, "nobody can know yet that it is that late"
    assert certificate(old, clock="trusted") == 1
    assert certificates.last_trusted_ms(tmp_path / "data") > 0
    assert certificate(old, clock="untrusted") == 1
    capsys.readouterr()


def test_a_trusted_clock_has_the_last_word_over_one_that_was_wrong(tmp_path: Path) -> None:
    """A time server that was years ahead for a moment ends no certificate at later boots; within an hour nothing is written."""
    right = 1_800_000_000_000
    for wall_ms, trusted, known in (
        (right, True, right),
        (right + 10 * 365 * DAY_MS, True, right + 10 * 365 * DAY_MS),
        (right + DAY_MS, False, right + 10 * 365 * DAY_MS),
        (right + DAY_MS, True, right + DAY_MS),
        (right + DAY_MS - HOUR_MS + 1, True, right + DAY_MS),
        (right + DAY_MS + HOUR_MS - 1, True, right + DAY_MS),
    ):
        certificates.remember(tmp_path, Now(wall_ms, 0, "b", trusted))
        assert certificates.last_trusted_ms(tmp_path) == known


def test_names_of_certificates_lead_to_the_portal_also_those_that_have_ended_or_are_not_in_use_yet(
    certificate, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """Between two boots a device may have two names: that of its settings, and one that came since."""
    told: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, _number: told.append(pid))
    phones, pid = tmp_path / "phones", tmp_path / "dnsmasq.pid"
    hosts, options = tmp_path / "portal-hosts", tmp_path / "dhcp-options"
    phones.mkdir()
    pid.write_text("4711\n", encoding="ascii")
    monkeypatch.setenv("MARQUEE_PORTAL_HANDED_FOLDER", str(phones))
    words = ("--options", str(options), "--hosts", str(hosts), "--address", "192.168.4.1", "--reload", str(pid))
    (phones / "tickets.example.org.pem").touch()
    for name in ("no name.pem", ".tickets.example.org.pem.7.new", "none.pem", "x.example.org.txt"):
        (phones / name).touch()
    old, _ = authority.issue("old", "v7.example.org", ends_in=timedelta(seconds=-1))
    assert certificate(old, *words) == 1
    assert hosts.read_text("utf-8") == "192.168.4.1 tickets.example.org\n192.168.4.1 v7.example.org\n"
    assert hosts.stat().st_mode & 0o777 == 0o644
    assert "114" not in options.read_text("utf-8")
    good, _ = authority.issue("good", "v7.example.org")
    assert certificate(good, *words) == 0
    assert certificate(good, *words) == 0
    assert told == [4711, 4711], "once for both files, and not for what did not change"
    (phones / "tickets.example.org.pem").unlink()
    pid.write_text("x", "ascii")
    assert certificate(good, *words) == 1
    assert (hosts.exists(), options.exists()) == (False, True), "what dnsmasq was not told is told again"
    assert "dnsmasq could not be told" in capsys.readouterr().err
