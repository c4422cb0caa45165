"""Layers: what is in them is used, what is wrong in them is told with the file's name."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from image import base, boards, kernel, layers, patched
from image.errors import BuildError
from image.plan import VALUES
from image.run import Programs

BOARDS = boards.names()
ALL = {board: layers.load(board, VALUES) for board in BOARDS}
SCRIPTS = {
    file.path: file.text for found in ALL.values() for layer in found for file in layer.files if file.mode & 0o111
}


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.toml").write_text(text)


@pytest.mark.parametrize("board", BOARDS)
def test_every_layer_of_a_board_says_what_it_is_for_and_fills_in(board):
    assert all(layer.about for layer in ALL[board])
    texts = {file.path: file.text for layer in ALL[board] for file in layer.files}
    assert not [path for path, text in texts.items() if "@data@" in text or "@commit_s@" in text]
    assert "PARTUUID=4d515545-07 /data ext4 noatime," in texts["/etc/fstab"]


@pytest.mark.parametrize("board", BOARDS)
def test_every_unit_of_ours_that_is_switched_on_is_brought_by_a_layer(board):
    brought = {Path(file.path).name for layer in ALL[board] for file in layer.files}
    assert {unit for layer in ALL[board] for unit in layer.enable if unit.startswith("marquee-")} <= brought


@pytest.mark.parametrize("path", sorted(SCRIPTS))
def test_scripts_are_read_by_the_shell(path):
    done = subprocess.run(["sh", "-n"], input=SCRIPTS[path], text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert SCRIPTS[path].startswith("#!/bin/sh\n#")


@pytest.mark.parametrize("board", ["pi4-pi5-csi", "zero2w"])
def test_boards_of_the_second_archive_differ_by_kernel_firmware_and_cameras_alone(board):
    debian, other = ({each.name: each for each in ALL[name]} for name in ("pi4-pi5", board))
    assert set(other) - set(debian) == {"cameras"}
    assert all(debian[name] == other[name] for name in debian)
    assert boards.board(board).archive
    assert "camera_auto_detect=1\n" in boards.board(board).config
    assert not boards.board("pi4-pi5").archive


def test_no_user_of_a_device_has_the_number_of_another():
    numbers = base.users(ALL["pi4-pi5"])
    assert numbers["marquee"]
    assert len(set(numbers.values())) == len(numbers)


def test_the_initial_ram_disk_knows_both_boards_card_slots_and_the_emulated_disk():
    assert {"erofs", "ext4", "sdhci_iproc", "sdhci_brcmstb", "mmc_block", "virtio_blk"} <= set(
        kernel.modules(ALL["pi4-pi5"])
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("packages = []", "say in `about`"),
        ("about = ''\npackage = []", "unknown key package"),
        ("about = ", "x.toml"),
        ("about = 'x'\n[[files]]\npath = '/x'\ntext = '@colour@'", "there is no input 'colour'"),
        ("about = 'x'\n[[files]]\npath = 'x'\ntext = ''", "absolute `path`"),
        ("about = 'x'\n[[files]]\npath = '/x'\ntext = ''\nmode = '755'", "no octal number"),
    ],
)
def test_a_mistake_in_a_layer_is_told_with_its_file(tmp_path, text, said):
    write(tmp_path, "x", text)
    with pytest.raises(BuildError, match=r"x\.toml") as error:
        layers.load("pi4-pi5", {}, tmp_path)
    assert said in str(error.value)


def test_a_path_belongs_to_one_layer(tmp_path):
    for name in "ab":
        write(tmp_path, name, f"about = '{name}'\n[[files]]\npath = '/etc/x'\ntext = ''")
    with pytest.raises(BuildError, match=r"Both a\.toml and b\.toml bring /etc/x"):
        layers.load("pi4-pi5", {}, tmp_path)


def test_a_layer_for_another_board_is_left_out(tmp_path):
    write(tmp_path, "a", "about = 'a'\nboards = ['zero2w']\npackages = ['x']")
    assert layers.load("pi4-pi5", {}, tmp_path) == []
    assert layers.load("zero2w", {}, tmp_path)[0].packages == ("x",)


def test_a_board_that_nobody_has_is_told_with_those_there_are():
    with pytest.raises(BuildError, match="pi4-pi5, pi4-pi5-csi, zero2w"):
        boards.board("pi9")


def test_users_get_their_numbers_before_any_package(tmp_path):
    (tmp_path / "etc").mkdir()
    for name in ("passwd", "group", "shadow", "gshadow"):
        (tmp_path / "etc" / name).write_text("root:x:0:\n")
    subprocess.run(["sh", "-c", base.hook({"marquee": 901}), "sh", str(tmp_path)], check=True)
    assert (tmp_path / "etc/passwd").read_text().splitlines()[1] == "marquee:x:901:901::/nonexistent:/usr/sbin/nologin"
    assert (tmp_path / "etc/group").read_text().splitlines()[1] == "marquee:x:901:"
    # Locked, not without a password.
    assert (tmp_path / "etc/shadow").read_text().splitlines()[1].startswith("marquee:!*:")


@pytest.mark.parametrize("board", BOARDS)
def test_every_patch_is_there_says_why_and_changes_a_package_that_is_installed(board):
    ours = patched.named(ALL[board])
    assert set(ours) <= set(base.packages(ALL[board], ()))
    for name in (name for names in ours.values() for name in names):
        why, _, change = (patched.PATCHES / name).read_text().partition("\n\n")
        assert len(why) > 40
        assert change.startswith("--- a/")


@pytest.mark.parametrize(("architecture", "told"), [("amd64", "-aarm64 -Pcross,"), ("arm64", " -uc -us  -Pnocheck,")])
def test_a_patched_package_is_cross_built_unless_the_host_is_of_the_boards_kind(architecture, told):
    text = patched.script("rauc", ("one.patch", "two.patch"), architecture, 2)
    done = subprocess.run(["sh", "-n"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert told in text
    assert "+marquee1) trixie" in text


def test_a_patched_package_takes_the_place_of_an_installed_one_and_of_no_other(tmp_path):
    tree, packages, ran = tmp_path / "tree", tmp_path / "packages", []
    for folder in (tree / "var/lib/dpkg/info", tree / "tmp", packages):
        folder.mkdir(parents=True)
    (tree / "var/lib/dpkg/info/rauc.list").touch()
    for name in ("rauc_1+marquee1_arm64.deb", "rauc-extras_1+marquee1_all.deb"):
        (packages / name).touch()

    class Recorded(Programs):
        def __init__(self) -> None:
            pass

        def within(self, root: Path, *command: str, **_given: Any) -> None:
            ran.append((root, command, sorted(path.name for path in (tree / "tmp/patched").iterdir())))

    patched.install(tree, packages, Recorded())
    [(root, command, seen)] = ran
    assert (root, command[-1], seen) == (tree, f"/tmp/patched/{seen[0]}", ["rauc_1+marquee1_arm64.deb"])
    assert not list((tree / "tmp").iterdir())
