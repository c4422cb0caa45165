"""Which scans of a lane are one holding-up of a ticket: a scanner that goes on reading what lies before it scans it once."""

from __future__ import annotations

REPEAT_MS = 2_000
_KEPT = 64


class Repeats:
    """The codes one lane has recorded lately; times are ms of any clock that only grows.

    A code is a repeat until it was out of sight for ``REPEAT_MS``. Only what was recorded counts (``recorded``): a scan that
    could not be written down is tried again when the scanner repeats it. Another lane has its own, so nothing that happened
    elsewhere is ever taken for a repeat here.
    """

    def __init__(self) -> None:
        self._seen_ms: dict[str, int] = {}

    def is_repeat(self, code: str, now_ms: int) -> bool:
        """Whether ``code`` was recorded and has been in sight since."""
        seen_ms = self._seen_ms.get(code)
        if seen_ms is None or now_ms - seen_ms >= REPEAT_MS:
            return False
        self._seen_ms[code] = now_ms
        return True

    def recorded(self, code: str, now_ms: int) -> None:
        """Note that ``code`` was written down; what was longest out of sight is forgotten first."""
        self._seen_ms.pop(code, None)
        self._seen_ms[code] = now_ms
        for old in [each for each, seen_ms in self._seen_ms.items() if now_ms - seen_ms >= REPEAT_MS]:
            del self._seen_ms[old]
        while len(self._seen_ms) > _KEPT:
            del self._seen_ms[min(self._seen_ms, key=self._seen_ms.__getitem__)]
