"""Builds the guest: a Debian 13 from the host's own package sources, a kernel with device simulators, this project's libraries."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.system import debian
from tests.system.debian import Say, run
from tests.system.guest.packages import chosen, names_in

HERE = Path(__file__).parent
PROJECT = HERE.parents[2]
PYTHON = "3.13"
DEBIAN = (
    "systemd-sysv", "udev", "kmod", "dbus", "linux-image-amd64", "initramfs-tools", "libusb-1.0-0",
    "python3", "python3-evdev", "python3-pyscard", "pcscd", "vsmartcard-vpcd",
    "python3-libcamera", "libcamera-ipa", "python3-numpy", "python3-piexif", "python3-prctl",
)  # fmt: skip
# What the suite in the guest needs beyond what the product runs on.
TEST_LIBRARIES = (
    "pytest",
    "pluggy",
    "iniconfig",
    "pytest-timeout",
    "packaging",
    "pygments",
    "hypothesis",
    "sortedcontainers",
    "av",
)
# Web and cloud stay out: no device needs them. The desk itself runs here, on its database.
NOT_NEEDED = frozenset({"flask", "gunicorn", "werkzeug", "iotcore"})
# The initial RAM disk finds the disk and nothing else: an emulated processor unpacks it.
INITRD = "virtio_pci\nvirtio_blk\next4\n"
WHEELS = (
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
    "manylinux_2_26_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_34_x86_64",
)
DISK_MB = 1600
SETTINGS = {
    "etc/systemd/system/suite.service": """\
[Unit]
Description=The suite of tests
After=multi-user.target systemd-udev-settle.service
[Service]
Type=oneshot
ExecStart=/usr/local/bin/run-suite
StandardOutput=file:/dev/ttyS1
StandardError=inherit
[Install]
WantedBy=default.target
""",
    "usr/local/bin/run-suite": """\
#!/bin/sh
# Runs what the host asks for on the tree that it shares, says how it ended, and switches the guest off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root PYTHONDONTWRITEBYTECODE=1 MARQUEE_GUEST=1 LC_ALL=C.UTF-8
mkdir -p /project /tmp/run
modprobe 9pnet_virtio
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=262144 project /project
# Imported over and over: nearer than the host.
mkdir /run/tree
for part in appliance drivers mqtt_bridge bench tests ansible pyproject.toml; do cp -r /project/$part /run/tree/; done
cd /run/tree
mount -t 9p -o trans=virtio,version=9p2000.L,ro orders /mnt
PYTHONPATH=/run/tree:/opt/libraries sh /mnt/orders
echo "guest-exit: $?"
sync
systemctl poweroff --force
""",
    "etc/fstab": "tmpfs /tmp tmpfs defaults 0 0\n",
    "etc/hostname": "guest\n",
}
MASKED = ("systemd-networkd-wait-online.service", "apt-daily.timer", "apt-daily-upgrade.timer", "serial-getty@ttyS0.service", "serial-getty@ttyS1.service", "getty@tty1.service", "e2scrub_reap.service", "systemd-timesyncd.service")  # fmt: skip


def _nothing(_tree: Path) -> None:
    """A guest of which nothing more is asked."""


@dataclass(frozen=True)
class Recipe:
    """What a guest consists of; ``finish`` changes its tree in ways that ``inputs`` stand for, ``libraries`` are those besides."""

    name: str = "guest"
    debian: tuple[str, ...] = DEBIAN
    not_needed: frozenset[str] = NOT_NEEDED
    cameras: bool = True
    finish: Callable[[Path], None] = _nothing
    inputs: bytes = b""


@dataclass(frozen=True)
class Guest:
    """A built guest: its disk (opened read-only by whoever boots it), kernel and initial RAM disk."""

    disk: Path
    kernel: Path
    initrd: Path


def guest(say: Say, cache: Path | None = None, recipe: Recipe = Recipe()) -> Guest:
    """Return the guest, built now unless the cache has it; needs root, mmdebstrap and mke2fs."""
    folder = cache or debian.cache(recipe.name)
    kept = folder / _key(recipe)
    made = Guest(kept / "disk.ext4", kept / "vmlinuz", kept / "initrd.img")
    with debian.alone(folder):
        if not made.initrd.exists():
            _build(recipe, kept, say)
        _forget_old(recipe, folder, kept)
    return made


def _forget_old(recipe: Recipe, folder: Path, kept: Path) -> None:
    """Remove what no run has used for a while, and what an interrupted one left."""
    for used in (kept, _archive(recipe, folder)):
        if used.exists():
            os.utime(used)
    debian.forget_old(folder)


def _key(recipe: Recipe) -> str:
    parts = [
        Path(__file__).read_bytes(),
        debian.RECIPE,
        recipe.inputs,
        repr((recipe.debian, recipe.cameras)).encode(),
        pinned(recipe.not_needed).encode(),
        *(each.read_bytes() for each in sorted(HERE.glob("*.lock"))),
    ]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:24]


def pinned(not_needed: frozenset[str] = NOT_NEEDED) -> str:
    """Return what pip is to install in the guest, from the project's lock files."""
    runtime = names_in((PROJECT / "requirements.lock").read_text()) - not_needed
    return chosen((PROJECT / "requirements-dev.lock").read_text(), runtime | set(TEST_LIBRARIES), PYTHON)


