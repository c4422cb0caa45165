"""The disks of this computer, as the kernel's lists under ``root`` tell them; nothing is opened."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Whoever writes to the disk below one of these pulls the ground from under this computer.
SYSTEM = frozenset({"/", "/usr", "/var", "/home", "/boot", "/boot/efi", "/boot/firmware", "/nix"})
# Neither cards nor anything else one can flash.
_OTHERS = re.compile(r"(ram|zram|dm-|md|sr|fd|nbd)\d+")
# The SD specification ends there; what is larger is a disk with somebody's data.
LARGEST_CARD_BYTES = 2 << 40
_SECTOR = 512


@dataclass(frozen=True)
class Disk:
    """A whole disk: ``uses`` are the places where it or a part of it is in use."""

    name: str
    size: int
    words: str
    pluggable: bool
    read_only: bool
    uses: tuple[str, ...] = ()
    system: bool = False

    @property
    def refusal(self) -> str:
        """Why it must not be written, in plain words, or nothing."""
        if self.system:
            return "this computer runs from it"
        if not self.pluggable:
            return "it is built into this computer, and no card"
        if not self.size:
            return "no card is in it"
        if self.uses:
            return f"it is in use ({', '.join(self.uses)}); unmount that first"
        if self.read_only:
            return "it is write-protected; move the slide at the side of the card"
        if self.size > LARGEST_CARD_BYTES:
            return f"it has {sized(self.size)}, which no card has"
        return ""


def disks(root: Path = Path("/")) -> Iterator[Disk]:
    """Every disk, sorted by name."""
    mounts = list(_mounts(root))
    for folder in sorted((root / "sys/block").glob("*")):
        if not _OTHERS.fullmatch(folder.name):
            yield _disk(folder, mounts, root)


def partition_of(name: str, root: Path = Path("/")) -> str:
    """The disk that the partition ``name`` is part of; nothing if it is none."""
    folder = root / "sys/class/block" / name
    return folder.resolve().parent.name if (folder / "partition").exists() else ""


def sized(size: int) -> str:
    """A size as it stands on the card, e.g. ``31.9 GB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"


def _disk(folder: Path, mounts: list[tuple[str, str, str]], root: Path) -> Disk:
    numbers: dict[str, str] = dict(_numbers(folder, root))
    used, system = [], False
    for number, source, where in mounts:
        # Some file systems show a number that is no disk's; then the name it was mounted by counts.
        part = numbers.get(number) or (source if source in numbers.values() else "")
        if part:
            used.append(f"{part} at {where}" if where != source else f"{part} as swap")
            system = system or where in SYSTEM
    held = [
        name for name in numbers.values() if (root / "sys/block" / name / "slaves").is_dir() and name != folder.name
    ]
    used += [f"held by {name}" for name in held if not any(use.startswith(f"{name} ") for use in used)]
    on_usb = any("usb" in part for part in _target(folder / "device").parts)
    is_card = _text(folder / "device/type") == "SD"
    is_loop = (folder / "loop/backing_file").exists()
    return Disk(
        name=folder.name,
        size=int(_text(folder / "size") or 0) * _SECTOR,
        words=_words(folder, on_usb=on_usb, is_card=is_card),
        pluggable=_text(folder / "removable") == "1" or on_usb or is_card or is_loop,
        read_only=_text(folder / "ro") == "1",
        uses=tuple(used),
        system=system,
    )


def _numbers(folder: Path, root: Path) -> Iterator[tuple[str, str]]:
    """(device number, name) of a disk, its partitions, and whatever is built on top of them."""
    for each in (folder, *sorted(folder.glob(f"{folder.name}*"))):
        if number := _text(each / "dev"):
            yield number, each.name
        for holder in sorted((each / "holders").glob("*")):
            yield from _numbers(root / "sys/block" / holder.name, root)


def _mounts(root: Path) -> Iterator[tuple[str, str, str]]:
    """(device number, name of the source, mount point) of everything mounted; swap areas name themselves as the place."""
    for line in _text(root / "proc/self/mountinfo").splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split(" ")
        yield fields[2], right.split(" ")[1].rpartition("/")[2], _unescaped(fields[4])
    for line in _text(root / "proc/swaps").splitlines()[1:]:
        name = line.split()[0].rpartition("/")[2]
        yield "", name, name


def _unescaped(path: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), path)


def _words(folder: Path, *, on_usb: bool, is_card: bool) -> str:
    if (backing := _text(folder / "loop/backing_file")) or folder.name.startswith("loop"):
        return f"the file {backing}" if backing else "a loop device without a file"
    name = " ".join(filter(None, (_text(folder / f"device/{part}") for part in ("vendor", "model", "name"))))
    kind = "SD card" if is_card else "USB" if on_usb else "disk"
    return f"{name} ({kind})" if name else kind


def _target(path: Path) -> Path:
    try:
        return path.resolve()
    except OSError:
        return path


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").strip()
    except OSError:
        return ""
