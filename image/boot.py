"""Boot partitions: texts that the firmware reads, and FAT file systems with all of it, equal byte for byte whoever makes them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from image import tools
from image.boards import Board
from image.run import Programs
from image.table import Layout

SLOTS = ("a", "b")
MIB = 1 << 20


def cmdline(layout: Layout, slot: str, consoles: Iterable[str]) -> str:
    """Return the kernel's command line of a slot, which names its own root: one line."""
    words = [
        f"root=PARTUUID={layout.partuuid(f'root_{slot}')}", "rootfstype=erofs", "ro", "rootwait",
        f"rauc.slot={slot.upper()}",
        # A panic keeps feeding the watchdog: start anew. That ends a trial; the slot that boots by default is taken again.
        "panic=10",
        # Nobody is there to answer a question about the data partition.
        "fsck.mode=auto", "fsck.repair=yes",
        # Whether a card lies in a reader that cannot say so.
        "block.events_dfl_poll_msecs=2000",
        *(f"console={each}" for each in consoles),
        "quiet", "loglevel=4", "systemd.show_status=auto",
    ]  # fmt: skip
    return " ".join(words) + "\n"


def slot_files(kernel: Path, board: Board, layout: Layout, slot: str, into: Path) -> None:
    """Lay out what a slot's boot partition holds."""
    shutil.copytree(kernel, into)
    (into / "config.txt").write_text(board.config.lstrip(), encoding="ascii")
    (into / "cmdline.txt").write_text(cmdline(layout, slot, board.consoles), encoding="ascii")


def fat(work: Path, programs: Programs, tools_at: Path, name: str, size: int, volume: str, number: int, content: Path | None) -> None:  # fmt: skip
    """Make ``work``/``name`` of ``size`` bytes, a FAT32 file system with a folder's content; ``volume`` is its label, ``number`` its id."""
    with (work / name).open("wb") as file:
        file.truncate(size)
    inside = f"{tools.WORK}/{name}"
    tools.use(tools_at, programs, work, "mkfs.vfat", "--invariant", "-F", "32", "-s", "1" if size < 256 * MIB else "4",
              "-n", volume, "-i", f"{number:08x}", inside)  # fmt: skip
    if content is not None:
        _times(content, programs.epoch)
        for path in sorted(content.iterdir()):
            tools.use(tools_at, programs, work, "mcopy", "-s", "-m", "-i", inside,
                      f"{tools.WORK}/{path.relative_to(work)}", "::")  # fmt: skip


def _times(content: Path, epoch: int) -> None:
    for path in (content, *content.rglob("*")):
        os.utime(path, (epoch, epoch))
