"""Files through which a person or a test works a simulated device that lives in another process."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class ControlFile:
    """`?control=FILE`: its text is the name of the fault; empty or missing means that nothing is wrong."""

    def __init__(self, path: str) -> None:
        self._path = Path(path) if path else None

    def fault(self) -> str | None:
        """The name in the file now, '' for mended, None when there is no control file at all."""
        if self._path is None:
            return None
        try:
            return self._path.read_text(encoding="utf-8").strip()
        except OSError:
            return ""


def show_in(path: str, text: str) -> None:
    """Replace what `?shown=FILE` says in one step, so that no reader sees half of it; '' as path does nothing."""
    if not path:
        return
    new = Path(f"{path}.{os.getpid()}.new")
    with contextlib.suppress(OSError):
        new.write_text(text, encoding="utf-8")
        new.replace(path)


def take_from(path: str) -> str:
    """The text of a file that somebody left, which is removed; '' when there is none."""
    if not path:
        return ""
    taken = Path(f"{path}.{os.getpid()}.taken")
    try:
        Path(path).replace(taken)
        text = taken.read_text(encoding="utf-8")
        taken.unlink()
    except OSError:
        return ""
    return text
