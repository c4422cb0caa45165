"""Builds two Debian 13 roots from the host's own package sources: a venue's, and the cloud's with broker and database.

Which packages they have is what the roles name, so that a run installs nothing and needs no network.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.system.guest.root import SUITE, _sources

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
KEPT_S = 14 * 86400
_BLANK = re.compile(r"{{ (\w+) }}")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Roots:
    """Two folders, each a whole system; who boots one lays something over it."""

    venue: Path
    cloud: Path


def roots(say: Say, cache: Path | None = None) -> Roots:
    """Return the roots, built now unless the cache has them; needs root and mmdebstrap."""
    folder = cache or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marquee" / "fleet"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {"venue": packages("Venues"), "cloud": packages("Cloud")}
    kept = {kind: folder / f"{kind}-{_key(names)}" for kind, names in wanted.items()}
    with (folder / "lock").open("w") as lock:
        # A second one would build the same; it waits for the first instead.
        fcntl.flock(lock, fcntl.LOCK_EX)
        for kind, path in kept.items():
            if not path.exists():
                say(
                    f"Debian {SUITE} as the {kind}'s root: {len(wanted[kind])} packages and what they need (a minute or two) ..."
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
    return hashlib.sha256(b"\0".join([Path(__file__).read_bytes(), " ".join(names).encode()])).hexdigest()[:24]


def _build(kept: Path, names: tuple[str, ...]) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as name:
        work = Path(name)
        with _sources(work) as sources:
            _run(
                "mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory", f"--include={','.join(names)}",
                '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io", *_left_out(),
                SUITE, str(work / "root"), str(sources),
            )  # fmt: skip
        _as_delivered(work / "root")
        (work / "root").rename(kept)


def _left_out() -> tuple[str, ...]:
    return tuple(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale", "info"))


def _as_delivered(root: Path) -> None:
    """What whoever installs a host leaves: an account that may become root, the network by DHCP, nothing of the building machine."""
    _run("chroot", str(root), "useradd", "--create-home", "--shell", "/bin/bash", USER)
    (root / "etc/sudoers.d/installed").write_text(f"{USER} ALL=(ALL:ALL) NOPASSWD: ALL\n")
    (root / "etc/sudoers.d/installed").chmod(0o440)
    (root / "etc/systemd/network/80-installed.network").write_text("[Match]\nName=eth0\n[Network]\nDHCP=yes\n")
    _run("chroot", str(root), "systemctl", "--quiet", "enable", "systemd-networkd.service")
    # Nothing waits for a network, nothing looks for packages, no console is asked for a name.
    _run("chroot", str(root), "systemctl", "--quiet", "mask", "systemd-networkd-wait-online.service", "apt-daily.timer", "apt-daily-upgrade.timer", "console-getty.service", "systemd-firstboot.service")  # fmt: skip
    for each in (root / "etc/ssh").glob("ssh_host_*"):
        each.unlink()
    (root / "etc/resolv.conf").unlink(missing_ok=True)


def _forget_old(folder: Path, kept: set[Path]) -> None:
    """Remove what no run has used for a while, and what an interrupted one left."""
    now_s = time.time()
    for each in kept:
        os.utime(each)
    for each in folder.iterdir():
        if each.name.startswith("building-") or (each.is_dir() and now_s - each.stat().st_mtime > KEPT_S):
            shutil.rmtree(each)


def _run(*command: str) -> None:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[0]} failed ({done.returncode}):\n{done.stdout[-4000:]}")
