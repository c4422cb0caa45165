"""Block maps (bmap 2.0): which blocks of an image must be written to a card, with a checksum of each stretch.

What is not in the map keeps what the card held before. So a stretch that is read is in the map also where it is zero:
blocks of files, and the journal of the data partition, where an earlier life's transactions would be taken for this one's.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import BinaryIO

BLOCK = 4096
# Of a FAT32's first sector: bytes of a sector, sectors of a cluster, reserved ones, number of tables, sectors of each.
_FAT32 = struct.Struct("<11xHBHB19xI")
# Of 32 bits of an entry four belong to nobody. The first cluster is number 2.
_FAT_ENTRY = 0x0FFFFFFF
# A checksum a stretch: not longer, so that a bad one is told before the whole card is written.
STRETCH = 4096
_HEAD = """\
<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> {size} </ImageSize>
    <BlockSize> {block} </BlockSize>
    <BlocksCount> {blocks} </BlocksCount>
    <MappedBlocksCount> {mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> {checksum} </BmapFileChecksum>
    <BlockMap>
"""
_TAIL = "    </BlockMap>\n</bmap>\n"


def whole(begin: int, size: int) -> range:
    """Numbers of all blocks in a stretch."""
    return range(begin // BLOCK, (begin + size + BLOCK - 1) // BLOCK)


def fat_size(file: BinaryIO, begin: int) -> int:
    """Bytes from the begin of a FAT32 file system to the end of its last cluster that belongs to a file or a folder.

    All of them count, also where they are zero: a kernel has whole blocks of zeros, and reads them.
    """
    file.seek(begin)
    sector_bytes, cluster, reserved, tables, length = _FAT32.unpack(file.read(_FAT32.size))
    file.seek(begin + reserved * sector_bytes)
    table = memoryview(file.read(length * sector_bytes)).cast("I")
    last = max(number for number, entry in enumerate(table) if entry & _FAT_ENTRY)
    return int((reserved + tables * length + (last - 1) * cluster) * sector_bytes)


def stretches(blocks: set[int]) -> list[tuple[int, int]]:
    """First and last block of every run, none longer than ``STRETCH``."""
    runs: list[tuple[int, int]] = []
    for number in sorted(blocks):
        if runs and runs[-1][1] == number - 1 and number - runs[-1][0] < STRETCH:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def document(path: Path, blocks: set[int]) -> str:
    """Return the map of an image as XML."""
    size = path.stat().st_size
    with path.open("rb") as file:
        ranges = [_range(file, first, last) for first, last in stretches(blocks)]

    def text(checksum: str) -> str:
        head = _HEAD.format(size=size, block=BLOCK, blocks=-(-size // BLOCK), mapped=len(blocks), checksum=checksum)
        return head + "".join(ranges) + _TAIL

    # The file's own checksum is taken over the file with zeros in its place.
    return text(hashlib.sha256(text("0" * 64).encode()).hexdigest())


def _range(file: BinaryIO, first: int, last: int) -> str:
    file.seek(first * BLOCK)
    checksum = hashlib.sha256(file.read((last - first + 1) * BLOCK)).hexdigest()
    span = f"{first}-{last}" if last > first else str(first)
    return f'        <Range chksum="{checksum}"> {span} </Range>\n'
