"""The base: Debian for the board with every layer's packages, by mmdebstrap, as one archive."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from image.layers import Layer
from image.run import Programs
from image.sources import ARCHITECTURE, RELEASE

ARCHIVE = "base.tar"
# Manuals, translations and documentation stay out; what a package's licence says stays in.
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
LEFT_IN = ("/usr/share/doc/*/copyright",)
# Debian's hooks write a boot partition of their own idea; ours is written by the build. One is called by its package's script.
EMPTY_HOOK = "etc/kernel/postinst.d/z50-raspi-firmware"
NO_HOOKS = tuple(f"/etc/{each}/z50-raspi-firmware" for each in ("kernel/postinst.d", "kernel/postrm.d", "initramfs/post-update.d"))  # fmt: skip


def packages(layers: Sequence[Layer], board: Sequence[str]) -> list[str]:
    """Return every package once, in the order of the alphabet."""
    return sorted({*board, *(each for layer in layers for each in layer.packages)})


def users(layers: Sequence[Layer]) -> dict[str, int]:
    """Return the numbers that users and groups have in every image: files on the data partition outlive an update."""
    return {name: number for layer in layers for name, number in sorted(layer.users.items())}


def hook(numbers: dict[str, int]) -> str:
    """Return a script that gives users their numbers before a package's script asks for any, and lays the empty hook."""
    lines = [
        "set -eu",
        f'mkdir -p "$1/{Path(EMPTY_HOOK).parent}" && echo "#!/bin/sh" >"$1/{EMPTY_HOOK}" && chmod 755 "$1/{EMPTY_HOOK}"',
    ]
    for name, number in numbers.items():
        lines += [
            f'echo {shlex.quote(f"{name}:x:{number}:")} >>"$1/etc/group"',
            f'echo {shlex.quote(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin")} >>"$1/etc/passwd"',
            f'echo {shlex.quote(f"{name}:!*:::::::")} >>"$1/etc/shadow"',
            f'echo {shlex.quote(f"{name}:!::")} >>"$1/etc/gshadow"',
        ]
    return "\n".join(lines) + "\n"


def make(work: Path, programs: Programs, sources: str, wanted: Sequence[str], numbers: dict[str, int]) -> None:
    """Install the packages into an archive; slow where the build host's processor is another than the board's."""
    listed, script = work / "base.sources", work / "users.sh"
    listed.write_text(sources)
    script.write_text(hook(numbers))
    programs.apart(
        "mmdebstrap", "--mode=root", f"--architectures={ARCHITECTURE}", "--variant=minbase", f"--include={','.join(wanted)}",
        '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io",
        *(f"--dpkgopt=path-exclude={each}" for each in (*LEFT_OUT, *NO_HOOKS)),
        *(f"--dpkgopt=path-include={each}" for each in LEFT_IN),
        f'--essential-hook=sh {shlex.quote(str(script))} "$1"',
        RELEASE, str(work / ARCHIVE), str(listed),
        # The initial RAM disk is made once, later, of what the layers list.
        env={"TMPDIR": str(work), "INITRD": "No"},
    )  # fmt: skip


def unpacked(base: Path, tree: Path, programs: Programs) -> None:
    """Unpack the base into a folder."""
    tree.mkdir(mode=0o755)
    programs.run("tar", "-C", str(tree), "--numeric-owner", "--xattrs", "-xpf", str(base / ARCHIVE))
