"""What is laid into a root, what is taken out, and what must not be in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image import system, tree
from image.errors import BuildError
from image.layers import File, Layer

USERS = Layer("users", "numbers", users={"marquee": 901})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    for name in (
        "etc/ssh",
        "etc/apt",
        "var/lib/apt",
        "var/log/nginx",
        "usr/share",
        "usr/lib/systemd/system",
        "home",
        "root",
    ):
        (made / name).mkdir(parents=True)
    (made / "etc/machine-id").write_text("")
    (made / "etc/passwd").write_text("root:x:0:0:::\nmarquee:x:901:901:::\n")
    (made / "etc/shadow").write_text("root:*:::::::\nmarquee:!*:::::::\n")
    return made


def test_a_clean_root_has_no_mistakes(root):
    assert system.mistakes(root, [USERS]) == []


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("etc/apt/sources.list.d/x.sources", "Types: deb", "etc/apt/sources.list.d is a package source"),
        ("etc/ssh/ssh_host_ed25519_key", "", "etc/ssh/ssh_host_ed25519_key belongs to one device"),
        ("etc/machine-id", "0" * 32, "etc/machine-id belongs to one device"),
        ("etc/ssl/server.key", "-----BEGIN EC PRIVATE KEY-----\nx", "etc/ssl/server.key holds a private key"),
        ("root/x", "-----BEGIN PRIVATE KEY-----\nx", "root/x holds a private key"),
        ("etc/shadow", "root:$y$j9T$x:::::::\n", "root can sign in with a password"),
        ("etc/shadow", "ops::::::::\n", "ops can sign in with a password"),
        ("etc/passwd", "marquee:x:905:905:::\n", "marquee has the number 905, files of devices belong to 901"),
    ],
)
def test_what_must_not_be_shipped_is_told(root, path, text, said):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    assert system.mistakes(root, [USERS]) == [said]


def test_what_lies_in_var_is_copied_at_the_first_boot_and_places_to_mount_on_are_there(root):
    system.to_factory(root)
    assert (root / "usr/share/factory/var/log/nginx").is_dir()
    assert sorted(path.name for path in (root / "var").iterdir()) == ["tmp"]
    assert all((root / name).is_dir() for name in ("data", "boot/marquee"))
    assert (root / "var/tmp").stat().st_mode & 0o7777 == 0o1777


def test_files_links_and_units_of_layers_are_laid_in(root):
    unit = File("/etc/systemd/system/x.service", "[Install]\nWantedBy=multi-user.target ssh.service\n")
    layer = Layer("x", "x", files=(unit, File("/usr/libexec/x", "#!/bin/sh\n", 0o755)), enable=("x.service",), mask=("y.timer",), links={"/etc/a": "../b"})  # fmt: skip
    tree.lay_in(root, [layer])
    units = root / "etc/systemd/system"
    for target in ("multi-user.target", "ssh.service"):
        assert (units / f"{target}.wants/x.service").readlink() == Path("/etc/systemd/system/x.service")
    assert (units / "y.timer").readlink() == Path("/dev/null")
    assert (root / "usr/libexec/x").stat().st_mode & 0o777 == 0o755
    assert (root / "etc/a").readlink() == Path("../b")


def test_a_unit_that_nobody_brought_is_told(root):
    with pytest.raises(BuildError, match=r"no unit z\.service"):
        tree.lay_in(root, [Layer("z", "z", enable=("z.service",))])


def test_patterns_take_out_files_folders_and_links_below_the_root_alone(root, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "home/link").symlink_to(outside)
    (root / "home/folder").mkdir()
    tree.remove(root, ["home/*", "nowhere/*"])
    assert list((root / "home").iterdir()) == []
    assert outside.is_dir()
    with pytest.raises(BuildError, match="below the root"):
        tree.remove(root, ["../outside"])


def test_what_a_build_writes_has_a_fixed_time_and_debians_files_keep_theirs(root):
    old, new = root / "etc/passwd", root / "etc/shadow"
    os.utime(old, (1000, 1000))
    os.utime(new, (5000, 5000))
    (root / "etc/dangling").symlink_to("nowhere")
    tree.date(root, 2000, 3000)
    assert (old.stat().st_mtime, new.stat().st_mtime) == (1000, 3000)
    assert (root / "etc/dangling").lstat().st_mtime == 3000
    assert root.stat().st_mtime == 3000
