"""The time, as a value that is handed to every use case."""

from __future__ import annotations

from dataclasses import dataclass

SECOND_MS = 1000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Now:
    """One reading of all clocks.

    ``wall_ms`` is shown to people and decides about stock never; ``boot_ms`` counts since this boot (suspend included) and
    is comparable only within the same ``boot_id``; ``trusted`` says whether the wall clock is known to be right.
    """

    wall_ms: int
    boot_ms: int
    boot_id: str
    trusted: bool
