"""What the device's data lie on: a flush must reach the disk, and a disk it must be."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.doctor.findings import Finding, fail, ok, warn
from appliance.settings import Settings

MOUNTS = Path("/proc/self/mountinfo")
IN_MEMORY = frozenset({"tmpfs", "ramfs", "ramdisk"})
# No journal, or no idea of who owns what: a power cut or another user takes what is on them.
UNFIT = frozenset({"vfat", "exfat", "msdos", "nfs", "nfs4", "cifs", "9p"})
# A flush ends in the disk's own memory, or behind what it should have come after.
UNSAFE = frozenset({"nobarrier", "barrier=0", "data=writeback"})
REMOUNT = "Mount it with its defaults and noatime; see the role `database`."


@dataclass(frozen=True)
class Mount:
    """A line of proc(5) mountinfo: where, which file system, and all options."""

    point: str
    type: str
    options: frozenset[str]


def mount_of(folder: Path, mounts: str) -> Mount | None:
    """Return what ``folder`` (absolute, without links) lies on: of those around it the nearest, of several there the last."""
    found: Mount | None = None
    for line in mounts.splitlines():
        left, dash, right = line.partition(" - ")
        fields, told = left.split(), right.split()
        if not dash or len(fields) < 6 or len(told) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
        around = folder == Path(point) or Path(point) in folder.parents
        if around and (found is None or len(point) >= len(found.point)):
            found = Mount(point, told[0], frozenset(f"{fields[5]},{told[2]}".split(",")))
    return found


def judged(mount: Mount) -> Finding:
    """What a file system of this kind does to bookings."""
    words = f"{mount.type} at {mount.point}"
    if unsafe := sorted(mount.options & UNSAFE):
        return fail("file system", f"{words} is mounted with {', '.join(unsafe)}: a power cut loses bookings", REMOUNT)
    if "ro" in mount.options:
        return fail(
            "file system", f"{words} cannot be written", "Look at the kernel's log: after an error it stays so."
        )
    if mount.type in IN_MEMORY:
        return warn("file system", f"{words} is in memory: every booking is gone with the power", "Mount a disk there.")
    if mount.type in UNFIT:
        return warn(
            "file system",
            f"{words} keeps no promise of a flush",
            "Put device.data on ext4 or another of the kernel's own.",
        )
    return ok("file system", words)


def filesystem(settings: Settings) -> Iterator[Finding]:
    """What ``device.data`` lies on."""
    folder = Path(os.path.realpath(settings.device.data))
    mount = mount_of(folder, MOUNTS.read_text(encoding="utf-8", errors="replace"))
    if mount is not None:
        yield judged(mount)
