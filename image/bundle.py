"""The signed bundle: what an update writes into the other slot, for devices of one kind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from image import system, tools
from image.boards import Board
from image.run import Programs
from image.signing import Signing
from image.table import Layout

BUNDLE = "marquee.raucb"
_MANIFEST = """\
[update]
compatible={compatible}
version={version}
build={epoch}

[bundle]
format=verity

[hooks]
filename=hook

[image.rootfs]
filename=root.img
adaptive=block-hash-index

[image.boot]
filename=boot.vfat
hooks=post-install
"""
_HOOK = """\
#!/bin/sh
# One bundle serves both slots: the command line on the boot partition must name the root of the slot that it was written to.
set -eu
[ "$1" = slot-post-install ] || exit 0
case "$RAUC_SLOT_BOOTNAME" in
A) root={root_a} ;;
B) root={root_b} ;;
*) echo "slot $RAUC_SLOT_NAME is called $RAUC_SLOT_BOOTNAME" >&2; exit 1 ;;
esac
file="$RAUC_SLOT_MOUNT_POINT/cmdline.txt"
sed "s/root=PARTUUID=[0-9a-f-]*/root=PARTUUID=$root/; s/rauc.slot=[AB]/rauc.slot=$RAUC_SLOT_BOOTNAME/" "$file" >"$file.new"
grep -q "root=PARTUUID=$root " "$file.new"
mv "$file.new" "$file"
sync "$RAUC_SLOT_MOUNT_POINT"
"""


def manifest(board: Board, version: str, epoch: int) -> str:
    """Return manifest.raucm."""
    return _MANIFEST.format(compatible=board.compatible, version=version, epoch=epoch)


def hook(layout: Layout) -> str:
    """Return the script that RAUC runs after it wrote a boot partition."""
    return _HOOK.format(root_a=layout.partuuid("root_a"), root_b=layout.partuuid("root_b"))


def make(work: Path, programs: Programs, tools_at: Path, parts_at: Path, system_at: Path, signing: Signing, board: Board, layout: Layout, version: str) -> None:  # fmt: skip
    """Leave ``work``/marquee.raucb; the private key is read where it lies and copied nowhere."""
    content = work / "content"
    content.mkdir()
    # RAUC knows by a file's name how to write it, and knows no name for this file system.
    os.link(system_at / system.ROOT, content / "root.img")
    os.link(parts_at / "boot_a.fs", content / "boot.vfat")
    (content / "manifest.raucm").write_text(manifest(board, version, programs.epoch), encoding="ascii")
    (content / "hook").write_text(hook(layout), encoding="ascii")
    (content / "hook").chmod(0o755)
    signer = {"key": signing.key.parent, "certificate": signing.certificate.parent, "keyring": signing.keyring.parent}
    tools.use(
        tools_at, programs, work, "rauc", "bundle",
        f"--key={tools.HAVE}/key/{signing.key.name}", f"--cert={tools.HAVE}/certificate/{signing.certificate.name}",
        f"--keyring={tools.HAVE}/keyring/{signing.keyring.name}", f"{tools.WORK}/content", f"{tools.WORK}/{BUNDLE}",
        have=signer,
    )  # fmt: skip
    shutil.rmtree(content)
