"""Inputs of different roles that mean one thing: written once, and refused where they contradict each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jinja2.nativetypes import NativeEnvironment

from tests.support.playbooks import Round, play, tasks
from tests.support.roles import defaults

VENUE, CLOUD = ("identity", "hotspot", "portal"), ("cloud", "broker")
# Each name that follows, and what it follows, both as they are after the one was changed.
FOLLOWING = [
    (VENUE, "hotspot_address", "10.77.0.1", "portal_address", "10.77.0.1"),
    (VENUE, "hotspot_catch_address", "198.51.100.1", "portal_catch_address", "198.51.100.1"),
    (VENUE, "hotspot_portal_name", "box.home.arpa", "portal_name", "box.home.arpa"),
    (VENUE, "hotspot_portal_name", "box.home.arpa", "identity_public_url", "http://box.home.arpa"),
    (VENUE, "portal_secure_name", "v7.example.org", "hotspot_secure_name", "v7.example.org"),
    (VENUE, "hotspot_options_file", "/run/o", "portal_options_file", "/run/o"),
    (VENUE, "hotspot_hosts_file", "/run/h", "portal_hosts_file", "/run/h"),
    (VENUE, "hotspot_pid_file", "/run/p", "portal_dnsmasq_pid_file", "/run/p"),
    (VENUE, "hotspot_leases_file", "/var/lib/l", "identity_leases_file", "/var/lib/l"),
    (VENUE, "portal_guest_socket", "/run/g", "identity_portal_socket", "/run/g"),
    (VENUE, "portal_staff_socket", "/run/s", "identity_staff_socket", "/run/s"),
    (VENUE, "portal_seen_socket", "", "identity_seen_socket", ""),
    (CLOUD, "cloud_broker_port", 9883, "broker_port", 9883),
]


def filled(name: str, roles: tuple[str, ...], **given: Any) -> Any:
    """A default as Ansible makes it where these roles are played together, or one of them alone."""
    known = {key: value for role in roles for key, value in defaults(role).items()} | given
    value = known[name]
    return NativeEnvironment().from_string(value).render(**known) if isinstance(value, str) and "{{" in value else value


@pytest.mark.parametrize(("roles", "leads", "value", "follows", "then"), FOLLOWING)
def test_what_means_the_same_is_written_once(
    roles: tuple[str, ...], leads: str, value: Any, follows: str, then: Any
) -> None:
    assert filled(follows, roles, **{leads: value}) == then
    alone = next(role for role in roles if follows in defaults(role))
    assert filled(follows, (alone,)) == filled(follows, roles), "a role that is played alone means the same"


FIT = "Refuse addresses that do not fit together"


def contradicted(folder: Path, **given: Any) -> list[str]:
    """Which of the names that are ``given`` the role complains of."""
    played = play(folder, "hotspot", Round(tasks("hotspot", FIT), given))
    found = [each for each in given if f"{each} {given[each]} " in played.text]
    assert (played.status != 0) == bool(found), played.text
    return found


def test_another_network_is_taken_whole(tmp_path: Path) -> None:
    given = {"hotspot_address": "10.77.0.1", "hotspot_netmask": "255.255.255.128"}
    assert contradicted(tmp_path, **given, hotspot_first="10.77.0.2", hotspot_last="10.77.0.126") == []


def test_addresses_outside_the_network_and_a_portal_elsewhere_are_named(tmp_path: Path) -> None:
    given = {
        "hotspot_first": "192.168.8.20",
        "hotspot_last": "192.168.3.250",
        "portal_address": "192.168.5.1",
        "portal_name": "other.home.arpa",
        "hotspot_netmask": "255.255.252.0",
    }
    assert contradicted(tmp_path, **given) == list(given)[:-1]


def test_what_is_no_address_is_named_before_anything_is_made_of_it(tmp_path: Path) -> None:
    played = play(tmp_path, "hotspot", Round(tasks("hotspot", FIT), {"hotspot_address": "192.168.4", "hotspot_netmask": "/22"}))
    assert played.status != 0
    assert "192.168.4 is no IPv4 address. /22 is no IPv4 address." in played.text, played.text
