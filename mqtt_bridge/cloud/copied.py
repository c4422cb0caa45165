"""Whether the cloud is still being copied: who makes copies leaves a file behind each good one, and its time is that copy's."""

from __future__ import annotations

from pathlib import Path

# Copies are made four times a day; one that fails has the next ones to be made up for.
LATE_MS = 24 * 3600 * 1000


def copied_ms(file: Path) -> int:
    """Return when the last good copy was made (wall clock, ms), 0 if none was."""
    try:
        return file.stat().st_mtime_ns // 1_000_000
    except FileNotFoundError:
        return 0
