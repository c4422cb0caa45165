"""What a build needs of its host, told before anything is begun."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30
# program -> Debian's package that brings it.
PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "arch-test": "arch-test",
    "unshare": "util-linux",
    "chroot": "coreutils",
    "tar": "tar",
    "git": "git",
}
EMULATOR = Path("/proc/sys/fs/binfmt_misc/qemu-aarch64")
# Archive, two roots and an image lie beside each other.
DISK_GIB = 12


@dataclass(frozen=True)
class Need:
    """Something that is there or not; ``remedy`` is what to type when it is not."""

    what: str
    there: bool
    remedy: str = ""


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def needs(
    cache: Path, operations: Path, which: Callable[[str], str | None] = _which, machine: str = os.uname().machine
) -> list[Need]:
    """Return all that a build needs."""
    foreign = machine != "aarch64"
    return [
        Need("root, for file owners and mounts", os.geteuid() == 0, "run it as root, with sudo for example"),
        *(Need(f"program {name}", bool(which(name)), f"apt-get install {package}") for name, package in PROGRAMS.items()),
        Need("programs for arm64 run here (binfmt)", not foreign or EMULATOR.exists(), "apt-get install qemu-user-static binfmt-support"),
        Need("Ansible of this project", operations.exists(), ".ci/setup ops"),
        Need(f"{DISK_GIB} GiB free below {cache}", _free(cache) >= DISK_GIB * GIB, "make room, or name another folder in XDG_CACHE_HOME"),
    ]  # fmt: skip


def told(found: list[Need]) -> str:
    """Return the list for a person."""
    lines = [
        f"  {'yes' if each.there else 'NO ':3} {each.what}{'' if each.there else f'  ->  {each.remedy}'}"
        for each in found
    ]
    return "\n".join(["What the build needs:", *lines])


def _free(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free
