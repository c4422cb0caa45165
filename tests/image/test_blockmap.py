"""Maps, read by the program that writes cards."""

from __future__ import annotations

import hashlib
import struct

from appliance.flash.bmap import read_bmap
from image import blockmap


def test_the_map_names_what_must_be_written_with_its_checksums(tmp_path):
    image = tmp_path / "image"
    content = b"a" * 4096 + bytes(8192) + b"b" * 4096 + bytes(4096)
    image.write_bytes(content)
    read = read_bmap(blockmap.document(image, {0, 3, 4}).encode())
    assert (read.image_size, read.block_size, read.mapped) == (len(content), 4096, 3 * 4096)
    assert [(run.start, run.end) for run in read.runs] == [(0, 4096), (3 * 4096, 5 * 4096)]
    assert [run.sha256 for run in read.runs] == [
        hashlib.sha256(content[run.start : run.end]).hexdigest() for run in read.runs
    ]


def test_only_blocks_with_something_in_them_are_used(tmp_path):
    image = tmp_path / "image"
    image.write_bytes(bytes(4096) + b"x" + bytes(8191))
    with image.open("rb") as file:
        assert list(blockmap.used(file, 0, 12288)) == [1]
        assert list(blockmap.used(file, 8192, 4096)) == []


def test_long_runs_are_cut_so_that_a_bad_block_is_told_early():
    runs = blockmap.stretches(set(range(10000)))
    assert [last - first + 1 for first, last in runs] == [4096, 4096, 1808]


def test_both_tables_and_the_root_of_a_fat_count_where_they_are_empty():
    sector = bytearray(512)
    struct.pack_into("<HBHB", sector, 11, 512, 4, 32, 2)
    struct.pack_into("<I", sector, 36, 1000)
    assert blockmap.fat_head(bytes(sector)) == (32 + 2 * 1000 + 4) * 512
