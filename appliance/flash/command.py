"""``marquee flash``: what it refuses, what it asks, what it says."""

from __future__ import annotations

import argparse
import platform
import stat
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from appliance.flash import partition, writing
from appliance.flash.bmap import BlockMap, read_bmap
from appliance.flash.card import Card
from appliance.flash.disks import Disk, disks, partition_of, sized
from appliance.flash.errors import FlashFailed, FlashRefused
from appliance.flash.image import PACKED, first_block
from appliance.flash.progress import Progress
from appliance.flash.provisioning import checked

INTERRUPTED = 130


@dataclass(frozen=True)
class Target:
    """Where it goes: ``size`` in bytes, None for a file that is made; ``words`` for the question, ``name`` is its answer."""

    path: Path
    size: int | None
    words: str
    name: str


def run(given: argparse.Namespace, root: Path = Path("/")) -> int:
    """Do what was asked; return the exit status: 0 done, 1 refused or failed, 130 interrupted."""
    try:
        if platform.system() != "Linux":
            raise FlashRefused("cards are written on Linux alone")
        if given.list:
            print("\n".join(listed(disks(root))))
            return 0
        return _flash(given, root)
    except FlashRefused as error:
        print(f"flash: {error}. Nothing was written.", file=sys.stderr)
    except FlashFailed as error:
        print(f"flash: {error}. The card is not finished and does not start.", file=sys.stderr)
    except KeyboardInterrupt:
        print(
            "\nflash: stopped. The card is not finished and does not start; the same command goes on with it.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return 1


def listed(found: Iterable[Disk]) -> list[str]:
    """Lines about everything that can be plugged in."""
    cards = [disk for disk in found if disk.pluggable and not disk.words.startswith("a loop device")]
    if not cards:
        return ["No card is plugged in. Put one in, wait some seconds, and look again."]
    return [
        f"/dev/{disk.name:<10} {sized(disk.size):>9}  {disk.words}: {_state(disk)}"
        for disk in sorted(cards, key=lambda disk: bool(disk.refusal))
    ]


def chosen(path: Path, bmap: BlockMap, root: Path = Path("/")) -> Target:
    """Return the target; raises ``FlashRefused`` for everything that must not be written."""
    if not path.exists():
        if path.is_relative_to("/dev") or not path.parent.is_dir():
            raise FlashRefused(f"there is no {path}; `marquee flash --list` shows the cards")
        return Target(path, None, f"a new file of {sized(bmap.image_size)}", path.name)
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        size, words = path.stat().st_size, "the file"
    elif stat.S_ISBLK(mode):
        disk = _disk(path, root)
        size, words = disk.size, disk.words
        path = Path("/dev") / disk.name
    else:
        raise FlashRefused(f"{path} is neither a card nor a file")
    if size and size < bmap.image_size:
        raise FlashRefused(f"{path} is too small: it has {sized(size)}, the image needs {sized(bmap.image_size)}")
    return Target(path, size, f"{words}, {sized(size)}", path.name)


def _flash(given: argparse.Namespace, root: Path) -> int:
    if given.image is None or given.target is None:
        raise FlashRefused("say what to write and where: marquee flash IMAGE TARGET; --list shows the cards")
    bmap = _block_map(given.image, given.bmap)
    content = _provisioning(given)
    offset = partition.start_of_first(first_block(given.image, bmap))
    target = chosen(given.target, bmap, root)
    if target.path.exists() and target.path.samefile(given.image):
        raise FlashRefused("the image and the target are the same file")
    if not given.yes and not _agreed(target):
        raise FlashRefused("the name was not confirmed")
    with Card(target.path, target.size) as card:
        _write(card, given.image, bmap, (offset, content) if content else None)
    end = "Take it out and put it into the board." if content else "It has no provisioning file."
    print(f"{target.path} is finished and was read back. {end}")
    return 0


def _write(card: Card, image: Path, bmap: BlockMap, file: tuple[int, bytes] | None) -> None:
    again = writing.begun(card, bmap)
    if again:
        print("This card was begun before: what is already right is kept.")
    first = writing.write(card, image, bmap, Progress("writing", bmap.mapped), compare=again)
    # Before the first block is there: a desktop that sees a partition would mount it meanwhile.
    writing.verify(card, bmap, first, Progress("verifying", bmap.mapped))
    if file is not None:
        partition.put(card, *file)
    writing.finish(card, first)


def _block_map(image: Path, given: Path | None) -> BlockMap:
    if not image.is_file():
        raise FlashRefused(f"there is no image {image}")
    plain = image.with_suffix("") if image.suffix == PACKED else image
    beside = (plain.with_suffix(".bmap"), Path(f"{plain}.bmap"), Path(f"{image}.bmap"))
    path = given or next((each for each in beside if each.exists()), beside[0])
    try:
        bmap = read_bmap(path.read_bytes())
    except OSError as error:
        why = "it lies beside the image and says how to check it"
        raise FlashRefused(
            f"the block map {path} cannot be read ({error.strerror}); {why}, or name it with --bmap"
        ) from None
    except FlashRefused as error:
        raise FlashRefused(f"the block map {path} cannot be used: {error}") from None
    if image.suffix != PACKED and image.stat().st_size != bmap.image_size:
        raise FlashRefused(
            f"{image} has {image.stat().st_size} bytes and its block map says {bmap.image_size}; fetch both again"
        )
    return bmap


def _provisioning(given: argparse.Namespace) -> bytes | None:
    if bool(given.provisioning) == given.no_provisioning:
        raise FlashRefused("say --provisioning FILE, or --no-provisioning for a device that waits in setup mode")
    if not given.provisioning:
        return None
    partition.require_tool()
    return checked(given.provisioning)


def _disk(path: Path, root: Path) -> Disk:
    name = path.resolve().name
    whole = partition_of(name, root)
    if whole:
        raise FlashRefused(f"{path} is a part of a disk; the whole one is /dev/{whole}")
    disk = next((each for each in disks(root) if each.name == name), None)
    if disk is None:
        raise FlashRefused(f"{path} is no disk that can be flashed")
    if disk.refusal:
        raise FlashRefused(f"/dev/{name} ({disk.words}): {disk.refusal}")
    return disk


def _agreed(target: Target) -> bool:
    print(f"Everything on {target.path} ({target.words}) will be lost.")
    if not sys.stdin.isatty():
        raise FlashRefused("nobody is there to confirm it; say it again with --yes if you mean it")
    try:
        answer = input(f"Type its name, {target.name}, to go on: ")
    except (EOFError, KeyboardInterrupt):
        return False
    return answer.strip() in {target.name, str(target.path)}


def _state(disk: Disk) -> str:
    return disk.refusal or "ready to be flashed"