def _build(recipe: Recipe, kept: Path, say: Say) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix="building-") as name:
        work = Path(name)
        work.chmod(0o755)
        tree, result = work / "tree", work / "result"
        result.mkdir()
        tree.mkdir()
        run("tar", "-C", str(tree), "-xpf", str(_debian(recipe, kept.parent, work, say)))
        say("this project's libraries ...")
        _libraries(recipe, tree, work)
        say("settings, kernel and disk ...")
        _configure(tree)
        recipe.finish(tree)
        for pattern, target in (("vmlinuz-*", "vmlinuz"), ("initrd.img-*", "initrd.img")):
            shutil.copy(next((tree / "boot").glob(pattern)), result / target)
        run("mke2fs", "-q", "-t", "ext4", "-d", str(tree), "-L", "guest", str(result / "disk.ext4"), f"{DISK_MB}M")
        _empty(tree)
        result.rename(kept)


def _debian(recipe: Recipe, cache: Path, work: Path, say: Say) -> Path:
    """Return the archive of the installed system, made once per list of packages: what comes after it is tried more often."""
    archive = _archive(recipe, cache)
    if not archive.exists():
        say(f"Debian {debian.SUITE} with {len(recipe.debian)} packages and what they need (about a minute) ...")
        made = work / "debian.tar"
        debian.install(
            work,
            made,
            recipe.debian,
            f'--essential-hook=mkdir -p "$1/etc/initramfs-tools/conf.d" && echo MODULES=list > "$1/etc/initramfs-tools/conf.d/guest"'
            f' && printf "{INITRD}" > "$1/etc/initramfs-tools/modules"',
        )
        made.rename(archive)
    return archive


def _archive(recipe: Recipe, cache: Path) -> Path:
    return (
        cache
        / f"debian-{hashlib.sha256(' '.join((debian.SUITE, INITRD, *recipe.debian)).encode()).hexdigest()[:16]}.tar"
    )


def _libraries(recipe: Recipe, tree: Path, work: Path) -> None:
    lock = work / "guest.lock"
    lock.write_text(pinned(recipe.not_needed) + ((HERE / "picamera2.lock").read_text() if recipe.cameras else ""))
    target = tree / "opt" / "libraries"
    platforms = [option for each in WHEELS for option in ("--platform", each)]
    _pip("install", "--target", str(target), "--python-version", PYTHON, "--implementation", "cp",
         "--abi", "cp313", "--abi", "abi3", "--abi", "none", *platforms, "--only-binary", ":all:",
         "--ignore-requires-python", "-r", str(lock))  # fmt: skip
    if recipe.cameras:
        _python_of_source(HERE / "pidng.lock", target, work)
    run("chroot", str(tree), "python3", "-m", "compileall", "-q", "/opt/libraries")


def _python_of_source(lock: Path, target: Path, work: Path) -> None:
    """Lay the Python packages below ``src`` of a source archive beside the libraries, without building what is C."""
    fetched = work / "sources"
    _pip("download", "--no-binary", ":all:", "--dest", str(fetched), "-r", str(lock))
    with tarfile.open(next(fetched.glob("*.tar.gz"))) as archive:
        archive.extractall(fetched, filter="data")
    for package in fetched.glob("*/src/*/__init__.py"):
        shutil.copytree(package.parent, target / package.parent.name)


def _pip(order: str, *arguments: str) -> None:
    run(
        sys.executable,
        "-m",
        "pip",
        "-qq",
        "--disable-pip-version-check",
        order,
        "--no-deps",
        "--require-hashes",
        *arguments,
    )


def _configure(tree: Path) -> None:
    for name, text in SETTINGS.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tree / "usr/local/bin/run-suite").chmod(0o755)
    units = tree / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "suite.service").symlink_to("/etc/systemd/system/suite.service")


def _empty(tree: Path) -> None:
    """Remove the tree at once: the directory it lies in is removed by somebody who must not stumble over devices."""
    shutil.rmtree(tree, ignore_errors=True)
