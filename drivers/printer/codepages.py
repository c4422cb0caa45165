"""Epson's numbers for `ESC t`, written down apart from the encoder so that the two check each other.

Source: Epson ESC/POS command reference, "ESC t", TM-T20II character code tables.
"""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_PAGE = 0
UNDEFINED = "\ufffd"

CODECS: Mapping[int, str] = {
    0: "cp437", 1: "shift_jis", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 13: "cp857", 14: "cp737",
    15: "iso8859_7", 16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858", 21: "cp874", 32: "cp720", 33: "cp775",
    34: "cp855", 35: "cp861", 36: "cp862", 37: "cp864", 38: "cp869", 39: "iso8859_2", 40: "iso8859_15",
    44: "cp1125", 45: "cp1250", 46: "cp1251", 47: "cp1253", 48: "cp1254", 49: "cp1255", 50: "cp1256",
    51: "cp1257", 52: "cp1258", 53: "kz1048",
}  # fmt: skip


def decode(byte: int, page: int) -> str:
    """The letter that `byte` prints in `page`; U+FFFD where the page has none."""
    if byte < 0x80:
        return chr(byte)
    letter = bytes([byte]).decode(CODECS.get(page, "cp437"), "replace")
    return letter if letter.isprintable() else UNDEFINED
