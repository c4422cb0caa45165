"""Replays QEMU's log of writes (the format of the kernel's dm-log-writes) onto the disk that they were meant for."""

from __future__ import annotations

import mmap
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECTOR = 512
_FLUSH, _FUA, _DISCARD = 1, 2, 4
_ENTRY = struct.Struct("<QQQQ")


@dataclass(frozen=True)
class Entry:
    """One request: ``data`` begins at ``offset`` bytes of the disk; a flush has none."""

    offset: int
    data: memoryview
    flags: int


@dataclass
class Kept:
    """How many writes there were, how many after the last flush, and how many of those a power cut took."""

    writes: int = 0
    unflushed: int = 0
    lost: int = 0


def replay(log: Path, disk: Path, lost: random.Random | None) -> Kept:
    """Write to ``disk`` what ``log`` has. With ``lost``, each write after the last flush is kept, torn or lost by chance.

    A card orders nothing between two flushes, so any subset of those writes may be what it kept; a torn one ends at a sector.
    """
    kept = Kept()
    with log.open("rb") as source, disk.open("r+b", buffering=0) as target:
        if not log.stat().st_size:
            return kept
        with mmap.mmap(source.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            entries = list(entries_of(view))
            last = max((number for number, each in enumerate(entries) if each.flags & _FLUSH), default=-1)
            for number, each in enumerate(entries):
                if not len(each.data):
                    continue
                kept.writes += 1
                length = len(each.data)
                if number > last and not each.flags & _FUA:
                    kept.unflushed += 1
                    if lost is not None:
                        length = _fate(lost, length)
                        kept.lost += length < len(each.data)
                target.seek(each.offset)
                target.write(each.data[:length])
            for each in entries:
                each.data.release()
    return kept


def entries_of(view: memoryview) -> Iterator[Entry]:
    """Read the entries of a log; one that was cut off with its writer is left out."""
    at = SECTOR
    while at + SECTOR <= len(view):
        sector, count, flags, _ = _ENTRY.unpack_from(view, at)
        at += SECTOR
        if not count and not flags:
            return
        length = 0 if flags & _DISCARD else count * SECTOR
        if at + length > len(view):
            return
        yield Entry(sector * SECTOR, view[at : at + length], flags)
        at += length


def _fate(chance: random.Random, length: int) -> int:
    """How many bytes of an unflushed write reached the card."""
    drawn = chance.random()
    if drawn < 0.45:
        return 0
    if drawn < 0.9:
        return length
    return chance.randrange(0, length // SECTOR + 1) * SECTOR
