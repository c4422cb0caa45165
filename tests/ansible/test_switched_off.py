"""What an inventory no longer wants is off with the next run, and the run after that changes nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.playbooks import Played, Round, play, tasks
from tests.support.roles import ROLES

UNITS = "etc/systemd/system"
# Modules that need Debian or its packages; all others are played.
LEFT_OUT = ("ansible.builtin.apt", "ansible.builtin.include_tasks")
WIFI, MODEM = "marquee-uplink-wifi.service", "marquee-uplink-modem.service"


def part(role: str, *files: str) -> list[dict[str, Any]]:
    """The tasks of a role's files, as whoever runs the tests, on a host on which nothing is started."""
    found = []
    for task in (each for file in files for each in tasks(role, file=file)):
        if not any(each in task for each in LEFT_OUT) and "wpa_supplicant.service" not in str(task):
            found.append(
                {
                    key: {name: given for name, given in value.items() if name not in {"owner", "group"}}
                    if isinstance(value, dict)
                    else value
                    for key, value in task.items()
                }
            )
    return found


def links(folder: Path) -> set[str]:
    """Which units are brought up by what."""
    found = (folder / UNITS).glob("*.wants/*")
    return {f"{each.parent.name.removesuffix('.wants')} {each.name}" for each in found if each.is_symlink()}


def settled(folder: Path, role: str, played: list[dict[str, Any]], **given: Any) -> Played:
    """Play twice; the second time changes nothing."""
    done = play(folder, role, Round(played, given), Round(played, given))
    assert done.status == 0 and len(done.changed) == 2 and done.changed[1] == set(), done.text
    return done


def uplinks(*, modem: bool = False) -> list[dict[str, Any]]:
    """The part of the role `hotspot` that sets up ways to the cloud, as its includes would have it."""
    own = part("hotspot", "uplinks")
    [cut] = [number for number, each in enumerate(own) if each["name"] == "Look for units of ways that are none any more"]
    return [*own[:cut], *(part("hotspot", "modem") if modem else []), *own[cut:]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for each in (UNITS, "etc/systemd/network", "etc/udev/rules.d", "usr/local/lib", "etc/marquee"):
        (tmp_path / each).mkdir(parents=True)
    (tmp_path / "files").symlink_to(ROLES / "hotspot/files")
    return tmp_path


OFFLINE = {"hotspot_start": False}


@pytest.mark.slow
@pytest.mark.system
def test_a_radio_that_has_another_name_brings_the_second_wifi_up_alone(folder: Path) -> None:
    settled(folder, "hotspot", uplinks(), hotspot_uplink_wifi="wlan1", hotspot_uplink_modem=False, **OFFLINE)
    assert links(folder) == {f"sys-subsystem-net-devices-wlan1.device {WIFI}"}
    played = settled(folder, "hotspot", uplinks(), hotspot_uplink_wifi="wlx0", hotspot_uplink_modem=False, **OFFLINE)
    assert links(folder) == {f"sys-subsystem-net-devices-wlx0.device {WIFI}"}
    assert "handled: Join the Wi-Fi with the other radio" in played.text


@pytest.mark.slow
@pytest.mark.system
def test_ways_to_the_cloud_that_are_taken_away_are_gone(folder: Path) -> None:
    (folder / "usr/libexec/marquee").mkdir(parents=True)
    both = [each for each in uplinks(modem=True) if "/usr/libexec" not in str(each)]
    settled(folder, "hotspot", both, hotspot_uplink_wifi="wlan1", hotspot_uplink_modem=True, **OFFLINE)
    assert {each.split()[1] for each in links(folder)} == {WIFI, MODEM}
    none = {"hotspot_uplink_wifi": "", "hotspot_uplink_modem": False}
    checked = play(folder, "hotspot", Round(uplinks(), {**none, **OFFLINE}, check=True))
    assert checked.status == 0 and {each.split()[1] for each in links(folder)} == {WIFI, MODEM}, checked.text
    settled(folder, "hotspot", uplinks(), **none, **OFFLINE)
    assert links(folder) == set()
    assert not [each for each in (WIFI, MODEM) if (folder / UNITS / each).exists()]


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize(
    ("role", "on", "off", "start", "units"),
    [
        ("database", "backup", "no_backup", "database_start", {"marquee-copy.timer"}),
        ("base", "ring", "no_ring", "base_start", {"marquee-log.timer", "marquee-log-end.service"}),
    ],
)
def test_a_timer_that_is_not_wanted_any_more_is_gone(
    folder: Path, role: str, on: str, off: str, start: str, units: set[str]
) -> None:
    given = {start: False, "database_backup_minutes": 5}
    settled(folder, role, part(role, on), **given)
    assert {each.split()[1] for each in links(folder)} == units
    [would] = play(folder, role, Round(part(role, off), given, check=True)).changed
    assert len(would) == 2 and len(links(folder)) == len(units)
    settled(folder, role, part(role, off), **given)
    assert links(folder) == set() and not list((folder / UNITS).glob("marquee-*"))
    assert not os.listdir(folder / "usr/local/lib")


@pytest.mark.slow
@pytest.mark.system
def test_a_radio_that_somebody_else_serves_now_is_no_access_point_any_more(folder: Path) -> None:
    unit = folder / UNITS / "hostapd.service"
    unit.write_text("[Service]\nExecStart=true\n[Install]\nWantedBy=multi-user.target\n", encoding="ascii")
    settled(folder, "hotspot", part("hotspot", "radio"), **OFFLINE)
    assert links(folder) == {"multi-user.target hostapd.service"}
    settled(folder, "hotspot", part("hotspot", "no_radio"), **OFFLINE)
    assert links(folder) == set() and not list((folder / UNITS).glob("hostapd.service.d/*"))


@pytest.mark.slow
@pytest.mark.system
def test_a_clock_chip_that_was_taken_out_is_not_told_of(folder: Path) -> None:
    named = ("Tell the kernel of the board's own clock chip", "Tell it of none, where there is none any more")
    told = [each for each in part("clock", "main") if each["name"] in named]
    rules = folder / "etc/udev/rules.d/60-marquee-clock.rules"
    settled(folder, "clock", told, clock_ds3231_bus="i2c-1")
    assert rules.exists()
    settled(folder, "clock", told, clock_ds3231_bus="")
    assert not rules.exists()


@pytest.mark.parametrize(
    ("role", "file", "start"),
    [
        ("hotspot", "uplinks", "hotspot_start"),
        ("hotspot", "no_radio", "hotspot_start"),
        ("database", "no_backup", "database_start"),
        ("base", "no_ring", "base_start"),
    ],
)
def test_what_is_switched_off_is_stopped_now_on_a_host_that_runs(role: str, file: str, start: str) -> None:
    asked = [each.get("ansible.builtin.systemd_service", {}) for each in tasks(role, file=file)]
    ended = [each for each in asked if each.get("enabled") is False]
    assert ended and all(each["state"] == f"{{{{ 'stopped' if {start} else omit }}}}" for each in ended)
