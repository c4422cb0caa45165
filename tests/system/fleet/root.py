"""Builds two Debian 13 roots from the host's own package sources: a venue's, and the cloud's with broker and database.

Which packages they have is what the roles name, so that a run installs nothing and needs no network.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.system import debian
from tests.system.debian import Say, run

PROJECT = Path(__file__).parents[3]
ROLES, BOOK = PROJECT / "ansible" / "roles", PROJECT / "ansible" / "site.yml"
# What a rented or freshly installed host has before anybody comes: an init, a network, SSH, sudo and Python.
BARE = (
    "systemd-sysv",
    "systemd-resolved",
    "udev",
    "dbus",
    "iproute2",
    "openssh-server",
    "sudo",
    "python3",
    "ca-certificates",
)
USER = "ops"
_BLANK = re.compile(r"{{ (\w+) }}")


@dataclass(frozen=True)
class Roots:
    """Two folders, each a whole system; who boots one lays something over it."""

    venue: Path
    cloud: Path


def roots(say: Say, cache: Path | None = None) -> Roots:
    """Return the roots, built now unless the cache has them; needs root and mmdebstrap."""
    folder = cache or debian.cache("fleet")
    wanted = {"venue": packages("Venues"), "cloud": packages("Cloud")}
    kept = {kind: folder / f"{kind}-{_key(names)}" for kind, names in wanted.items()}
    with debian.alone(folder):
        for kind, path in kept.items():
            if not path.exists():
                say(
                    f"Debian {debian.SUITE} as the {kind}'s root: {len(wanted[kind])} packages and what they need (a minute or two) ..."
                )
                _build(path, wanted[kind])
        _forget_old(folder, set(kept.values()))
    return Roots(**kept)


def packages(play: str) -> tuple[str, ...]:
    """Return the Debian packages that the roles of a play of site.yml install, and those of a bare host."""
    found = set(BARE)
    for book in yaml.safe_load(BOOK.read_text("utf-8")):
        if book["name"] == play:
            for entry in book["roles"]:
                found |= set(_of_role(entry["role"]))
    return tuple(sorted(found))


def _of_role(role: str) -> Iterable[str]:
    path = ROLES / role / "defaults" / "main.yml"
    given: dict[str, Any] = (yaml.safe_load(path.read_text("utf-8")) or {}) if path.exists() else {}
    for book in sorted((ROLES / role / "tasks").glob("*.yml")):
        for task in yaml.safe_load(book.read_text("utf-8")) or ():
            named = task.get("ansible.builtin.apt", {}).get("name", ())
            whole = _BLANK.fullmatch(named) if isinstance(named, str) else None
            names = given[whole[1]] if whole else [named] if isinstance(named, str) else named
            yield from (_BLANK.sub(lambda blank: str(given[blank[1]]), each) for each in names)


def _key(names: tuple[str, ...]) -> str:
    return hashlib.sha256(
        b"\0".join([Path(__file__).read_bytes(), debian.RECIPE, " ".join(names).encode()])
    ).hexdigest()[:24]


def _build(kept: Path, names: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as name:
        work = Path(name)
        debian.install(work, work / "root", names, "--format=directory")
        _as_delivered(work / "root")
        (work / "root").rename(kept)


def _as_delivered(root: Path) -> None:
    """What whoever installs a host leaves: an account that may become root, the network by DHCP, nothing of the building machine."""
    run("chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", USER)
    (root / "etc/sudoers.d/installed").write_text(f"{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n")
    (root / "etc/sudoers.d/installed").chmod(0o440)
    (root / "etc/systemd/network/80-installed.network").write_text("[Match]\nName=eth0\n[Network]\nDHCP=yes\n")
    run("chroot", str(root), "systemctl", "--quiet", "enable", "systemd-networkd.service")
    # Nothing waits for a network, nothing looks for packages, no console is asked for a name.
    run("chroot", str(root), "systemctl", "--quiet", "mask", "systemd-networkd-wait-online.service", "apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service", "systemd-firstboot.service")  # fmt: skip
    for each in (root / "etc/ssh").glob("ssh_host_*"):
        each.unlink()
    (root / "etc/resolv.conf").unlink(missing_ok=True)


def _forget_old(folder: Path, kept: set[Path]) -> None:
    """Remove what no run has used for a while, and what an interrupted one left."""
    for each in kept:
        os.utime(each)
    debian.forget_old(folder)
