"""Counting in fixed windows of boot-time."""

from __future__ import annotations

import hashlib

from appliance.domain.errors import LimitReached
from appliance.services.box import Unit
from appliance.store import records


def counted(unit: Unit, kind: str, who: str, window_ms: int) -> int:
    """Return how often ``who`` was counted in this window."""
    return records.rate_count(unit.db, _bucket(kind, who), _start(unit, window_ms), unit.now.boot_id)


def check(unit: Unit, kind: str, who: str, limit: int, window_ms: int, words: str) -> None:
    """Raise ``LimitReached`` with the seconds to wait if ``who`` was counted ``limit`` times in this window."""
    if counted(unit, kind, who, window_ms) >= limit:
        wait_s = max(1, -(-(_start(unit, window_ms) + window_ms - unit.now.boot_ms) // 1000))
        raise LimitReached(words, kind, wait_s)


def count(unit: Unit, kind: str, who: str, window_ms: int) -> None:
    """Count ``who`` once more in this window."""
    records.rate_add(unit.db, _bucket(kind, who), _start(unit, window_ms), unit.now.boot_id)


def take(unit: Unit, kind: str, who: str, limit: int, window_ms: int, words: str) -> None:
    """Count ``who`` once more in this window, or raise ``LimitReached`` as ``check`` does."""
    check(unit, kind, who, limit, window_ms, words)
    count(unit, kind, who, window_ms)


def give_back(unit: Unit, kind: str, who: str, window_ms: int) -> None:
    """Take one count of this window back; one that a window's end already forgot stays forgotten."""
    records.rate_take(unit.db, _bucket(kind, who), _start(unit, window_ms), unit.now.boot_id)


def _start(unit: Unit, window_ms: int) -> int:
    return unit.now.boot_ms - unit.now.boot_ms % window_ms


def _bucket(kind: str, who: str) -> str:
    # Hashed: what strangers typed is bounded in size, and no mistyped PIN in the badge field stays in the database.
    return f"{kind}:{hashlib.sha256(who.encode(errors='replace')).hexdigest()[:24]}"
