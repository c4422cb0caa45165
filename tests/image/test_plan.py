"""What a build does, as far as it can be told without doing it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from appliance.domain import slots
from image import boards, boot, bundle, command, needs, patched, signing, sources, variables
from image import plan as plans
from image.errors import BuildError
from image.steps import keyed
from tests.support.roles import render

KEY = Path("/etc/keys/archive.gpg")


@pytest.fixture
def order(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(sources, "of_host", lambda: "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\n")

    def make(board="pi4-pi5", **given: Any):
        return plans.Order(board, signing.given(None, None, None), **given)

    return make


@pytest.mark.parametrize("board", ["pi4-pi5-csi", "zero2w"])
def test_every_step_needs_only_steps_before_it_and_all_boards_have_the_same(order, board):
    big = plans.plan(order())
    small = plans.plan(order(board, archive="http://pi.example/debian", archive_key=KEY))
    assert [each.name for each in big.steps] == [each.name for each in small.steps]
    big_keys, small_keys = keyed(big.steps), keyed(small.steps)
    assert big_keys["tools"] == small_keys["tools"]
    assert big_keys["base"] != small_keys["base"]


def test_debian_alone_boots_as_debian_does_and_is_laid_out_like_the_image(order):
    image, bare = plans.plan(order()), plans.plan(order(bare=True))
    assert {each.name for each in image.layers} - {each.name for each in bare.layers} == {"early"}
    assert keyed(image.steps)["base"] == keyed(bare.steps)["base"]
    assert image.layout == bare.layout


def test_another_signer_changes_root_and_bundle_and_not_the_base(order, tmp_path, monkeypatch):
    before = keyed(plans.plan(order()).steps)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "other"))
    after = keyed(plans.plan(order()).steps)
    assert {name for name in before if before[name] != after[name]} == {"root", "system", "card", "bundle"}


def test_another_patch_builds_its_package_and_the_root_anew_and_not_the_base(order, tmp_path, monkeypatch):
    before = keyed(plans.plan(order()).steps)
    for path in patched.PATCHES.iterdir():
        (tmp_path / path.name).write_text(path.read_text() + "# more\n")
    monkeypatch.setattr(patched, "PATCHES", tmp_path)
    after = keyed(plans.plan(order()).steps)
    assert {name for name in before if before[name] != after[name]} == {"patched", "root", "system", "card", "bundle"}


def test_the_second_archive_is_an_input_and_must_be_named(order):
    with pytest.raises(BuildError, match="--archive ADDRESS and --archive-key FILE"):
        plans.plan(order("zero2w"))
    given = order("zero2w", archive="http://pi.example/debian", archive_key=KEY)
    listed = plans.archives(boards.board("zero2w"), given)
    assert f"URIs: http://pi.example/debian\nSuites: trixie\nComponents: main\nSigned-By: {KEY}\n" in listed
    assert "pi.example" not in plans.archives(boards.board("pi4-pi5"), given)


def test_each_slots_command_line_names_its_own_root():
    lines = {slot: boot.cmdline(plans.LAYOUT, slot, ("tty1",)) for slot in boot.SLOTS}
    assert "root=PARTUUID=4d515545-05 " in lines["a"]
    assert "root=PARTUUID=4d515545-06 " in lines["b"]
    assert all(line.count("\n") == 1 and " ro " in line and " panic=10 " in line for line in lines.values())


def test_the_bundle_makes_slot_bs_command_line_of_slot_as(tmp_path):
    hook = tmp_path / "hook"
    hook.write_text(bundle.hook(plans.LAYOUT))
    line = tmp_path / "cmdline.txt"
    for name, slot in (("B", "b"), ("A", "a")):
        line.write_text(boot.cmdline(plans.LAYOUT, "a", ("serial0,115200",)))
        environment = {"RAUC_SLOT_BOOTNAME": name, "RAUC_SLOT_MOUNT_POINT": str(tmp_path), "RAUC_SLOT_NAME": "boot.1"}
        done = run_hook(hook, environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert line.read_text() == boot.cmdline(plans.LAYOUT, slot, ("serial0,115200",))


def test_the_bundles_hook_refuses_a_slot_or_a_line_that_it_does_not_know(tmp_path):
    hook = tmp_path / "hook"
    hook.write_text(bundle.hook(plans.LAYOUT))
    line = tmp_path / "cmdline.txt"
    line.write_text("quiet\n")
    for name in ("B", "C"):
        environment = {"RAUC_SLOT_BOOTNAME": name, "RAUC_SLOT_MOUNT_POINT": str(tmp_path), "RAUC_SLOT_NAME": "boot.1"}
        assert run_hook(hook, environment).returncode != 0
        assert line.read_text() == "quiet\n"


def run_hook(hook: Path, environment: dict[str, str]):
    return subprocess.run(
        ["sh", str(hook), "slot-post-install"],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_partitions_are_the_ones_that_slots_are_switched_by():
    assert {slot: plans.LAYOUT[f"boot_{slot.lower()}"].number for slot in slots.SLOTS} == dict(slots.PARTITIONS)


def test_a_signer_is_three_files_or_none(tmp_path):
    with pytest.raises(BuildError, match="name all three or none"):
        signing.given(tmp_path / "key", None, None)
    with pytest.raises(BuildError, match="There is no file"):
        signing.given(tmp_path / "key", tmp_path / "certificate", tmp_path / "keyring")


def test_the_signer_for_development_is_made_once_and_its_key_is_nobody_elses(order):
    first, second = order().signer, order().signer
    assert first == second
    assert first.development
    assert first.key.stat().st_mode & 0o077 == 0


def test_what_is_missing_is_told_with_what_to_type(tmp_path):
    found = needs.needs(tmp_path, tmp_path / "ansible-playbook", which=lambda name: None, machine="aarch64")
    told = needs.told(found)
    assert "NO  program mmdebstrap  ->  apt-get install mmdebstrap" in told
    assert "NO  Ansible of this project  ->  .ci/setup ops" in told
    assert "yes programs for arm64 run here" in told


def test_a_board_without_its_archive_is_told_in_one_line(order, capsys):
    assert command.main(["status", "--board", "zero2w"]) == 1
    assert capsys.readouterr().err == (
        "image: The board zero2w needs --archive ADDRESS and --archive-key FILE: Raspberry Pi's own package archive.\n"
    )


@pytest.mark.parametrize("name", boards.names())
def test_a_device_takes_the_bundles_of_its_own_board_and_no_other(name):
    """What RAUC compares: `compatible` in the device's settings, which a role writes, and in the bundle's manifest."""
    board = boards.board(name)
    conf = render("update", "system.conf.j2", **variables.given(board, None))
    assert f"\ncompatible={board.compatible}\n" in conf
    assert f"compatible={board.compatible}\n" in bundle.manifest(board, "1", 0)


def test_roles_of_an_image_can_be_told_more_and_the_root_is_made_anew(order, tmp_path):
    file = tmp_path / "ours.yml"
    file.write_text("base_journal_ring_minutes: 2\n")
    before, after = keyed(plans.plan(order()).steps), keyed(plans.plan(order(variables=file)).steps)
    assert {name for name in before if before[name] != after[name]} == {"root", "system", "card", "bundle"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base_journal_rings: 2", r"no role of an image takes base_journal_rings;"),
        ("update_compatible: other", r"no role of an image takes update_compatible;"),
        ("- a", "must be names with values"),
        ("a: [", "cannot be read"),
    ],
)
def test_what_roles_cannot_be_told_is_named(order, tmp_path, text, words):
    file = tmp_path / "ours.yml"
    file.write_text(text)
    with pytest.raises(BuildError, match=words):
        plans.plan(order(variables=file))
