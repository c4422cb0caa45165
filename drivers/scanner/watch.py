"""Judges by what arrives whether a scanner is sane. Pure: time is given by the caller."""

from __future__ import annotations

from collections import Counter, deque
from enum import Enum

WINDOW_S = 5.0
# Nobody holds codes before a scanner this fast; a burst of fifty receipts stays well below.
FLOOD_BYTES = 50_000
FLOOD_CODES = 500
# A plug that goes in makes a byte or two of noise.
NOISE_BYTES = 8
_PIECES = 5000
# A code that came through ends a trouble, but not while both keep coming in turns.
HOLD_S = 2.0


class Trouble(Enum):
    """What is wrong, and what a person should do; most urgent first."""

    FLOOD = (
        "The scanner sends without pause. Release its trigger, take away what lies before it, or switch it off and on."
    )
    UNREADABLE = "The scanner speaks, but what it says is not readable. Is the baud rate right?"
    TOO_LONG = "A code was too long and was dropped. Is the scanner set to end codes with Enter (CR)?"
    OVERFLOW = "Codes came faster than they could be taken, and some were dropped. Scan slower."
    LOST = "Keys were lost on the way and the code with them. Scan again, slower."


class Watch:
    """Told of everything that arrives; `trouble` is the most urgent thing that is still wrong."""

    def __init__(self) -> None:
        self._arrived: deque[tuple[float, int, int]] = deque()
        self._sizes = self._numbers = 0
        self._last_s: dict[Trouble, float] = {}
        self._noise = 0
        self._good_s = float("-inf")
        self.counts: Counter[str] = Counter()

    def heard(self, now_s: float, size: int, codes: int) -> None:
        """`size` bytes or keys came and completed `codes` codes."""
        self._remember(now_s, size, codes)
        if codes:
            self.counts["codes"] += codes
            self._good_s = now_s
            self._noise = 0
        if self._sizes > FLOOD_BYTES or self._numbers > FLOOD_CODES:
            self._last_s[Trouble.FLOOD] = now_s

    def noise(self, now_s: float, size: int) -> None:
        """`size` bytes came that are no text."""
        self.counts["unreadable"] += size
        self._noise += size
        if self._noise >= NOISE_BYTES:
            self._last_s[Trouble.UNREADABLE] = now_s

    def went_wrong(self, trouble: Trouble, now_s: float, count: int = 1) -> None:
        """Something else was lost or wrong."""
        self.counts["dropped"] += count
        self._last_s[trouble] = now_s

    def trouble(self, now_s: float) -> Trouble | None:
        """What is wrong now."""
        for trouble in Trouble:
            last_s = self._last_s.get(trouble)
            if last_s is not None and not self._over(trouble, last_s, now_s):
                return trouble
        return None

    def reset(self) -> None:
        """A new life: what was wrong before does not count."""
        self._arrived.clear()
        self._sizes = self._numbers = 0
        self._last_s.clear()
        self._noise = 0

    def _over(self, trouble: Trouble, last_s: float, now_s: float) -> bool:
        if trouble is Trouble.FLOOD:
            return now_s - last_s > HOLD_S
        return self._good_s >= last_s and now_s - last_s > HOLD_S

    def _remember(self, now_s: float, size: int, codes: int) -> None:
        self._arrived.append((now_s, size, codes))
        self._sizes += size
        self._numbers += codes
        # Bounded, so that a flood of tiny pieces costs no memory.
        while self._arrived[0][0] < now_s - WINDOW_S or len(self._arrived) > _PIECES:
            _, old_size, old_codes = self._arrived.popleft()
            self._sizes -= old_size
            self._numbers -= old_codes
