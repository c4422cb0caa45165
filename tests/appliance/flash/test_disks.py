"""Which disks may be written, told from the kernel's lists."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.flash.command import listed
from appliance.flash.disks import LARGEST_CARD_BYTES, Disk, disks, partition_of

MOUNTINFO = """\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
23 22 0:21 / /proc rw - proc proc rw
24 22 8:17 / /media/anna/MY\\040CARD rw - vfat /dev/sdb1 rw
25 22 253:0 / /srv rw - ext4 /dev/mapper/crypt rw
26 22 0:44 /@ /data rw - btrfs /dev/sdf1 rw
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A laptop: its disk, two cards, an empty reader, an encrypted stick, an old disk, and what is no disk at all."""
    _write(tmp_path / "proc/self/mountinfo", MOUNTINFO)
    _write(tmp_path / "proc/swaps", "Filename Type Size Used Priority\n/dev/mmcblk1p2 partition 1 0 -2\n")
    _disk(tmp_path, "sda", 500_000_000_000, "pci0000/ata1", parts={1: "8:1", 2: "8:2"}, model="Fast SSD")
    _disk(
        tmp_path, "sdb", 31_900_000_000, "pci0000/usb1", parts={1: "8:17"}, vendor="SanDisk", model="Ultra", removable=1
    )
    _disk(tmp_path, "sdc", 0, "pci0000/usb2", model="Card Reader", removable=1)
    _disk(tmp_path, "sdd", 16_000_000_000, "pci0000/usb3", parts={1: "8:49"}, model="Stick")
    _disk(tmp_path, "sde", LARGEST_CARD_BYTES + 512, "pci0000/usb4", model="Backup")
    _disk(tmp_path, "sdf", 64_000_000_000, "pci0000/usb5", parts={1: "8:81"}, model="Photos")
    _disk(tmp_path, "mmcblk0", 32_000_000_000, "pci0000/mmc", name="SC32G", type="SD")
    _disk(
        tmp_path,
        "mmcblk1",
        32_000_000_000,
        "pci0000/mmc2",
        parts={"p1": "179:1", "p2": "179:2"},
        name="SC16G",
        type="SD",
    )
    _disk(tmp_path, "mmcblk2", 8_000_000_000, "pci0000/mmc3", name="SLIDE", type="SD", ro=1)
    _disk(tmp_path, "dm-0", 16_000_000_000, "virtual", number="253:0")
    (tmp_path / "sys/block/sdd/sdd1/holders/dm-0").mkdir(parents=True)
    (tmp_path / "sys/block/dm-0/slaves").mkdir()
    _disk(tmp_path, "zram0", 1_000_000, "virtual")
    return tmp_path


def _disk(
    root: Path,
    disk: str,
    size: int,
    bus: str,
    *,
    parts: dict[int | str, str] | None = None,
    removable: int = 0,
    ro: int = 0,
    number: str = "",
    **device: str,
) -> None:
    folder, real = root / "sys/block" / disk, root / "sys/devices" / bus / disk
    told = {"size": size // 512, "removable": removable, "ro": ro, "dev": number or f"99:{len(disk)}"}
    for key, value in told.items():
        _write(folder / key, str(value))
    for key, text in device.items():
        _write(real / key, text)
    real.mkdir(parents=True, exist_ok=True)
    (folder / "device").symlink_to(real)
    for suffix, each in (parts or {}).items():
        _write(folder / f"{disk}{suffix}/dev", each)
        _write(folder / f"{disk}{suffix}/partition", "1")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


REFUSALS = {
    "sda": "this computer runs from it",
    "sdb": "in use (sdb1 at /media/anna/MY CARD); unmount",
    "sdc": "no card is in it",
    "sdd": "in use (dm-0 at /srv)",
    "sde": "which no card has",
    "sdf": "in use (sdf1 at /data)",
    "mmcblk0": "",
    "mmcblk1": "in use (mmcblk1p2 as swap)",
    "mmcblk2": "write-protected",
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_disk_is_refused_with_the_reason_in_plain_words(root: Path, name: str) -> None:
    found = {disk.name: disk for disk in disks(root)}
    assert set(found) == set(REFUSALS), "and nothing that is no disk"
    refusal = found[name].refusal
    assert REFUSALS[name] in refusal
    assert bool(refusal) == bool(REFUSALS[name])


def test_a_disk_that_is_built_in_is_refused_even_when_nobody_uses_it(root: Path) -> None:
    _write(root / "proc/self/mountinfo", "")
    assert {disk.name: disk.refusal for disk in disks(root)}["sda"] == "it is built into this computer, and no card"


def test_an_encrypted_stick_that_is_open_and_not_mounted_is_in_use(root: Path) -> None:
    _write(root / "proc/self/mountinfo", "")
    assert "held by dm-0" in {disk.name: disk.refusal for disk in disks(root)}["sdd"]


def test_a_system_on_an_encrypted_disk_is_known_as_the_system(root: Path) -> None:
    _write(root / "proc/self/mountinfo", MOUNTINFO.replace("/srv", "/usr"))
    assert {disk.name: disk.refusal for disk in disks(root)}["sdd"] == "this computer runs from it"


def test_the_list_shows_what_can_be_plugged_in_and_first_what_can_be_flashed(root: Path) -> None:
    lines = listed(disks(root))
    assert lines[0] == "/dev/mmcblk0      32.0 GB  SC32G (SD card): ready to be flashed"
    assert any("SanDisk Ultra (USB): it is in use" in line for line in lines)
    assert not any("/dev/sda" in line for line in lines)
    assert listed([]) == ["No card is plugged in. Put one in, wait some seconds, and look again."]


def test_loop_devices_are_no_cards_of_the_list() -> None:
    assert "No card" in listed([Disk("loop0", 512, "a loop device without a file", pluggable=True, read_only=False)])[0]


def test_a_part_of_a_disk_names_the_whole(root: Path) -> None:
    (root / "sys/class/block").mkdir(parents=True)
    (root / "sys/class/block/sdb1").symlink_to(root / "sys/block/sdb/sdb1")
    assert partition_of("sdb1", root) == "sdb"
    assert not partition_of("sdb", root)
