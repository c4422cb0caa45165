"""The card: partitions put together, packed, and a map of what must be written."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from appliance.domain import slots
from image import blockmap, boot, system, tools
from image.boards import Board
from image.errors import BuildError
from image.run import Programs
from image.table import Layout

IMAGE = "marquee.img"
DATA_UUID = "6d617271-7565-4461-8f00-000000000007"
CHUNK = 1 << 20
# Equal whatever the number of processors: blocks of one size, always packed as if by several.
XZ = ("--threads=+2", "--block-size=33554432", "-0", "--check=crc64", "--force", "--keep")


def parts(work: Path, programs: Programs, tools_at: Path, kernel: Path, board: Board, layout: Layout) -> None:
    """Make the file systems of all partitions but the roots': ``work``/NAME.fs."""
    for slot in boot.SLOTS:
        boot.slot_files(kernel / "boot", board, layout, slot, work / f"boot_{slot}")
        content = work / f"boot_{slot}"
        boot.fat(work, programs, tools_at, f"boot_{slot}.fs", layout[f"boot_{slot}"].size, f"BOOT_{slot.upper()}", 0x4D510002 + boot.SLOTS.index(slot), content)  # fmt: skip
        shutil.rmtree(content)
    boot.fat(work, programs, tools_at, "boot_empty.fs", layout["boot_b"].size, "BOOT_B", 0x4D510003, None)
    start = work / "start"
    start.mkdir()
    (start / "autoboot.txt").write_bytes(slots.autoboot("A"))
    if (kernel / "boot/bootcode.bin").exists():
        shutil.copyfile(kernel / "boot/bootcode.bin", start / "bootcode.bin")
    boot.fat(work, programs, tools_at, "start.fs", layout["start"].size, "MARQUEE", 0x4D510001, start)
    shutil.rmtree(start)
    _data(work, programs, tools_at, layout)


def _data(work: Path, programs: Programs, tools_at: Path, layout: Layout) -> None:
    content = work / "data"
    (content / "var").mkdir(parents=True)
    for path in (content / "var", content):
        os.utime(path, (programs.epoch, programs.epoch))
    tools.use(
        tools_at, programs, work, "mke2fs", "-q", "-t", "ext4", "-L", "data", "-U", DATA_UUID, "-m", "1",
        # Sizes as for the whole card, not for the small file system that it starts as.
        "-b", "4096", "-I", "256", "-i", "16384", "-J", "size=32",
        "-E", f"hash_seed={DATA_UUID},resize={1 << 28},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0",
        "-d", f"{tools.WORK}/data", f"{tools.WORK}/data.fs", f"{layout['data'].size // 1024}k",
    )  # fmt: skip
    shutil.rmtree(content)


def make(work: Path, programs: Programs, tools_at: Path, parts_at: Path, system_at: Path, layout: Layout) -> None:
    """Leave the image, packed, its map and checksums in ``work``."""
    contents = {
        "start": parts_at / "start.fs",
        "boot_a": parts_at / "boot_a.fs",
        # Slot B is empty until the first update; the boot ROM passes over a partition without firmware.
        "boot_b": parts_at / "boot_empty.fs",
        "root_a": system_at / system.ROOT,
        "data": parts_at / "data.fs",
    }
    image = work / IMAGE
    with image.open("wb") as file:
        file.truncate(layout.size)
        for begin, sector in layout.sectors():
            file.seek(begin)
            file.write(sector)
    for name, path in contents.items():
        _put(image, path, layout, name)
    blocks = {begin // blockmap.BLOCK for begin, _ in layout.sectors()} | set(
        _needed(image, layout, contents["root_a"].stat().st_size)
    )
    (work / f"{IMAGE}.bmap").write_text(blockmap.document(image, blocks), encoding="ascii")
    tools.use(tools_at, programs, work, "xz", *XZ, f"{tools.WORK}/{IMAGE}")
    lines = [f"{_sum(work / name)}  {name}\n" for name in (f"{IMAGE}.xz", f"{IMAGE}.bmap")]
    (work / "SHA256SUMS").write_text("".join(lines), encoding="ascii")


def _put(image: Path, path: Path, layout: Layout, name: str) -> None:
    part = layout[name]
    if path.stat().st_size > part.size:
        raise BuildError(
            f"{path.name} has {path.stat().st_size >> 20} MiB, its partition {name} {part.size >> 20} MiB."
        )
    with path.open("rb") as source, image.open("r+b") as file:
        at = part.begin
        while chunk := source.read(CHUNK):
            if chunk.strip(b"\0"):
                file.seek(at)
                file.write(chunk)
            at += len(chunk)


def _needed(image: Path, layout: Layout, root_bytes: int) -> Iterator[int]:
    """Blocks that a card needs, also where they are zero."""
    with image.open("rb") as file:
        for name in ("start", "data"):
            yield from blockmap.whole(layout[name].begin, layout[name].size)
        for name in ("boot_a", "boot_b"):
            begin = layout[name].begin
            yield from blockmap.whole(begin, blockmap.fat_size(file, begin))
    yield from blockmap.whole(layout["root_a"].begin, root_bytes)


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
