"""Maps, read by the program that writes cards."""

from __future__ import annotations

import hashlib
import subprocess

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


def test_long_runs_are_cut_so_that_a_bad_block_is_told_early():
    runs = blockmap.stretches(set(range(10000)))
    assert [last - first + 1 for first, last in runs] == [4096, 4096, 1808]


def test_all_that_belongs_to_a_file_counts_also_where_it_is_zero(tmp_path):
    """A file of zeros at the end of a FAT32, beside it one that was removed again, behind both nothing."""
    part, zeros = tmp_path / "part", tmp_path / "zeros"
    begin, cluster = 3 * 4096, 4 * 512
    with part.open("wb") as file:
        file.truncate(begin + (256 << 20))
    run(
        "mformat",
        "-i",
        f"{part}@@{begin}",
        "-F",
        "-c",
        "4",
        "-T",
        str((256 << 20) // 512),
        "-h",
        "255",
        "-s",
        "63",
        "::",
    )
    with part.open("rb") as file:
        empty = blockmap.fat_size(file, begin)
    zeros.write_bytes(bytes(10 * cluster))
    for name in ("kept", "removed"):
        run("mcopy", "-i", f"{part}@@{begin}", str(zeros), f"::{name}")
    run("mdel", "-i", f"{part}@@{begin}", "::removed")
    with part.open("rb") as file:
        assert blockmap.fat_size(file, begin) - empty == 10 * cluster
        file.seek(begin + empty - cluster)
        assert file.read(cluster).startswith(b"KEPT ")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
