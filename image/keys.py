"""Keys of steps: equal inputs give an equal key, whatever order tables were written in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

LENGTH = 20


def key(*inputs: Any) -> str:
    """Return 20 hex digits for values made of tables, lists, texts and numbers."""
    text = json.dumps(inputs, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]


def of_files(paths: Iterable[Path], below: Path) -> dict[str, str]:
    """Return name -> digest of every file (folders: of all in them), with its mode where that matters."""
    return {f"{path.relative_to(below)}{'*' if path.stat().st_mode & 0o100 else ''}": of_file(path) for each in paths for path in _files(each)}  # fmt: skip


def of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        # What Python leaves beside sources is no input.
        yield from (each for each in sorted(path.rglob("*")) if each.is_file() and "__pycache__" not in each.parts)
