"""Kernel, initial RAM disk, device trees and firmware, taken out of the base: what the boot partitions hold."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from image import base, tree
from image.boards import Board
from image.errors import BuildError
from image.layers import File, Layer
from image.run import Programs

BOOT = "boot"
RELEASE = "release"


def modules(layers: Sequence[Layer]) -> tuple[str, ...]:
    """Return the kernel modules that the initial RAM disk holds, each once."""
    return tuple(dict.fromkeys(name for layer in layers for name in layer.initrd))


def files(layers: Sequence[Layer]) -> list[File]:
    """Return what the layers lay into the initial RAM disk's folder."""
    return [file for layer in layers for file in layer.files if file.path.startswith("/etc/initramfs-tools/")]


def make(work: Path, programs: Programs, unpack_from: Path, board: Board, layers: Sequence[Layer]) -> None:
    """Fill ``work``/boot; ``work``/release names the kernel."""
    root = work / "root"
    base.unpacked(unpack_from, root, programs)
    for file in files(layers):
        tree.write(root, file)
    (root / "etc/initramfs-tools/modules").write_text("\n".join(modules(layers)) + "\n")
    release = tree.one(root, "usr/lib/modules/*").name
    _known(root / "usr/lib/modules" / release, modules(layers))
    # The emulated processor packs quickly; what is packed well is unpacked at every boot.
    programs.within(root, "mkinitramfs", "-o", "/boot/initrd.marquee", release)
    boot = work / BOOT
    (boot / "overlays").mkdir(parents=True)
    shutil.copyfile(root / "boot/initrd.marquee", boot / "initrd.img")
    shutil.copyfile(tree.one(root, "boot/vmlinuz-*"), boot / "vmlinuz")
    _copied(root, board.firmware, boot, at_least=len(board.firmware))
    _copied(root, board.dtbs, boot, at_least=1)
    _copied(root, board.overlays, boot / "overlays", at_least=0)
    (work / RELEASE).write_text(release + "\n")
    shutil.rmtree(root)


def _known(folder: Path, wanted: Iterable[str]) -> None:
    """Refuse names that this kernel has neither as a module nor built in: a board would not find its card."""
    built = (folder / "modules.builtin").read_text().split()
    there = {_plain(path.name) for path in folder.rglob("*.ko*")} | {_plain(Path(line).name) for line in built}
    if missing := sorted({name for name in wanted if name not in there}):
        raise BuildError(f"This kernel has no module {', '.join(missing)}.")


def _plain(name: str) -> str:
    return name.partition(".ko")[0].replace("-", "_")


def _copied(root: Path, patterns: Iterable[str], to: Path, at_least: int) -> None:
    found = [path for pattern in patterns for path in sorted(root.glob(pattern)) if path.is_file()]
    if len(found) < at_least:
        raise BuildError(f"Of {', '.join(patterns)} only {len(found)} files are there.")
    for path in found:
        shutil.copyfile(path, to / path.name)
