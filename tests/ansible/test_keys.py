"""What a device makes for itself at its first boot, and could not do without: whole or not there, whenever the plug is pulled."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.support.roles import render

KEY = "ssh_host_ed25519_key"


def ssh_key(folder: Path) -> str:
    return render("hardening", "marquee-ssh-key.service.j2", hardening_ssh_keys=str(folder))


def own_certificate(folder: Path) -> str:
    return render("portal", "marquee-own-certificate.service.j2", portal_own_certificate=str(folder / "own.pem"))


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)]


def wanted(text: str) -> bool:
    """Whether systemd would go on to make one, by its own judgement of the unit's conditions."""
    conditions = re.findall(r"^Condition.*$", text, re.MULTILINE)
    assert conditions
    return (
        subprocess.run(["systemd-analyze", "condition", *conditions], capture_output=True, check=False).returncode == 0
    )


def made(folder: Path) -> None:
    for each in commands(ssh_key(folder)):
        subprocess.run(each, stdin=subprocess.DEVNULL, capture_output=True, check=True)


@pytest.mark.system
@pytest.mark.parametrize("left", [{}, {KEY: ""}, {KEY: "", f"{KEY}.pub": "", f"{KEY}.new": "", f"{KEY}.new.pub": ""}])
def test_a_device_whose_power_was_cut_while_it_made_its_ssh_key_makes_one_at_its_next_boot(
    tmp_path: Path, left: dict[str, str]
) -> None:
    """An empty file is what such a cut leaves."""
    for name, text in left.items():
        (tmp_path / name).write_text(text)
    assert wanted(ssh_key(tmp_path))
    made(tmp_path)
    assert {each.name for each in tmp_path.iterdir()} == {KEY, f"{KEY}.pub"}
    assert (tmp_path / KEY).stat().st_mode & 0o777 == 0o600
    told = subprocess.run(["ssh-keygen", "-y", "-f", tmp_path / KEY], capture_output=True, text=True, check=True)
    assert told.stdout.split()[:2] == (tmp_path / f"{KEY}.pub").read_text().split()[:2]
    assert not wanted(ssh_key(tmp_path)), "a device that has a key keeps it"


@pytest.mark.parametrize("unit", [ssh_key, own_certificate])
def test_nothing_has_its_name_before_all_of_it_is_on_the_card(tmp_path: Path, unit) -> None:
    """Otherwise a power cut leaves a name with nothing behind it."""
    said = [[Path(words[0]).name, *words[1:]] for words in commands(unit(tmp_path))]
    moves = [number for number, words in enumerate(said) if words[0] == "mv"]
    assert moves
    for number in moves:
        source, target = said[number][1:]
        assert any(words[0] == "sync" and source in words for words in said[:number])
        assert ["sync", str(Path(target).parent)] in said[number:]
    names = {said[number][2] for number in moves}
    assert not [words for words in said if words[0] not in {"mv", "rm", "sync"} and names & set(words)]
