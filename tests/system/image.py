"""The image under test: built from this tree, every step cached, unpacked once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]
BOARD = "pi4-pi5"
# A folder with image and bundle that are there already, instead of building them.
GIVEN = "MARQUEE_IMAGE"
KEPT = 2


@dataclass(frozen=True)
class Image:
    """Files of one build. ``bundle`` is what an update installs; ``packed`` is what is flashed."""

    packed: Path
    raw: Path
    bundle: Path


def image(*, bare: bool = False) -> Image:
    """Return the image of this tree; ``bare``: Debian alone, to compare with."""
    name = f"{BOARD}-bare" if bare else BOARD
    given = os.environ.get(GIVEN)
    folder = Path(given) / name if given else PROJECT / "build" / "image" / name
    if not given:
        order = [sys.executable, "-m", "image", "build", "--board", BOARD, *(["--bare"] if bare else [])]
        subprocess.run(order, cwd=PROJECT, check=True)
    packed = folder / "marquee.img.xz"
    return Image(packed, _unpacked(packed), folder / "marquee.raucb")


def _unpacked(packed: Path) -> Path:
    """Return the image unpacked, with its empty parts left out of the disk."""
    with packed.open("rb") as file:
        key = hashlib.file_digest(file, "sha256").hexdigest()[:24]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "marquee" / "board"
    raw = cache / key / "marquee.img"
    if not raw.exists():
        raw.parent.mkdir(parents=True, exist_ok=True)
        draft = raw.with_suffix(".part")
        script = 'xz -dc "$1" | dd of="$2" bs=1M conv=sparse iflag=fullblock status=none && truncate -s "$3" "$2"'
        listed = subprocess.run(
            ["xz", "--robot", "--list", str(packed)], capture_output=True, text=True, check=True
        ).stdout
        size = next(line.split("\t")[4] for line in listed.splitlines() if line.startswith("file"))
        subprocess.run(["sh", "-ec", script, "unpack", str(packed), str(draft), size], check=True)
        draft.rename(raw)
    os.utime(raw.parent)
    for old in sorted(cache.iterdir(), key=lambda each: each.stat().st_mtime)[: -2 * KEPT]:
        shutil.rmtree(old)
    return raw
