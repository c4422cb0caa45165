"""The tools root: a small Debian for the build host's processor whose mkfs, mtools, rauc and xz make the image, whatever the host has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from image.run import Programs
from image.sources import RELEASE

PACKAGES = ("erofs-utils", "dosfstools", "mtools", "rauc", "squashfs-tools", "xz-utils", "e2fsprogs", "bmap-tools", "fdisk", "openssl", "zstd", "python3", "python3-apt")  # fmt: skip
# Where the folder of a step, and those it builds on, are seen inside.
WORK, HAVE = "/work", "/have"


def make(work: Path, programs: Programs, sources: str) -> None:
    """Install the tools into ``work``/root."""
    root = work / "root"
    listed = work / "tools.sources"
    listed.write_text(sources)
    programs.apart(
        "mmdebstrap", "--mode=root", "--variant=minbase", f"--include={','.join(PACKAGES)}", "--format=directory",
        '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io", "--skip=cleanup/reproducible",
        RELEASE, str(root), str(listed),
        env={"TMPDIR": str(work)},
    )  # fmt: skip
    for name in (WORK, HAVE):
        (root / name.lstrip("/")).mkdir()


def use(tools: Path, programs: Programs, work: Path, *command: str, have: Mapping[str, Path] | None = None) -> None:
    """Run a tool; it sees the step's folder as /work and other steps' folders as /have/NAME."""
    root = tools / "root"
    binds = {WORK: work}
    for name, path in (have or {}).items():
        (root / HAVE.lstrip("/") / name).mkdir(exist_ok=True)
        binds[f"{HAVE}/{name}"] = path
    programs.within(root, *command, binds=binds)
