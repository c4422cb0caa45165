"""Block maps (bmap 2.0): which blocks of an image must be written to a card, with a checksum of each stretch.

What is not in the map keeps what the card held before. So a stretch that must be zero is in the map although it is empty:
the journal of the data partition above all, where an earlier life's transactions would be taken for this one's.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

BLOCK = 4096
_ZERO = b"\0" * BLOCK
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


def used(file: BinaryIO, begin: int, size: int) -> Iterator[int]:
    """Numbers of the blocks in a stretch of a file that hold anything but zeros."""
    file.seek(begin)
    for number in range(begin // BLOCK, (begin + size + BLOCK - 1) // BLOCK):
        if file.read(BLOCK) not in {_ZERO, b""}:
            yield number


def whole(begin: int, size: int) -> range:
    """Numbers of all blocks in a stretch."""
    return range(begin // BLOCK, (begin + size + BLOCK - 1) // BLOCK)


def fat_head(boot_sector: bytes) -> int:
    """Bytes at the begin of a FAT32 file system that count even where they are zero: reserved sectors, both tables, the root's first cluster."""
    sector, cluster, reserved, tables = struct.unpack_from("<HBHB", boot_sector, 11)
    (length,) = struct.unpack_from("<I", boot_sector, 36)
    return int((reserved + tables * length + cluster) * sector)


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
