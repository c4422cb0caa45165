"""A firewall that nft would refuse never gets its place: the file of before stays, and the run fails, however often it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.playbooks import Round, play, tasks
from tests.support.programs import program
from tests.support.roles import ROLES

HOST, HOTSPOT = "etc/nftables.d/10-host.nft", "etc/nftables.d/20-hotspot.nft"
KEPT = "# The one of before.\n"


def laid(folder: Path, dest: str) -> Path:
    """A firewall that was there before."""
    path = folder / dest
    path.parent.mkdir(parents=True)
    path.write_text(KEPT, encoding="utf-8")
    return path


def guarding(role: str, name: str) -> list[dict[str, Any]]:
    """A task that writes firewalls, as whoever runs the tests."""
    [task] = tasks(role, name)
    module = {key: value for key, value in task["ansible.builtin.template"].items() if key not in {"owner", "group"}}
    return [{**task, "ansible.builtin.template": module}]


@pytest.mark.system
@pytest.mark.parametrize(
    ("role", "name", "dest", "bad"),
    [
        ("hardening", "Deny what is not allowed", HOST, {"hardening_open_tcp_ports": [88830]}),
        ("hotspot", "Guard the guests' side", HOTSPOT, {"hotspot_interface": "a-name-that-no-interface-has"}),
    ],
)
def test_one_that_nft_refuses_is_refused_by_every_run_and_never_written(
    tmp_path: Path, role: str, name: str, dest: str, bad: dict[str, Any]
) -> None:
    program("nft")
    path = laid(tmp_path, dest)
    for _ in range(2):
        played = play(tmp_path, role, Round(guarding(role, name), bad))
        assert played.status != 0, "a second run must not be green either"
        assert "failed to validate" in played.text
        assert path.read_text(encoding="utf-8") == KEPT
    played = play(tmp_path, role, Round(guarding(role, name)))
    assert played.status == 0, played.text
    assert "table inet marquee_" in path.read_text(encoding="utf-8")
    assert "handled: Load the" in played.text


REFUSE = "Refuse names in the place of addresses"
WELL: dict[str, list[Any]] = {
    "hardening_management_from": ["10.20.0.0/24", "10.20.0.7/24", "192.0.2.7", "fd00::/8", "2001:db8::7"],
    "hardening_open_tcp_ports_from": [{"port": 443, "from": ["10.20.0.0/24"]}, {"port": 9, "interfaces": ["wg0"]}],
}


NAMES = {
    "hardening_management_from": [*WELL["hardening_management_from"], "localhost", "10.20.0.1-10.20.0.9"],
    "console_name": "box.example.org",
    "console_operators_from": ["10.20.0.0/24", "vpn.example.org/32"],
}


def test_a_name_where_an_address_belongs_is_refused_before_anything_is_changed(tmp_path: Path) -> None:
    """nft takes names while somebody answers for them, and at boot nobody does."""
    played = play(tmp_path, "hardening", Round(tasks("hardening", REFUSE), NAMES))
    assert played.status != 0
    assert "for: localhost, 10.20.0.1-10.20.0.9, vpn.example.org\n" in played.text, played.text
    first = yaml.safe_load((ROLES / "hardening/tasks/main.yml").read_text(encoding="utf-8"))
    assert REFUSE in [each["name"] for each in first[:2]]


def test_addresses_and_networks_of_both_kinds_are_taken(tmp_path: Path) -> None:
    played = play(tmp_path, "hardening", Round(tasks("hardening", REFUSE), WELL))
    assert played.status == 0, played.text
