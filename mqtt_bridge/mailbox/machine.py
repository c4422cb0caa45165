"""The mailbox decisions: what to do with a received number, and which numbers to send now."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

# How many numbers may be under way: it grows with what is acknowledged and halves when nothing is, so that many senders of long
# backlogs do not drown a receiver in repetitions.
FIRST_WINDOW = 64
SMALLEST_WINDOW = 16
WINDOW = 1_024
FIRST_PATIENCE_MS = 3_000
MAX_PATIENCE_MS = 30_000
EARLY_ROOM = 1_024


class Place(Enum):
    """Where a received number stands to what was already applied."""

    DUPLICATE = "duplicate"  # applied before: acknowledge again
    NEXT = "next"  # apply now
    EARLY = "early"  # keep until its predecessors came
    BEYOND = "beyond"  # too far ahead to keep; it will be sent again


def place(seq: int, upto: int) -> Place:
    """Return the place of ``seq`` where everything up to ``upto`` was applied."""
    if seq <= upto:
        return Place.DUPLICATE
    if seq == upto + 1:
        return Place.NEXT
    return Place.EARLY if seq <= upto + EARLY_ROOM else Place.BEYOND


class Window(Struct, frozen=True):
    """What a sender knows of one stream; times in ms of any clock that only grows.

    ``acked``: everything up to it is committed at the receiver. ``sent``: the highest number handed to the network since the
    last (re)start of sending. Without progress for ``patience_ms`` everything after ``acked`` is sent again, ever more patiently.
    """

    acked: int = 0
    sent: int = 0
    progress_at_ms: int = 0
    patience_ms: int = FIRST_PATIENCE_MS
    repeats: int = 0
    size: int = FIRST_WINDOW

    @property
    def room(self) -> int:
        """How many more numbers may be under way."""
        return max(0, self.size - (self.sent - self.acked))

    def starting(self, acked: int, now_ms: int) -> Window:
        """Return the window of a fresh connection: whatever was under way is lost."""
        return Window(acked, acked, now_ms)

    def sending(self, upto: int, now_ms: int) -> Window:
        """Return the window after ``upto`` was handed to the network; patience starts with the first one under way."""
        began = now_ms if self.sent == self.acked else self.progress_at_ms
        return replace(self, sent=max(self.sent, upto), progress_at_ms=began)

    def acknowledged(self, upto: int, now_ms: int) -> Window:
        """Return the window after an ack; an old one changes nothing."""
        if upto <= self.acked:
            return self
        size = min(WINDOW, self.size + min(upto, self.sent) - self.acked) if self.sent > self.acked else self.size
        return Window(upto, max(self.sent, upto), now_ms, size=size)

    def ticking(self, now_ms: int) -> Window:
        """Return the window as time passes: rewound to ``acked`` when patience ran out, and twice as patient."""
        if self.sent == self.acked or now_ms - self.progress_at_ms < self.patience_ms:
            return self
        patience_ms = min(2 * self.patience_ms, MAX_PATIENCE_MS)
        size = max(SMALLEST_WINDOW, self.size // 2)
        return Window(self.acked, self.acked, now_ms, patience_ms, self.repeats + 1, size)
