"""Numbers of badge cards: readers write one and the same chip's number in several ways. Pure."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable

# Lengths in bytes that chips have: 4, 7 and 10 (ISO/IEC 14443-3), 5 (EM4100), 8 (ISO/IEC 15693).
_LENGTHS = (4, 5, 7, 8, 10)
# Readers of EM4100 chips on a serial line (RDM6300, ID-12) put the exclusive or of the five bytes behind them.
_WITH_CHECK = 6
_SEPARATORS = re.compile(r"[ :.\-]")

FORMATS = ("hex", "hex-reversed", "dec", "dec-reversed")


def normal(text: str, written: str) -> str:
    """The number as capital hex digits in the order the chip sends its bytes; a text that is no such number stays.

    `written` is what the reader writes, one of `FORMATS`: hex digits with or without separators, or a decimal number; reversed
    means least significant byte first. Decimal digits do not tell how long a number is: the shortest chip that holds it is taken.
    """
    raw = _PARSERS[written.removesuffix("-reversed")](text)
    if raw is None:
        return text
    return (raw[::-1] if written.endswith("-reversed") else raw).hex().upper()


def _from_hex(text: str) -> bytes | None:
    digits = _SEPARATORS.sub("", text).removeprefix("0x")
    if not re.fullmatch(r"[0-9A-Fa-f]+", digits) or len(digits) % 2:
        return None
    raw = bytes.fromhex(digits)
    if len(raw) == _WITH_CHECK and functools.reduce(operator.xor, raw) == 0:
        raw = raw[:-1]
    return raw if len(raw) in _LENGTHS else None


def _from_decimal(text: str) -> bytes | None:
    # More than 25 digits hold no 10 bytes, and `int` of a long text is slow.
    if not re.fullmatch(r"[0-9]{4,25}", text):
        return None
    number = int(text)
    length = next((length for length in _LENGTHS if number < 1 << (8 * length)), None)
    return None if length is None else number.to_bytes(length, "big")


_PARSERS: dict[str, Callable[[str], bytes | None]] = {"hex": _from_hex, "dec": _from_decimal}
