"""Changes to an unpacked root: files of layers laid in, units switched on or off, what nobody needs taken out."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from image.errors import BuildError
from image.layers import File, Layer

UNITS = "etc/systemd/system"
LOOKED_IN = ("etc/systemd/system", "usr/lib/systemd/system")


def lay_in(tree: Path, layers: Sequence[Layer]) -> None:
    """Write the layers' files and links, then switch units on and off."""
    for layer in layers:
        for file in layer.files:
            write(tree, file)
        for path, target in layer.links.items():
            link = tree / path.lstrip("/")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(target)
    for layer in layers:
        for unit in layer.mask:
            _link(tree / UNITS / unit, "/dev/null")
        for unit in layer.enable:
            enable(tree, unit)


def write(tree: Path, file: File) -> None:
    """Write one file; folders that are missing are made."""
    path = tree / file.path.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file.text, encoding="utf-8")
    path.chmod(file.mode)


def enable(tree: Path, unit: str) -> None:
    """Do what `systemctl enable` does for units that say ``WantedBy=``."""
    found = next((tree / each / unit for each in LOOKED_IN if (tree / each / unit).exists()), None)
    if found is None:
        raise BuildError(f"There is no unit {unit} to switch on.")
    wanted = [line.partition("=")[2] for line in found.read_text().splitlines() if line.startswith("WantedBy=")]
    for target in " ".join(wanted).split():
        _link(tree / UNITS / f"{target}.wants" / unit, "/" + str(found.relative_to(tree)))


def remove(tree: Path, patterns: Iterable[str]) -> None:
    """Take out what the patterns name; a pattern that finds nothing is no mistake: Debian's packages change."""
    for pattern in patterns:
        if pattern.startswith(("/", "..")):
            raise BuildError(f"A pattern to remove lies below the root: {pattern}")
        for path in sorted(tree.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def one(tree: Path, pattern: str) -> Path:
    """Return the only file that a pattern finds."""
    found = sorted(tree.glob(pattern))
    if len(found) != 1:
        raise BuildError(f"{pattern} should find one file and finds {len(found)}.")
    return found[0]


def owned(tree: Path) -> dict[str, int]:
    """Return users and their numbers as the root's passwd has them."""
    lines = (tree / "etc/passwd").read_text(encoding="utf-8").splitlines()
    return {line.split(":")[0]: int(line.split(":")[2]) for line in lines if line}


def date(tree: Path, since_s: float, to_s: int) -> None:
    """Give all that was written or changed since a moment one fixed time; what is older keeps its own.

    Python believes bytecode by its source's time, so the times of Debian's files must stay as they are.
    """
    for folder, folders, files in os.walk(tree, topdown=False):
        for name in (*folders, *files, "."):
            path = f"{folder}/{name}"
            if os.lstat(path).st_mtime >= since_s:
                os.utime(path, (to_s, to_s), follow_symlinks=False)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)
