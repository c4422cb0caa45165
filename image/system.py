"""The root as devices get it: trimmed, with its own list of contents, packed into a file system that cannot be written."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from image import inventory, tools, tree
from image.boards import Board
from image.errors import BuildError
from image.layers import Layer
from image.run import Programs

ROOT = "root.erofs"
PACKAGES, BILL = "packages.txt", "sbom.cdx.json"
UUID = "6d617271-7565-4572-8f00-000000000005"
# Without fragments and deduplication: these save little here and keep mkfs.erofs to one processor.
COMPRESSION = ("-zzstd,level=9", "-C65536")
SECRET = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
# Looked through for secrets: what roles and layers write.
WRITTEN = ("etc", "usr/lib/marquee/etc", "usr/share/marquee", "usr/share/factory/var", "root", "home")


def make(
    work: Path, programs: Programs, tools_at: Path, root: Path, board: Board, layers: Sequence[Layer], version: str
) -> None:
    """Leave ``work``/root.erofs, the list of packages and the bill of materials."""
    began_s = time.time()
    made = work / "tree"
    # Links instead of copies: what is changed below is written anew, never in place.
    programs.run("cp", "-al", str(root / "tree"), str(made))
    components = inventory.found(made)
    (work / PACKAGES).write_text(inventory.listing(components))
    (work / BILL).write_text(inventory.bill(components, f"marquee-{board.name}", version, programs.epoch))
    # A device says itself what it runs.
    (made / "usr/share/marquee").mkdir(exist_ok=True)
    for name in (PACKAGES, BILL):
        shutil.copyfile(work / name, made / "usr/share/marquee" / name)
    for layer in layers:
        tree.remove(made, layer.remove)
    _release(made / "usr/lib/os-release", version)
    to_factory(made)
    if wrong := mistakes(made, layers):
        raise BuildError("The image must not be shipped:\n" + "\n".join(f"- {each}" for each in wrong))
    # No clock can be before this file's time: systemd sets one that is, before anything else runs.
    (made / "usr/lib/clock-epoch").unlink(missing_ok=True)
    (made / "usr/lib/clock-epoch").touch()
    tree.date(made, began_s, programs.epoch)
    tools.use(tools_at, programs, work, "mkfs.erofs", "--quiet", *COMPRESSION, "-T", str(programs.epoch), "--mkfs-time", "--preserve-mtime",
              "-U", UUID, "-L", "marquee", f"{tools.WORK}/{ROOT}", f"{tools.WORK}/tree")  # fmt: skip
    shutil.rmtree(made)


def to_factory(made: Path) -> None:
    """Move what lies in /var to where the first boot copies it from, and make the places to mount on."""
    factory = made / "usr/share/factory/var"
    factory.parent.mkdir(parents=True, exist_ok=True)
    if factory.exists():
        shutil.rmtree(factory)
    (made / "var").rename(factory)
    for name in ("var/tmp", "data", "boot/marquee"):
        (made / name).mkdir(parents=True, exist_ok=True)
    # Units that start before the data partition is there ask for it.
    for place in (factory / "tmp", made / "var/tmp"):
        place.mkdir(exist_ok=True)
        place.chmod(0o1777)


def mistakes(made: Path, layers: Sequence[Layer]) -> list[str]:
    """Return what a root must not have inside: secrets, numbers of one device, package sources, users with other numbers."""
    wrong = [f"{path.relative_to(made)} is a package source" for path in made.glob("etc/apt/sources.list*")]
    wrong += [f"{path.relative_to(made)} belongs to one device" for path in made.glob("etc/ssh/ssh_host_*")]
    if (made / "etc/machine-id").read_bytes():
        wrong.append("etc/machine-id belongs to one device")
    wrong += [
        f"{path.relative_to(made)} holds a private key"
        for folder in WRITTEN
        for path in sorted((made / folder).rglob("*"))
        if path.is_file() and not path.is_symlink() and SECRET.search(path.read_bytes())
    ]
    for line in (made / "etc/shadow").read_text().splitlines():
        name, _, rest = line.partition(":")
        if rest.startswith(("$", ":")):
            wrong.append(f"{name} can sign in with a password")
    there = tree.owned(made)
    for layer in layers:
        for name, number in layer.users.items():
            if there.get(name, number) != number:
                wrong.append(f"{name} has the number {there[name]}, files of devices belong to {number}")
    return wrong


def _release(path: Path, version: str) -> None:
    text = path.read_text(encoding="utf-8").rstrip("\n")
    path.unlink()
    path.write_text(f'{text}\nIMAGE_ID="marquee"\nIMAGE_VERSION="{version}"\n', encoding="utf-8")
