"""The card's partition table: an MBR with a fixed disk identifier, because boot ROMs before 2025 take no GPT with two slots.

Layout, in the order of the card: p1 start (FAT), p2/p3 boot of slot A/B (FAT), p4 extended, in it p5/p6 root of slot A/B and
p7 data, which the first boot grows to the card's end.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

SECTOR = 512
MIB = 1 << 20
# Cards erase in blocks of up to 4 MiB; what begins there is never rewritten because of a neighbour.
ALIGN = 4 * MIB
FAT32, EXTENDED, LINUX = 0x0C, 0x0F, 0x83
FIRST_LOGICAL = 5
# What CHS fields hold where only LBA counts.
_NO_CHS = b"\xfe\xff\xff"


@dataclass(frozen=True)
class Part:
    """A partition: its number as Linux counts, begin and size in bytes."""

    number: int
    name: str
    kind: int
    begin: int
    size: int


@dataclass(frozen=True)
class Layout:
    """A whole card, with what is to be written besides the partitions' contents: (begin in bytes, one sector)."""

    disk_id: int
    parts: tuple[Part, ...]
    size: int

    def __getitem__(self, name: str) -> Part:
        """Return the partition of a name."""
        return next(each for each in self.parts if each.name == name)

    def partuuid(self, name: str) -> str:
        """Return how Linux names the partition whatever the disk is called: `4d515545-05`."""
        return f"{self.disk_id:08x}-{self[name].number:02x}"

    def sectors(self) -> list[tuple[int, bytes]]:
        """Return MBR and the chain of extended boot records."""
        extended = self["extended"]
        primary = [each for each in self.parts if each.number < FIRST_LOGICAL]
        logical = [each for each in self.parts if each.number >= FIRST_LOGICAL]
        made = [(0, _record([_entry(each.kind, each.begin, each.size) for each in primary], self.disk_id))]
        for index, each in enumerate(logical):
            here = _record_of(each)
            entries = [_entry(each.kind, each.begin - here, each.size)]
            if index + 1 < len(logical):
                after = logical[index + 1]
                begin = _record_of(after)
                entries.append(_entry(EXTENDED, begin - extended.begin, after.begin + after.size - begin))
            made.append((here, _record(entries)))
        return made


def layout(disk_id: int, start_mib: int, boot_mib: int, root_mib: int, data_mib: int) -> Layout:
    """Return the card's layout for sizes in MiB; each must be a multiple of 4."""
    sizes = {"start": start_mib, "boot": boot_mib, "root": root_mib, "data": data_mib}
    for name, mib in sizes.items():
        if mib <= 0 or mib * MIB % ALIGN:
            raise ValueError(f"size of {name}: {mib} MiB is no positive multiple of {ALIGN // MIB} MiB")
    at = ALIGN
    parts = []
    for number, name, mib in ((1, "start", start_mib), (2, "boot_a", boot_mib), (3, "boot_b", boot_mib)):
        parts.append(Part(number, name, FAT32, at, mib * MIB))
        at += mib * MIB
    extended = at
    logical = []
    for number, name, mib in ((5, "root_a", root_mib), (6, "root_b", root_mib), (7, "data", data_mib)):
        # The record in front of each logical partition has an erase block of its own.
        at += ALIGN
        logical.append(Part(number, name, LINUX, at, mib * MIB))
        at += mib * MIB
    return Layout(disk_id, (*parts, Part(4, "extended", EXTENDED, extended, at - extended), *logical), at)


def _record_of(part: Part) -> int:
    return part.begin - ALIGN


def _entry(kind: int, begin: int, size: int) -> bytes:
    return struct.pack("<B3sB3sII", 0, _NO_CHS, kind, _NO_CHS, begin // SECTOR, size // SECTOR)


def _record(entries: list[bytes], disk_id: int = 0) -> bytes:
    table = b"".join(entries).ljust(64, b"\0")
    return b"\0" * 440 + struct.pack("<IH", disk_id, 0) + table + b"\x55\xaa"
