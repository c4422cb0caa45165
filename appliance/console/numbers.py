"""Numbers that a form or an address carries: digits, and no more of them than a table can hold."""

from __future__ import annotations

MOST_DIGITS = 15


def whole(text: str) -> int | None:
    """Return the number that ``text`` is, None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None
