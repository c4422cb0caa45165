"""What the data lie on: found among all mounts, and judged by what a power cut would do."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.doctor import filesystem
from appliance.doctor.filesystem import Mount, judged, mount_of
from appliance.settings import read_settings

MOUNTS = """\
22 1 179:5 / / ro,relatime shared:1 - erofs /dev/mmcblk0p5 ro
30 22 179:7 / /data rw,noatime shared:2 - ext4 /dev/mmcblk0p7 rw,errors=remount-ro
31 22 179:7 /var /var rw,noatime shared:2 - ext4 /dev/mmcblk0p7 rw,errors=remount-ro
32 31 0:40 / /var/lib/my\\040data rw - tmpfs tmpfs rw,size=65536k
33 22 0:41 / /vary rw - tmpfs tmpfs rw
a line that says nothing
"""


@pytest.mark.parametrize(
    ("folder", "point"),
    [("/var/lib/marquee", "/var"), ("/var", "/var"), ("/var/lib/my data/x", "/var/lib/my data"), ("/home", "/")],
)
def test_the_nearest_mount_around_a_folder_counts(folder: str, point: str) -> None:
    assert mount_of(Path(folder), MOUNTS).point == point


def test_of_two_at_one_place_the_later_one_covers_the_other() -> None:
    assert mount_of(Path("/var/x"), MOUNTS + "40 31 0:9 / /var rw - tmpfs tmpfs rw\n").type == "tmpfs"


@pytest.mark.parametrize(
    ("type", "options", "state", "words"),
    [
        ("ext4", "rw,noatime,data=ordered", "ok", "ext4 at /var"),
        ("ext4", "rw,nobarrier", "fail", "nobarrier"),
        ("ext4", "rw,data=writeback", "fail", "data=writeback"),
        ("ext4", "ro,noatime", "fail", "cannot be written"),
        ("tmpfs", "rw", "warn", "in memory"),
        ("vfat", "rw", "warn", "flush"),
    ],
)
def test_what_loses_bookings_is_named(type: str, options: str, state: str, words: str) -> None:
    found = judged(Mount("/var", type, frozenset(options.split(","))))
    assert found.state == state
    assert words in found.detail


def test_the_doctor_looks_at_the_folder_of_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"9 1 8:1 / / rw - ext4 /dev/sda1 rw\n10 9 0:1 / {tmp_path.resolve()} rw - tmpfs tmpfs rw\n")
    monkeypatch.setattr(filesystem, "MOUNTS", mounts)
    settings = read_settings(None, {"MARQUEE_DEVICE_DATA": str(tmp_path / "data")})
    assert [each.state for each in filesystem.filesystem(settings)] == ["warn"]
