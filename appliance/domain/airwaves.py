"""Which channels a country allows, from the kernel's own list (wireless-regdb): the bytes of regulatory.db, big-endian, version 20.

The format is that of net/wireless/reg.c of Linux: a table of countries, each with a pointer to its rules; pointers count units of
four bytes. One list for the kernel and for us, so that what we accept is what the radio may do.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_MAGIC, _VERSION = 0x52474442, 20
_NO_OFDM, _DFS, _NO_IR = 1, 4, 8
WORLD = "00"
# 20 MHz: what every channel here takes.
_HALF_KHZ = 10_000
CHANNELS_2_4 = tuple(range(1, 14))
CHANNELS_5 = (36, 40, 44, 48, 52, 56, 60, 64, *range(100, 145, 4), 149, 153, 157, 161, 165)


class NoList(ValueError):
    """These bytes are no list of countries."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of the air that may be used, in kHz; ``usable`` for an access point that neither waits for radar nor for others."""

    start_khz: int
    end_khz: int
    usable: bool


def countries(database: bytes) -> dict[str, tuple[Span, ...]]:
    """Return every country's rules by its two letters; ``WORLD`` is what holds where nobody said which. Raises ``NoList``."""
    try:
        magic, version = struct.unpack_from(">II", database)
        if (magic, version) != (_MAGIC, _VERSION):
            raise NoList("this is no list of countries that we can read")
        found, at = {}, 8
        while database[at] != 0:
            letters, pointer = struct.unpack_from(">2sH", database, at)
            found[letters.decode("ascii")] = _rules(database, pointer * 4)
            at += 4
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise NoList(f"the list of countries is damaged: {error}") from error
    return found


def _rules(database: bytes, at: int) -> tuple[Span, ...]:
    length, number = struct.unpack_from(">BB", database, at)
    first = at + length + length % 2
    pointers = struct.unpack_from(f">{number}H", database, first)
    return tuple(_span(database, pointer * 4) for pointer in pointers)


def _span(database: bytes, at: int) -> Span:
    _length, flags, _eirp, start_khz, end_khz = struct.unpack_from(">BBHII", database, at)
    return Span(start_khz, end_khz, not flags & (_NO_OFDM | _DFS | _NO_IR))


def allowed(rules: tuple[Span, ...]) -> tuple[int, ...]:
    """Return the channels on which a hotspot may begin at once."""
    return tuple(each for each in (*CHANNELS_2_4, *CHANNELS_5) if _fits(rules, each))


def _fits(rules: tuple[Span, ...], channel: int) -> bool:
    middle_khz = (2407 if channel <= CHANNELS_2_4[-1] else 5000) * 1000 + channel * 5000
    low_khz, high_khz = middle_khz - _HALF_KHZ, middle_khz + _HALF_KHZ
    # Two rules that touch are one piece of air to a radio, but the narrower answer is always legal.
    return any(each.usable and each.start_khz <= low_khz and high_khz <= each.end_khz for each in rules)
