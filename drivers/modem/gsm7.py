"""The default alphabet of text messages (3GPP TS 23.038, 6.2.1): seven bits a character, some behind an escape."""

from __future__ import annotations

ESCAPE = 0x1B
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅå"
    "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ"
    " !\"#¤%&'()*+,-./"
    "0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNO"
    "PQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmno"
    "pqrstuvwxyzäöñüà"
)
_EXTENSION = {
    "\f": 0x0A,
    "^": 0x14,
    "{": 0x28,
    "}": 0x29,
    "\\": 0x2F,
    "[": 0x3C,
    "~": 0x3D,
    "]": 0x3E,
    "|": 0x40,
    "€": 0x65,
}
_CODES: dict[str, tuple[int, ...]] = {
    **{char: (code,) for code, char in enumerate(_BASIC) if code != ESCAPE},
    **{char: (ESCAPE, code) for char, code in _EXTENSION.items()},
}
# Typographic characters for which the alphabet has a plain one; one of them would double the price of a message.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019", "'"),
        **dict.fromkeys("\u201c\u201d\u201e", '"'),
        **dict.fromkeys("\u2013\u2014\u00b7\u2022", "-"),
        **dict.fromkeys("\u00a0\u202f\u2009", " "),
        "\u201a": ",",
        "\u2026": "...",
    }
)


def plain(text: str) -> str:
    """`text` with typographic quotes, dashes and spaces made plain."""
    return text.translate(_PLAIN)


def septets(char: str) -> tuple[int, ...] | None:
    """The one or two codes of a character, or None if the alphabet lacks it."""
    return _CODES.get(char)


def fits(text: str) -> bool:
    """Whether every character is in the alphabet."""
    return all(char in _CODES for char in text)


def pack(codes: list[int], fill_bits: int = 0) -> bytes:
    """Seven-bit codes in octets, low bits first, after `fill_bits` zero bits (6.1.2.1)."""
    value, shift = 0, fill_bits
    for code in codes:
        value |= code << shift
        shift += 7
    return value.to_bytes((shift + 7) // 8, "little")
