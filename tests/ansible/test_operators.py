"""Whose key opens a host: that of nobody who was sent away."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.support.pages import ROOT
from tests.support.roles import render

DEVICE = "/var/lib/marquee-ops/authorized_keys"


def files(*, start: bool) -> list[str]:
    """Where sshd looks for keys; ``start``: on a host that runs, not in an image."""
    text = render("hardening", "sshd.conf.j2", hardening_start=start)
    return re.findall(r"^AuthorizedKeysFile (.*)$", text, re.MULTILINE)[0].split()


def test_a_host_of_an_inventory_takes_no_key_but_the_inventorys() -> None:
    """One of the provisioning file would stay when its owner is taken out of hardening_ops_keys."""
    assert files(start=True) == [".ssh/authorized_keys"]


def test_an_image_takes_those_of_its_provisioning_file() -> None:
    assert DEVICE in files(start=False)
    unit = render("identity", "marquee-first-boot.service.j2")
    assert f"--ssh-keys {DEVICE} " in unit


def test_a_key_is_taken_away_from_a_flashed_device_as_the_page_says(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    [command] = re.findall(rf"^ssh ops@hall-1 '(sudo sed .* {DEVICE})'$", page, re.MULTILINE)
    [example] = re.findall(r"AAAA\w+", command)
    gone, other = (f"AAAAC3NzaC1lZDI1NTE5AAAAIH/x+y/{each}" for each in "zw")
    path = tmp_path / "authorized_keys"
    path.write_text(f"ssh-ed25519 {other} anna\nssh-ed25519 {gone} ben@office\nssh-rsa AAAAB3 cleo\n", encoding="utf-8")
    said = command.replace("sudo ", "").replace(example, gone).replace(DEVICE, str(path))
    subprocess.run(["sh", "-c", said], check=True)
    assert [line.split()[-1] for line in path.read_text(encoding="utf-8").splitlines()] == ["anna", "cleo"]
