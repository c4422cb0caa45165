"""The block map beside an image: which blocks of it say something, and the SHA-256 of each run of them.

Format: bmap 2.0 as bmap-tools writes it (its docs/README.md and CreateMapFile.py; XML, all numbers decimal, ranges include both ends). The file
carries its own checksum, taken while zeros stood in its place.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree as ET

from appliance.flash.errors import FlashRefused

LONGEST_BYTES = 16_000_000
# What reading past the memory wants; bmap-tools writes blocks of the file system that the image was on, which are no smaller.
ALIGNED_BYTES = 4096
_NUMBERS = ("ImageSize", "BlockSize", "BlocksCount", "MappedBlocksCount")
_HEX = re.compile(r"[0-9a-f]{64}")
_BLOCKS = re.compile(r"\d{1,15}(-\d{1,15})?")


@dataclass(frozen=True)
class Run:
    """Bytes ``start`` to ``end`` (not included) of the image, and the SHA-256 (hex) of them."""

    start: int
    end: int
    sha256: str


@dataclass(frozen=True)
class BlockMap:
    """A whole map: sizes in bytes, ``runs`` in order and apart from each other, ``sha256`` (hex) of the map itself."""

    image_size: int
    block_size: int
    runs: tuple[Run, ...]
    sha256: str

    @property
    def mapped(self) -> int:
        """Bytes that must be written."""
        return sum(run.end - run.start for run in self.runs)


def read_bmap(data: bytes) -> BlockMap:
    """Read a block map; raises ``FlashRefused`` if it is none, is damaged, or contradicts itself."""
    root = _parsed(data)
    if root.tag != "bmap" or root.get("version") != "2.0":
        raise FlashRefused(f"it is no block map of version 2.0 but <{root.tag} version={root.get('version')}>")
    values = {name: (root.findtext(name) or "").strip() for name in (*_NUMBERS, "ChecksumType", "BmapFileChecksum")}
    if values["ChecksumType"] != "sha256":
        raise FlashRefused(f"its checksums are {values['ChecksumType'] or 'missing'}, not sha256")
    own = values["BmapFileChecksum"]
    if not _HEX.fullmatch(own) or hashlib.sha256(data.replace(own.encode(), b"0" * 64, 1)).hexdigest() != own:
        raise FlashRefused("it is damaged: its own checksum does not fit; fetch it again")
    try:
        size, block, blocks, mapped = (int(values[name]) for name in _NUMBERS)
    except ValueError:
        raise FlashRefused("one of its sizes is no number") from None
    if size <= 0 or block <= 0 or block % ALIGNED_BYTES or -(-size // block) != blocks:
        raise FlashRefused(f"its sizes contradict each other: {size} bytes in {blocks} blocks of {block}")
    runs = tuple(_run(each, size, block) for each in root.iterfind("BlockMap/Range"))
    if not runs or runs[0].start or any(before.end > after.start for before, after in pairwise(runs)):
        raise FlashRefused("its ranges do not begin at the first block or overlap")
    if sum(-(-(run.end - run.start) // block) for run in runs) != mapped:
        raise FlashRefused("its ranges are not as many blocks as it says")
    return BlockMap(size, block, runs, own)


def _parsed(data: bytes) -> ET.Element:
    # A document type is where entities are declared, which could name files or grow without end.
    if len(data) > LONGEST_BYTES or b"<!DOCTYPE" in data:
        raise FlashRefused("it is no block map")
    try:
        return ET.fromstring(data)  # noqa: S314  without a document type there are no entities to expand
    except ET.ParseError as error:
        raise FlashRefused(f"it is no block map: {error}") from None


def _run(each: ET.Element, size: int, block: int) -> Run:
    text, sha256 = (each.text or "").strip(), each.get("chksum", "")
    if not _BLOCKS.fullmatch(text) or not _HEX.fullmatch(sha256):
        raise FlashRefused(f"a range of it cannot be read: {text!r}")
    first, _, last = text.partition("-")
    start, end = int(first) * block, min((int(last or first) + 1) * block, size)
    if start >= end:
        raise FlashRefused(f"a range of it lies outside the image: {text!r}")
    return Run(start, end, sha256)
