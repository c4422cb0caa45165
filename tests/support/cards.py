"""A small image such as the builder makes, with its block map, and what stands on a card."""

from __future__ import annotations

import hashlib
import lzma
import os
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random

BLOCK = 4096
SIZE = 3 << 20
FAT_AT, FAT_BYTES = 1 << 18, 1 << 20
# Runs of blocks that say something: the table of partitions, the FAT, and two more; what lies between is free.
RUNS = ((0, 1), (64, 100), (100, 320), (400, 401), (500, 768))
TEMPLATE = """<?xml version="1.0" ?>
<!-- An image's blocks that say something. -->
<bmap version="2.0">
    <ImageSize> {size} </ImageSize>
    <BlockSize> {block} </BlockSize>
    <BlocksCount> {blocks} </BlocksCount>
    <MappedBlocksCount> {mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> {own} </BmapFileChecksum>
    <BlockMap>
{ranges}
    </BlockMap>
</bmap>
"""
PROVISIONING = """[device]
org = "marquee"
name = "hall-1"
venue = "hall"
[cloud]
url = "https://cloud.example.org:8443"
ca = "sha256:{ca}"
token = "{token}"
[wifi]
country = "DE"
ssid = "Hall"
passphrase = ""
[staff]
pin = ""
""".format(ca="ab" * 32, token="q7-_" * 10 + "q7Q")


@dataclass(frozen=True)
class Image:
    """``data`` is what a card is to hold where ``RUNS`` are."""

    path: Path
    packed: Path
    bmap: Path
    data: bytes


def make_image(folder: Path, seed: int = 1, *, formatted: bool = True) -> Image:
    """Write image, packed image and block map into ``folder``; ``formatted`` makes a real FAT of the first partition."""
    random, path = Random(seed), folder / "marquee.img"
    data = bytearray(SIZE)
    for first, end in RUNS:
        data[first * BLOCK : end * BLOCK] = random.randbytes((end - first) * BLOCK)
    data[:BLOCK] = bytes(BLOCK)
    struct.pack_into("<B3xB3xII", data, 446, 0x80, 0x0C, FAT_AT // 512, FAT_BYTES // 512)
    data[510:512] = b"\x55\xaa"
    path.write_bytes(data)
    if formatted:
        mtools("mformat", "-i", f"{path}@@{FAT_AT}", "-T", str(FAT_BYTES // 512), "-h", "64", "-s", "32", "::")
    data = bytearray(path.read_bytes())
    bmap = folder / "marquee.bmap"
    bmap.write_text(block_map(bytes(data)))
    packed = folder / "marquee.img.xz"
    packed.write_bytes(lzma.compress(data, preset=0))
    return Image(path, packed, bmap, bytes(data))


def block_map(data: bytes, runs: tuple[tuple[int, int], ...] = RUNS) -> str:
    """The block map of an image, sealed with its own checksum."""
    ranges = "\n".join(
        f'        <Range chksum="{hashlib.sha256(data[first * BLOCK : end * BLOCK]).hexdigest()}"> '
        f"{first if end == first + 1 else f'{first}-{end - 1}'} </Range>"
        for first, end in runs
    )
    mapped = sum(end - first for first, end in runs)
    values = {"size": len(data), "block": BLOCK, "blocks": -(-len(data) // BLOCK), "mapped": mapped, "ranges": ranges}
    return sealed(TEMPLATE.format(**values, own="0" * 64))


def sealed(text: str) -> str:
    """The text with its checksum in place of the zeros."""
    return text.replace("0" * 64, hashlib.sha256(text.encode()).hexdigest(), 1)


def mapped_part(data: bytes) -> list[bytes]:
    """What the runs hold, without the FAT, which the provisioning file changes."""
    return [
        data[first * BLOCK : end * BLOCK]
        for first, end in RUNS
        if first * BLOCK not in range(FAT_AT, FAT_AT + FAT_BYTES)
    ]


def file_on(card: Path, name: str) -> bytes:
    """A file of the first partition, as another program reads it."""
    return mtools("mtype", "-i", f"{card}@@{FAT_AT}", f"::{name}")


def mtools(*command: str) -> bytes:
    environment = {**os.environ, "MTOOLS_SKIP_CHECK": "1", "MTOOLSRC": os.devnull}
    return subprocess.run(command, check=True, capture_output=True, env=environment, timeout=30).stdout
