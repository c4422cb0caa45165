"""The parts of the board's model that decide: boot ROM, card and what a power cut takes from it."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from tests.system.board import bootrom, write_log

AUTOBOOT = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"
CONFIG = """\
# a comment
arm_64bit=1
[pi5]
kernel=other
[all]
kernel=vmlinuz
initramfs initrd.img followkernel
kernel_watchdog_timeout=60
[none]
cmdline=never.txt
"""
FLUSH = 1


def _log(path: Path, *entries: tuple[int, bytes, int]) -> Path:
    """Write a log as QEMU does: a sector about itself, then for each entry a sector about it and its data."""
    parts = [struct.pack("<QQQI", 0x6A736677736872, 1, len(entries), 512).ljust(512, b"\0")]
    for sector, data, flags in entries:
        parts += [struct.pack("<QQQQ", sector, len(data) // 512, flags, 0).ljust(512, b"\0"), data]
    path.write_bytes(b"".join(parts))
    return path


def test_the_one_shot_flag_chooses_the_other_partition() -> None:
    assert bootrom.choose_partition(AUTOBOOT, tryboot=False) == 2
    assert bootrom.choose_partition(AUTOBOOT, tryboot=True) == 3


@pytest.mark.parametrize("text", ["", "boot_partition=x", AUTOBOOT + "#" * 512])
def test_a_rom_that_cannot_read_its_file_says_so(text: str) -> None:
    with pytest.raises(bootrom.NoBoot):
        bootrom.choose_partition(text, tryboot=False)


def test_config_names_what_is_loaded() -> None:
    plan = bootrom.read_config(CONFIG, tryboot=False)
    assert (plan.kernel, plan.initrd, plan.cmdline) == ("vmlinuz", "initrd.img", "cmdline.txt")
    assert plan.kernel_watchdog_s == 60


def test_the_serial_port_is_the_machines() -> None:
    assert bootrom.command_line("console=serial0,115200 quiet\n", "panic=1") == "console=ttyAMA0,115200 quiet panic=1"
    assert bootrom.command_line("console=tty1").split() == ["console=ttyAMA0,115200", "console=tty1"]


def test_an_orderly_end_keeps_every_write_and_a_later_one_wins(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(4096))
    log = _log(tmp_path / "log", (1, b"a" * 1024, 0), (0, b"", FLUSH), (2, b"b" * 512, 0))
    kept = write_log.replay(log, disk, None)
    assert disk.read_bytes() == bytes(512) + b"a" * 512 + b"b" * 512 + bytes(2560)
    assert (kept.writes, kept.unflushed, kept.lost) == (2, 1, 0)


def test_a_power_cut_keeps_what_was_flushed_and_tears_the_rest_at_sectors(tmp_path: Path) -> None:
    ends = set()
    for seed in range(60):
        disk = tmp_path / "disk"
        disk.write_bytes(bytes(4096))
        log = _log(tmp_path / "log", (0, b"a" * 512, 0), (0, b"", FLUSH), (4, b"b" * 2048, 0))
        kept = write_log.replay(log, disk, random.Random(seed))
        content = disk.read_bytes()
        assert content[:512] == b"a" * 512
        written = content[2048:].count(b"b")
        assert written % 512 == 0
        assert kept.lost == (written < 2048)
        ends.add(written)
    assert {0, 2048} < ends


def test_an_entry_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1024))
    log = _log(tmp_path / "log", (0, b"a" * 512, 0), (1, b"b" * 512, 0))
    log.write_bytes(log.read_bytes()[:-100])
    assert write_log.replay(log, disk, None).writes == 1
    assert disk.read_bytes() == b"a" * 512 + bytes(512)
