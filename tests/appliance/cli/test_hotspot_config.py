"""``marquee hotspot-config`` and ``uplink-config`` as hostapd's and the uplinks' units run them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from appliance.bootstrap.device import hotspot_address
from appliance.cli import main
from appliance.domain.hotspot import value_of
from appliance.domain.provisioning import MOST_STATIONS, Provisioning, Wifi, as_toml, read_provisioning
from appliance.domain.setup import settings_of
from appliance.settings import read_settings
from tests.appliance.domain.test_hotspot import database


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "base").write_text("interface=wlan0\nhw_mode=g\nchannel=6\nmax_num_sta=20\n")
    (tmp_path / "regulatory.db").write_bytes(database(DE=[(2_400_000, 2_483_500, 0)]))
    return tmp_path


def configure(files: Path, **own: str) -> int:
    lines = [f'{key} = "{value}"' if not value.isdigit() else f"{key} = {value}" for key, value in own.items()]
    (files / "device.toml").write_text("\n".join(["[hotspot]", f'base = "{files / "base"}"', *lines, ""]))
    words = ["hotspot-config", "--out", str(files / "out"), "--regulatory", str(files / "regulatory.db")]
    return main(["--config", str(files / "device.toml"), *words])


def test_what_it_writes_is_for_its_user_alone_and_a_second_start_writes_it_anew(files: Path) -> None:
    key = files / "key"
    key.write_text("secret words\n")
    key.chmod(0o600)
    for channel in ("1", "11"):
        assert configure(files, country="de", ssid="Halle", passphrase_file=str(key), channel=channel) == 0
        out = files / "out"
        assert stat.S_IMODE(out.stat().st_mode) == 0o600
        assert f"channel={channel}\n" in out.read_text() and "wpa_passphrase=secret words\n" in out.read_text()
    assert (files / "country").read_text() == "COUNTRY=DE\n"


def test_a_device_that_is_not_set_up_says_so_on_the_air(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert configure(files) == 0
    assert "Marquee setup " in capsys.readouterr().out
    assert (files / "country").read_text() == "COUNTRY=00\n"


@pytest.mark.parametrize(("given", "fit"), [(0, 20), (8, 8), (MOST_STATIONS, MOST_STATIONS)])
def test_the_number_of_phones_in_the_provisioning_file_reaches_hostapd_and_staff(
    files: Path, given: int, fit: int
) -> None:
    """From file to settings to ``max_num_sta`` and to the N of "3 of N phones"; without a number the fleet's counts."""
    wifi = Wifi("DE", "Halle", stations=given)
    said = Provisioning("town", "hall-1", "hall", "https://cloud.example.org", "0" * 64, "t" * 43, wifi)
    (files / "device.toml").write_text(settings_of(read_provisioning(as_toml(said).encode()), str(files)))
    fleet = f'[hotspot]\nbase = "{files / "base"}"\n[desk]\nhotspot = "hostapd:///run/hostapd/wlan0"\n'
    (files / "marquee.toml").write_text(fleet)
    config = f"{files / 'marquee.toml'}:{files / 'device.toml'}"
    words = ["hotspot-config", "--out", str(files / "out"), "--regulatory", str(files / "regulatory.db")]
    assert main(["--config", config, *words]) == 0
    assert value_of((files / "out").read_text(), "max_num_sta") == str(fit)
    assert hotspot_address(read_settings(config, {})).endswith(f"?limit={fit}")


def test_mistakes_are_said_and_nothing_is_written(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert configure(files, country="FR", ssid="Halle") == 1
    assert "hotspot.country: 'FR' is no country" in capsys.readouterr().err
    (files / "key").write_text("secret words\n")
    (files / "key").chmod(0o644)
    assert configure(files, country="DE", ssid="Halle", passphrase_file=str(files / "key")) == 1
    told = capsys.readouterr().err
    assert "chmod 600" in told and "secret" not in told
    (files / "base").unlink()
    assert configure(files, country="DE", ssid="Halle") == 1
    assert "cannot be read" in capsys.readouterr().err
    assert not (files / "out").exists()


def uplink(files: Path, way: str, **own: str) -> int:
    (files / "device.toml").write_text("[uplink]\n" + "".join(f'{key} = "{value}"\n' for key, value in own.items()))
    return main(["--config", str(files / "device.toml"), "uplink-config", way, "--out", str(files / "out")])


def test_a_way_that_is_not_wanted_leaves_its_unit_alone_and_a_wrong_one_fails_it(files: Path) -> None:
    """systemd takes 1 to 254 of an ExecCondition for "not now", 255 for an error."""
    assert uplink(files, "wifi") == 1
    assert uplink(files, "modem") == 1
    assert not (files / "out").exists()
    assert uplink(files, "wifi", wifi_ssid="Cafe", wifi_passphrase_file=str(files / "none")) == 255
    key = files / "key"
    key.write_text("short\n")
    key.chmod(0o600)
    assert uplink(files, "wifi", wifi_ssid="Cafe", wifi_passphrase_file=str(key)) == 255
    assert uplink(files, "wifi", wifi_ssid="Cafe") == 0
    assert "key_mgmt=NONE" in (files / "out").read_text()
    assert uplink(files, "modem", modem_apn="internet.example") == 0
    assert (files / "out").read_text() == "APN=internet.example\n"
