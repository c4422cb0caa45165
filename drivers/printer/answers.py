"""What a printer sends back, told apart: answers, automatic status, flow control and rubbish. Pure.

Source of the fixed bits: Epson ESC/POS reference, "DLE EOT", "GS r", "GS a".

| bits of a byte | what it is |
|---|---|
| 0xx1xx10 | the answer to DLE EOT |
| 0xx1xx00 | the first of the four bytes of automatic status (ASB), which nobody asked for |
| 0xx0xxxx | the answer to GS r, or a later byte of automatic status |
| 0x11, 0x13 | XON and XOFF |
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

XON, XOFF = 0x11, 0x13
_REAL_TIME_MASK, _REAL_TIME, _AUTOMATIC = 0x93, 0x12, 0x10
_PLAIN_MASK = 0x90
_BLOCK_BYTES = 4


class Kind(enum.Enum):
    """What a piece of the printer's talk is."""

    REAL_TIME = "the answer to a real-time question"
    IN_ORDER = "the answer to a question that waits for its turn"
    AUTOMATIC = "a status that came by itself"
    RUBBISH = "rubbish"


@dataclass(frozen=True, slots=True)
class Answer:
    """One piece; `value` is its byte, for an automatic status the first of four."""

    kind: Kind
    value: int


class AnswerReader:
    """Splits bytes that may arrive in any pieces."""

    def __init__(self) -> None:
        self._block = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        """The pieces that `data` completes, in order."""
        return [answer for byte in data for answer in self._byte(byte)]

    def forget(self) -> None:
        """Drop half a block, as after a new connection."""
        self._block.clear()

    def _byte(self, byte: int) -> list[Answer]:
        if not self._block:
            return self._first(byte)
        if byte & _PLAIN_MASK:
            # No block goes on like this: what began it was none.
            self._block.clear()
            return [Answer(Kind.RUBBISH, byte), *self._first(byte)]
        self._block.append(byte)
        if len(self._block) < _BLOCK_BYTES:
            return []
        first = self._block[0]
        self._block.clear()
        return [Answer(Kind.AUTOMATIC, first)]

    def _first(self, byte: int) -> list[Answer]:
        if byte in (XON, XOFF):
            return []
        if byte & _REAL_TIME_MASK == _REAL_TIME:
            return [Answer(Kind.REAL_TIME, byte)]
        if byte & _REAL_TIME_MASK == _AUTOMATIC:
            self._block.append(byte)
            return []
        return [Answer(Kind.RUBBISH if byte & _PLAIN_MASK else Kind.IN_ORDER, byte)]
