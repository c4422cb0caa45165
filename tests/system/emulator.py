"""QEMU of Debian 13, which emulates a third faster than Debian 12's; what the host has installed does not matter.

It is unpacked into a folder of the cache and run from there by its own loader and libraries: nothing is installed on the host.
"""

from __future__ import annotations

import functools
import hashlib
import os
import tempfile
from pathlib import Path

from tests.system import debian

PACKAGES = ("qemu-system-arm", "qemu-system-x86")


@functools.cache
def command(name: str) -> tuple[str, ...]:
    """Return the words that begin a call of that program of QEMU, installed now unless the cache has it; needs root and mmdebstrap."""
    tree = _tree()
    libraries = next((tree / "usr/lib").glob("*-linux-gnu"))
    loader = next(libraries.glob("ld-linux-*.so.?"), None) or next((tree / "usr/lib").glob("ld-linux-*.so.?"))
    program = tree / "usr/bin" / name
    if not program.exists():
        raise SystemExit(f"QEMU of Debian {debian.SUITE} has no {name}")
    return (str(loader), "--library-path", str(libraries), str(program), "-L", str(tree / "usr/share/qemu"), "-L", str(tree / "usr/share/seabios"))  # fmt: skip


def _tree() -> Path:
    folder = debian.cache("emulator")
    kept = folder / hashlib.sha256(" ".join(PACKAGES).encode() + debian.RECIPE).hexdigest()[:24]
    with debian.alone(folder):
        if not kept.exists():
            with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as name:
                debian.install(Path(name), Path(name) / "tree", PACKAGES, variant="extract")
                (Path(name) / "tree").rename(kept)
        os.utime(kept)
        debian.forget_old(folder)
    return kept
