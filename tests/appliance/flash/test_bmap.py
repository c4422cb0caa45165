"""The block map: what bmap-tools writes is read, and nothing else is."""

from __future__ import annotations

import hashlib

import pytest

from appliance.flash.bmap import Run, read_bmap
from appliance.flash.errors import FlashRefused
from tests.support.cards import BLOCK, block_map, sealed

DATA = bytes(range(256)) * 64 + b"end"  # four blocks and a bit
MAP = block_map(DATA, ((0, 1), (2, 5)))


def test_it_says_which_bytes_of_the_image_count_and_their_checksums() -> None:
    bmap = read_bmap(MAP.encode())
    assert (bmap.image_size, bmap.block_size) == (len(DATA), BLOCK)
    assert bmap.runs == (
        Run(0, BLOCK, hashlib.sha256(DATA[:BLOCK]).hexdigest()),
        Run(2 * BLOCK, len(DATA), hashlib.sha256(DATA[2 * BLOCK :]).hexdigest()),
    )
    assert bmap.mapped == BLOCK + len(DATA) - 2 * BLOCK


WRONG = {
    "another version": (MAP.replace('version="2.0"', 'version="1.4"'), "version"),
    "another checksum": (MAP.replace("sha256 </Ch", "sha1 </Ch"), "not sha256"),
    "damaged": (MAP.replace("> 0 <", "> 1 <"), "damaged"),
    "no map": ("<html></html>", "no block map of version 2.0"),
    "no XML": ("PK\x03\x04", "no block map"),
    "entities": ('<!DOCTYPE bmap [<!ENTITY a "b">]><bmap version="2.0">&a;</bmap>', "no block map"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_intact_map_is_refused_with_the_reason(kind: str) -> None:
    text, reason = WRONG[kind]
    with pytest.raises(FlashRefused, match=reason):
        read_bmap(text.encode())


CONTRADICTIONS = {
    "sizes": (("<BlocksCount> 5", "<BlocksCount> 4"), "contradict"),
    "number of blocks": (("<MappedBlocksCount> 4", "<MappedBlocksCount> 5"), "as many blocks"),
    "order": (("> 2-4 <", "> 0-2 <"), "overlap"),
    "beginning": (("> 0 <", "> 1 <"), "begin at the first block"),
    "end": (("> 2-4 <", "> 7-9 <"), "outside the image"),
    "backwards": (("> 2-4 <", "> 4-2 <"), "outside the image"),
    "words": (("> 2-4 <", "> two <"), "cannot be read"),
    "block size": (("<BlockSize> 4096", "<BlockSize> 1000"), "contradict"),
    "no number": (("<ImageSize> ", "<ImageSize> x"), "no number"),
}


@pytest.mark.parametrize("kind", CONTRADICTIONS)
def test_a_map_that_is_sealed_and_contradicts_itself_is_refused(kind: str) -> None:
    (old, new), reason = CONTRADICTIONS[kind]
    own = read_bmap(MAP.encode()).sha256
    assert old in MAP
    with pytest.raises(FlashRefused, match=reason):
        read_bmap(sealed(MAP.replace(own, "0" * 64).replace(old, new)).encode())
