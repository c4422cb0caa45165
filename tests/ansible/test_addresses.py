"""The role `hotspot` takes no address away that somebody comes in by: it looks who gave it, and stops before anything is changed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2.nativetypes import NativeEnvironment

from tests.support.roles import ROLES, defaults, render

HOTSPOT = ROLES / "hotspot"
OURS, OWN_EARLY, OWN_LATE = "20-marquee-uplink-wired.network", "10-netplan-all.network", "80-installed.network"
STATIC = [{"family": "inet", "local": "10.20.0.11", "scope": "global"}]
LEASED = [{"family": "inet", "local": "10.20.0.11", "scope": "global", "dynamic": True}]
# What any interface that is up has of itself.
OF_ITSELF = [
    {"family": "inet6", "local": "fe80::1", "scope": "link"},
    {"family": "inet6", "local": "2001:db8::1", "scope": "global", "dynamic": True},
]


def networks(**given: Any) -> list[dict[str, Any]]:
    """`hotspot_networks` as Ansible makes it of the role's inputs."""
    variables, native = {**defaults("hotspot"), **given}, NativeEnvironment()

    def filled(value: Any) -> Any:
        return native.from_string(value).render(**variables) if isinstance(value, str) and "{{" in value else value

    found = yaml.safe_load((HOTSPOT / "vars/main.yml").read_text(encoding="utf-8"))["hotspot_networks"]
    return [
        {
            key: [filled(each) for each in value] if isinstance(value, list) else filled(value)
            for key, value in each.items()
        }
        for each in found
    ]


def networkd(source: str, file: str = "") -> dict[str, Any]:
    """What networkd 257 says of an interface with this address (networkctl --json)."""
    address = {"Family": 2, "Address": [10, 20, 0, 11], "PrefixLength": 24, "Scope": 0, "ConfigSource": source}
    linked = {"Family": 10, "Address": [0xFE, 0x80, *[0] * 13, 1], "ConfigSource": "foreign"}
    used = {"NetworkFile": f"/etc/systemd/network/{file}"} if file else {}
    return {"Addresses": [address, linked], **used}


def refused(
    tmp_path: Path, interface: str, addresses: list[dict[str, Any]], told: dict[str, Any] | None, **given: Any
) -> list[str]:
    """Lines of the script on a host with this interface; ``told``: what networkd says of it, None where it does not run."""
    shown = [{"ifname": "lo", "addr_info": [{"family": "inet", "local": "127.0.0.1", "scope": "host"}]}]
    shown.append({"ifname": interface, "addr_info": [*addresses, *OF_ITSELF]} | given.pop("more", {}))
    says = {
        "ip": f"echo '{json.dumps(shown)}'",
        "networkctl": f"echo '{json.dumps({'Interfaces': [{'Name': 'lo'}, {'Name': interface, **(told or {})}]})}'",
        "systemctl": "exit 3" if told is None else "exit 0",
    }
    for name, script in says.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-", json.dumps(networks(**given))],
        input=(HOTSPOT / "files/foreign_addresses.py").read_text(encoding="utf-8"),
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.splitlines()


@pytest.mark.parametrize("addresses", [STATIC, LEASED], ids=["static", "dhcp"])
@pytest.mark.parametrize(
    "told", [None, {}, networkd("foreign")], ids=["no networkd", "unknown to it", "left alone by it"]
)
def test_an_address_of_ifupdown_or_networkmanager_is_not_taken(
    tmp_path: Path, addresses: list[dict[str, Any]], told: dict[str, Any] | None
) -> None:
    assert refused(tmp_path, "enp1s0", addresses, told) == ["enp1s0 hotspot_uplink_wired"]


def test_a_file_of_the_operator_is_not_overruled(tmp_path: Path) -> None:
    assert refused(tmp_path, "enp1s0", STATIC, networkd("static", "50-static.network")) == [
        "enp1s0 hotspot_uplink_wired"
    ]
    assert refused(tmp_path, "enp1s0", STATIC, networkd("static", OWN_EARLY)) == [], "that one goes on winning"


@pytest.mark.parametrize("file", [OWN_EARLY, OURS, OWN_LATE])
def test_what_networkd_got_by_dhcp_it_gets_again(tmp_path: Path, file: str) -> None:
    """A host of a cloud, one that the role set up before, and one as it was delivered."""
    assert refused(tmp_path, "eth0", LEASED, networkd("DHCPv4", file)) == []


def test_what_an_operator_added_to_our_file_stays(tmp_path: Path) -> None:
    assert refused(tmp_path, "end0", STATIC, networkd("static", OURS)) == []


def test_interfaces_that_no_input_names_are_nobodys_business(tmp_path: Path) -> None:
    assert refused(tmp_path, "enp1s0", STATIC, None, hotspot_uplink_wired=[]) == []
    assert refused(tmp_path, "wwan0", STATIC, {}) == [], "a modem's unit sets that"
    assert refused(tmp_path, "enp1s0", [], None) == [], "a cable that leads nowhere"


def test_every_input_that_takes_it_is_named(tmp_path: Path) -> None:
    """Debian 13 gives cards a second name made of their hardware address, by which networkd finds them too; they are no sticks for it."""
    found = refused(tmp_path, "enp1s0", STATIC, None, more={"altnames": ["enx525400000001"]})
    assert found == ["enp1s0 hotspot_uplink_wired"]
    assert refused(tmp_path, "enx525400000001", STATIC, None) == [
        "enx525400000001 hotspot_uplink_usb hotspot_uplink_wired"
    ]
    assert refused(tmp_path, "wlan0", LEASED, None) == ["wlan0 hotspot_interface"]
    assert refused(tmp_path, "wlan1", LEASED, None) == ["wlan1 hotspot_uplink_wifi"]
    assert refused(tmp_path, "wlan1", LEASED, None, hotspot_uplink_wifi="") == []


def test_the_role_looks_before_it_does_anything_and_in_check_mode_too() -> None:
    first = yaml.safe_load((HOTSPOT / "tasks/main.yml").read_text(encoding="utf-8"))[0]
    assert (first["ansible.builtin.include_tasks"], first["when"]) == ("addresses.yml", "hotspot_start")
    ask, stop = yaml.safe_load((HOTSPOT / "tasks/addresses.yml").read_text(encoding="utf-8"))
    assert (ask["check_mode"], ask["changed_when"]) == (False, False)
    told = stop["ansible.builtin.assert"]
    assert ask["register"] in told["that"] and ask["register"] in told["fail_msg"]
    assert "hotspot_uplink_wired" in told["fail_msg"] and "docs/hosts.md" in told["fail_msg"]


def test_a_static_address_outlasts_that_networkd_takes_its_interface() -> None:
    """Should one come later: it is the role's second line, and keeps who sits in the same network from being locked out."""
    for each in networks():
        if "metric" in each:
            text = render("hotspot", "uplink.network.j2", ("item",), item=each)
            assert "\nKeepConfiguration=static\n" in text.partition("[Network]")[2].partition("[DHCPv4]")[0]


def test_a_card_is_no_stick_by_the_second_name_that_it_has_from_its_hardware_address() -> None:
    """Seen on a booted image: its cable had the metric of a stick, and so none was the better way."""
    ways = {
        each["file"]: render("hotspot", "uplink.network.j2", ("item",), item=each)
        for each in networks()
        if "metric" in each
    }
    of_sticks = [file for file, text in ways.items() if "\nProperty=ID_BUS=usb\n" in text.partition("[Link]")[0]]
    assert of_sticks == ["15-marquee-uplink-usb"]
