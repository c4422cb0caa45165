"""The partition table, read back by a program that others wrote."""

from __future__ import annotations

import json
import subprocess

import pytest

from image import table
from image.plan import LAYOUT
from tests.support.programs import program


def test_names_of_partitions_come_from_the_disk_and_their_number():
    assert [LAYOUT.partuuid(name) for name in ("start", "root_a", "root_b", "data")] == [
        "4d515545-01",
        "4d515545-05",
        "4d515545-06",
        "4d515545-07",
    ]


def test_every_partition_begins_at_an_erase_block_and_none_overlaps_another():
    inner = [each for each in LAYOUT.parts if each.name != "extended"]
    assert all(each.begin % table.ALIGN == 0 for each in LAYOUT.parts)
    ends = [0, *(each.begin + each.size for each in inner)]
    assert all(end <= each.begin for end, each in zip(ends, inner, strict=False))
    assert ends[-1] == LAYOUT.size


def test_records_of_the_chain_lie_where_no_partition_does():
    inner = [each for each in LAYOUT.parts if each.name != "extended"]
    for begin, sector in LAYOUT.sectors():
        assert len(sector) == 512
        assert not [each for each in inner if each.begin <= begin < each.begin + each.size]


@pytest.mark.system
def test_sfdisk_reads_the_same_partitions(tmp_path):
    image = tmp_path / "card"
    with image.open("wb") as file:
        file.truncate(LAYOUT.size)
        for begin, sector in LAYOUT.sectors():
            file.seek(begin)
            file.write(sector)
    done = subprocess.run([program("sfdisk"), "--json", str(image)], capture_output=True, text=True, check=True)
    read = json.loads(done.stdout)["partitiontable"]
    assert (read["label"], read["id"]) == ("dos", "0x4d515545")
    assert [(each["start"] * 512, each["size"] * 512, int(each["type"], 16)) for each in read["partitions"]] == [
        (each.begin, each.size, each.kind) for each in sorted(LAYOUT.parts, key=lambda each: each.number)
    ]


@pytest.mark.parametrize("mib", [0, -4, 6])
def test_sizes_that_do_not_fit_erase_blocks_are_refused(mib):
    with pytest.raises(ValueError, match="size of root"):
        table.layout(1, 64, 256, mib, 128)
