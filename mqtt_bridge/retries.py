"""Messages whose handler failed, kept for another attempt after a growing wait. No I/O, no clock."""

from __future__ import annotations

from typing import NamedTuple

from mqtt_bridge.transport import Message

WAITS_MS = (1_000, 2_000, 5_000, 10_000, 30_000)
MAX_KEPT = 64


class Retry(NamedTuple):
    """A message with the number of ``attempts`` that failed."""

    message: Message
    due_ms: int
    attempts: int


class Retries:
    """At most ``MAX_KEPT`` messages by key; what finds no room is repeated by its sender, or retained by the broker."""

    def __init__(self) -> None:
        self._kept: dict[str, Retry] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def drop(self, key: str) -> None:
        """Forget a message: it is being handled, or a newer one took its place."""
        self._kept.pop(key, None)

    def keep(self, key: str, message: Message, attempts: int, now_ms: int) -> None:
        """Keep what failed once more after ``attempts`` failures before."""
        if len(self._kept) < MAX_KEPT:
            wait_ms = WAITS_MS[min(attempts, len(WAITS_MS) - 1)]
            self._kept[key] = Retry(message, now_ms + wait_ms, attempts + 1)

    def due(self, now_ms: int) -> list[Retry]:
        """Return what to handle again now, in the order in which it failed first."""
        return [each for each in self._kept.values() if each.due_ms <= now_ms]
