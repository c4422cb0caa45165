"""Which letter a key means on which keyboard: facts, as scanners that pretend to be keyboards use them.

Keys have the numbers of Linux (input-event-codes.h); a level is 0 plain, 1 with Shift, 2 with AltGr. Dead keys count as
their accent. A space means that the key has no letter there that codes are made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

SHIFT, ALT_GR = 1, 2
SPACE_KEY = 57

# Row by row: the key left of 1 to the one left of Backspace, Q and A rows with their last keys, the key beside the left Shift, Z row.
_KEYS = (41, *range(2, 14), *range(16, 28), *range(30, 41), 43, 86, *range(44, 54))

NAMES: Mapping[str, str] = {
    "us": "US",
    "gb": "British",
    "de": "German",
    "ch": "Swiss",
    "fr": "French",
    "be": "Belgian",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "se": "Swedish",
    "no": "Norwegian",
    "dk": "Danish",
}

_ROWS: Mapping[str, tuple[str, str, str]] = {
    "us": (
        "`1234567890-=qwertyuiop[]asdfghjkl;'\\<zxcvbnm,./",
        '~!@#$%^&*()_+QWERTYUIOP{}ASDFGHJKL:"|>ZXCVBNM<>?',
        "                                     |          ",
    ),
    "gb": (
        "`1234567890-=qwertyuiop[]asdfghjkl;'#\\zxcvbnm,./",
        '¬!"£$%^&*()_+QWERTYUIOP{}ASDFGHJKL:@~|ZXCVBNM<>?',
        "|      {[]}\\ @ e        ~          ^`|          ",
    ),
    "de": (
        "^1234567890ß\u00b4qwertzuiopü+asdfghjklöä#<yxcvbnm,.-",
        "°!\"§$%&/()=?`QWERTZUIOPÜ*ASDFGHJKLÖÄ'>YXCVBNM;:_",
        "       {[]}\\ @          ~          ^ |          ",
    ),
    "ch": (
        "§1234567890'^qwertzuiopü¨asdfghjklöä$<yxcvbnm,.-",
        '°+"*ç%&/()=?`QWERTZUIOPè!ASDFGHJKLéà£>YXCVBNM;:_',
        " |@#   | ]} ~@         []          {}\\          ",
    ),
    "fr": (
        "²&é\"'(-è_çà)=azertyuiop^$qsdfghjklmù*<wxcvbn,;:!",
        "~1234567890°+AZERTYUIOP¨£QSDFGHJKLM%µ>WXCVBN?./§",
        "  ~#{[|`\\^@]}            @         ^`|          ",
    ),
    "be": (
        "²&é\"'(§è!çà)-azertyuiop^$qsdfghjklmùµ<wxcvbn,;:=",
        "³1234567890°_AZERTYUIOP¨*QSDFGHJKLM%£>WXCVBN?./+",
        " |@#  ^{[{}\\ @         []           `\\         ~",
    ),
    "es": (
        "º1234567890'¡qwertyuiop`+asdfghjklñ\u00b4ç<zxcvbnm,.-",
        'ª!"·$%&/()=?¿QWERTYUIOP^*ASDFGHJKLÑ¨Ç>ZXCVBNM;:_',
        "\\|@#~  {[]}\\ @         []         ~{}|          ",
    ),
    "it": (
        "\\1234567890'ìqwertyuiopè+asdfghjklòàù<zxcvbnm,.-",
        '|!"£$%&/()=?^QWERTYUIOPé*ASDFGHJKLç°§>ZXCVBNM;:_',
        "       {[]}`~@         []         @#`           ",
    ),
    "pt": (
        "\\1234567890'«qwertyuiop+\u00b4asdfghjklçº~<zxcvbnm,.-",
        '|!"#$%&/()=?»QWERTYUIOP*`ASDFGHJKLÇª^>ZXCVBNM;:_',
        "  @    {[]}\\ @          ~          ^`\\          ",
    ),
    "se": (
        "§1234567890+\u00b4qwertyuiopå¨asdfghjklöä'<zxcvbnm,.-",
        '½!"#¤%&/()=?`QWERTYUIOPÅ^ASDFGHJKLÖÄ*>ZXCVBNM;:_',
        "  @ $  {[]}\\ @          ~            |          ",
    ),
    "no": (
        "|1234567890+\\qwertyuiopå¨asdfghjkløæ'<zxcvbnm,.-",
        '§!"#¤%&/()=?`QWERTYUIOPÅ^ASDFGHJKLØÆ*>ZXCVBNM;:_',
        "  @ $  {[]}  @          ~          ^            ",
    ),
    "dk": (
        "½1234567890+\u00b4qwertyuiopå¨asdfghjklæø'<zxcvbnm,.-",
        '§!"#¤%&/()=?`QWERTYUIOPÅ^ASDFGHJKLÆØ*>ZXCVBNM;:_',
        "  @ $  {[]} |@          ~          ^ \\          ",
    ),
}

# Alike everywhere: the number pad, and the space bar.
_PAD = {71: "7", 72: "8", 73: "9", 75: "4", 76: "5", 77: "6", 79: "1", 80: "2", 81: "3", 82: "0"}
_PAD_SIGNS = {55: "*", 74: "-", 78: "+", 98: "/", 83: ".", SPACE_KEY: " "}
# Keys of other keyboards (Brazil, Japan) that have letters, too, but none that is known here.
_ELSEWHERE = {89, 117, 121, 124}
LETTER_KEYS = frozenset({*_KEYS, *_PAD, *_PAD_SIGNS, *_ELSEWHERE})
PAD_DIGITS: Mapping[int, str] = MappingProxyType(_PAD)


class Stroke(NamedTuple):
    """One key pressed with what was held; `caps` is Caps Lock."""

    key: int
    level: int = 0
    caps: bool = False


def _table(rows: tuple[str, str, str]) -> Mapping[tuple[int, int], str]:
    letters = {
        (key, level): char
        for level, row in enumerate(rows)
        for key, char in zip(_KEYS, row, strict=True)
        if char != " "
    }
    alike = {(key, level): char for key, char in (_PAD | _PAD_SIGNS).items() for level in (0, SHIFT)}
    return MappingProxyType(letters | alike)


TABLES: Mapping[str, Mapping[tuple[int, int], str]] = {name: _table(rows) for name, rows in _ROWS.items()}


def letter(stroke: Stroke, layout: str) -> str | None:
    """What a stroke writes, or None when it writes nothing on that keyboard."""
    char = TABLES[layout].get((stroke.key, stroke.level))
    return char.swapcase() if char is not None and stroke.caps and char.isalpha() else char


def strokes_for(text: str, layout: str) -> list[Stroke]:
    """How a scanner that is set to `layout` types `text`; raises `ValueError` at a letter that keyboard lacks."""
    keys = {char: Stroke(*place) for place, char in reversed(list(TABLES[layout].items())) if place[0] not in _PAD}
    try:
        return [keys[char] for char in text]
    except KeyError as error:
        raise ValueError(f"A {NAMES[layout]} keyboard has no key for {error.args[0]!r}.") from None
