"""The doctor on an uplink in the guests' own network: replies would go to the wrong side, and nothing else would say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.doctor.networks import uplinks
from appliance.settings import read_settings

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT"
WIFI = "wlan0\t0004A8C0\t00000000\t0001\t0\t0\t0\t00FCFFFF\t0\t0\t0"
AWAY = "end0\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0"
APART = "end0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0"
INSIDE = "end0\t0005A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0"
AROUND = "wlan1\t0000A8C0\t00000000\t0001\t0\t0\t300\t0000FFFF\t0\t0\t0"
LED_ON = "end0\t0005A8C0\t0101A8C0\t0003\t0\t0\t100\t00FFFFFF\t0\t0\t0"


def told(folder: Path, *routes: str, hotspot: str = "hostapd:///run/hostapd/wlan0") -> list[tuple[str, str]]:
    """What is found with these lines in the kernel's table."""
    table = folder / "route"
    table.write_text("\n".join((HEAD, *routes)) + "\n", encoding="ascii")
    found = uplinks(read_settings(None, {"MARQUEE_DESK_HOTSPOT": hotspot}), table)
    return [(each.state, each.detail.partition(":")[0]) for each in found]


def test_an_uplink_with_a_network_of_its_own_is_well(tmp_path: Path) -> None:
    expected = [("ok", "guests are in 192.168.4.0/22, and no uplink is")]
    assert told(tmp_path, AWAY, APART, WIFI) == told(tmp_path, AWAY, APART, LED_ON, WIFI) == expected


@pytest.mark.parametrize(
    ("route", "words"),
    [(INSIDE, "end0 leads to 192.168.5.0/24"), (AROUND, "wlan1 leads to 192.168.0.0/16")],
)
def test_one_in_the_guests_network_or_around_it_is_named(tmp_path: Path, route: str, words: str) -> None:
    assert told(tmp_path, AWAY, WIFI, route, APART) == [("warn", f"{words}, and guests are in 192.168.4.0/22")]


@pytest.mark.parametrize("hotspot", ["", "sim://hotspot"])
def test_where_no_access_point_says_which_interface_is_the_guests_nothing_is_said(tmp_path: Path, hotspot: str) -> None:
    assert told(tmp_path, WIFI, INSIDE, hotspot=hotspot) == []


def test_a_radio_that_is_not_there_yet_is_not_judged(tmp_path: Path) -> None:
    assert told(tmp_path, AWAY, APART) == []


def test_the_kernels_own_table_is_understood() -> None:
    settings = read_settings(None, {"MARQUEE_DESK_HOTSPOT": "hostapd:///run/hostapd/lo"})
    assert list(uplinks(settings)) == []
