"""Finding a person by what was typed: accents and case do not matter, any word of a name may be begun."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from mqtt_bridge.protocol.ids import partial_code

SHORTEST_CODE = 3
# Letters that Unicode does not take apart, as people type them who lack the key.
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"})
# German spells these out where the key is missing: Müller is found as Mueller and as Muller.
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@dataclass(frozen=True, slots=True)
class Query:
    """What was typed: ``words`` folded, and ``code`` if it may be part of a readable code (else empty)."""

    words: tuple[str, ...]
    code: str


def query_of(text: str) -> Query:
    """Return what ``text`` may mean; without words and code it finds nothing."""
    code = partial_code(text) or ""
    return Query(_words(fold(text)), code if len(code) >= SHORTEST_CODE else "")


def fold(text: str) -> str:
    """Return ``text`` without accents and case: ``Zoë ŁÓPEZ`` becomes ``zoe lopez``."""
    lower = text.casefold()
    if lower.isascii():
        return lower
    apart = unicodedata.normalize("NFKD", lower)
    return "".join(each for each in apart if not unicodedata.combining(each)).translate(_PLAIN)


def rank(query: Query, name: str) -> int | None:
    """Return how well a name fits, 0 best (every word of the query is one of the name's); None if it does not.

    Each word of the query must begin a word of the name, in any order.
    """
    if not query.words:
        return None
    spellings = {fold(name), fold(unicodedata.normalize("NFC", name).casefold().translate(_SPELLED))}
    ranks = [found for each in spellings if (found := _rank(query.words, _words(each))) is not None]
    return min(ranks, default=None)


def _rank(wanted: tuple[str, ...], words: tuple[str, ...]) -> int | None:
    if not all(any(word.startswith(each) for word in words) for each in wanted):
        return None
    return sum(each not in words for each in wanted)


def _words(folded: str) -> tuple[str, ...]:
    # What is neither letter nor digit parts words, so that "o'neill" is found by "neill" and "smith-jones" by "jones".
    return tuple("".join(each if each.isalnum() else " " for each in folded).split())
