"""Lines, words and runs: which letters the printer's own code pages cover and which must be drawn."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.fonts import JOINERS, draw_text
from drivers.printer.escpos_library import escpos_module
from drivers.printer.profile import Profile

LINE_DOTS = 24
NO_PAGE = "ASCII"
"""The page of a printer that has none we know; nothing but ASCII is sent in it."""
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a line: in one code page, or with `page` None to be drawn; `cells` wide."""

    text: str
    page: str | None
    cells: int


def clean(text: str) -> list[str]:
    """Paragraphs of `text` without anything a printer could take for a command or that reorders its neighbours."""
    lines = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode()).expandtabs(4).splitlines()
    return ["".join(filter(_is_printable, line)) for line in lines] or [""]


def _is_printable(char: str) -> bool:
    category = unicodedata.category(char)
    return char in JOINERS or category not in ("Cc", "Cf", "Zl", "Zp")


def split_runs(text: str, profile: Profile) -> list[Run]:
    """`text` cut into runs, each in a page that has all its letters, or to be drawn."""
    runs: list[Run] = []
    for drawn, stretch in _stretches(text, profile):
        if drawn:
            runs.append(Run(stretch, None, _drawn_cells(stretch, profile.cell_dots)))
        else:
            runs.extend(_by_page(stretch, profile))
    return runs


def cells(text: str, profile: Profile) -> int:
    """How many character cells `text` takes."""
    return sum(run.cells for run in split_runs(text, profile))


def spelled(text: str, profile: Profile) -> str:
    """`text` in letters that the printer has: accents it lacks fall off, what is left without a letter becomes `?`."""
    return "".join(letter if _is_covered(letter, profile.pages) else _nearest(letter) for letter in _letters(text))


def _nearest(letter: str) -> str:
    base = unicodedata.normalize("NFKD", letter)[0]
    return base if base.isspace() or " " <= base <= "~" else "?"


def wrap(text: str, columns: int, profile: Profile) -> list[str]:
    """`text` in lines of at most `columns` cells, broken between words, or inside a word that is too long."""
    return [line for paragraph in clean(text) for line in _wrap_paragraph(paragraph, columns, profile)]


def _wrap_paragraph(text: str, columns: int, profile: Profile) -> Iterator[str]:
    line = ""
    for word in _words(text, columns, profile):
        candidate = f"{line} {word}" if line else word
        if line and cells(candidate, profile) > columns:
            yield line
            line = word
        else:
            line = candidate
    yield line


def _words(text: str, columns: int, profile: Profile) -> Iterator[str]:
    for word in text.split(" "):
        # A word that may not fit is broken; each letter takes at most two cells and a half.
        if len(word) * 3 <= columns or cells(word, profile) <= columns:
            yield word
        else:
            yield from _pieces(word, columns, profile)


def _pieces(word: str, columns: int, profile: Profile) -> Iterator[str]:
    piece, used = "", 0
    for letter in _letters(word):
        width = _letter_cells(letter, profile)
        if piece and used + width > columns:
            yield piece
            piece, used = "", 0
        piece, used = piece + letter, used + width
    yield piece


def _letter_cells(letter: str, profile: Profile) -> int:
    return 1 if _is_covered(letter, profile.pages) else _drawn_cells(letter, profile.cell_dots)


def _letters(text: str) -> Iterator[str]:
    """Letters with the accents and joiners that belong to them."""
    letter = ""
    for char in text:
        if letter and not (char in JOINERS or unicodedata.category(char).startswith("M")):
            yield letter
            letter = ""
        letter += char
    if letter:
        yield letter


def _stretches(text: str, profile: Profile) -> Iterator[tuple[bool, str]]:
    """Alternating stretches, drawn or not; a gap between two right-to-left words is drawn with them."""
    letters = list(_letters(text))
    drawn = [not _is_covered(letter, profile.pages) for letter in letters]
    _bridge_gaps(letters, drawn)
    start = 0
    for index in range(1, len(letters) + 1):
        if index == len(letters) or drawn[index] != drawn[start]:
            yield drawn[start], "".join(letters[start:index])
            start = index


def _bridge_gaps(letters: list[str], drawn: list[bool]) -> None:
    """Draw what stands between right-to-left words with them: their order on paper is not that in memory.

    In a line that begins from the right, left-to-right words between them are put in order with them too.
    """
    backwards = _begins_from_the_right(letters)
    last = None
    for index, letter in enumerate(letters):
        if drawn[index]:
            if last is not None and _is_right_to_left(letter) and _is_right_to_left(letters[last]):
                drawn[last:index] = [True] * (index - last)
            if _is_right_to_left(letter) or not backwards:
                last = index
        elif unicodedata.bidirectional(letter[0]) == "L" and not backwards:
            last = None


def _begins_from_the_right(letters: list[str]) -> bool:
    directions = (unicodedata.bidirectional(letter[0]) for letter in letters)
    return next((direction for direction in directions if direction in ("L", "R", "AL")), "L") != "L"


def _is_right_to_left(letter: str) -> bool:
    return unicodedata.bidirectional(letter[0]) in _RIGHT_TO_LEFT


@functools.lru_cache(maxsize=8192)
def _is_covered(letter: str, pages: tuple[str, ...]) -> bool:
    if len(letter) != 1 or _is_right_to_left(letter):
        return False
    return " " <= letter <= "~" or any(letter in page_letters(page) for page in pages)


@functools.cache
def page_letters(page: str) -> frozenset[str]:
    """The letters above ASCII in a code page of the printer database."""
    entry = escpos_module("codepages").CodePages.get_encoding(page)
    if "data" in entry:
        letters = "".join(entry["data"])
    else:
        letters = bytes(range(0x80, 0x100)).decode(entry["python_encode"], "ignore")
    return frozenset(letter for letter in letters if letter > "~" and letter.isprintable())


def _by_page(text: str, profile: Profile) -> Iterator[Run]:
    pages = profile.pages
    if not pages and text:
        yield Run(text, NO_PAGE, len(text))
        return
    while text:
        page, count = max(((page, _prefix(text, page)) for page in pages), key=lambda found: found[1])
        yield Run(text[:count], page, count)
        text = text[count:]


def _prefix(text: str, page: str) -> int:
    """How many letters from the start `page` has; the best page always has at least one."""
    known = page_letters(page)
    return next((i for i, char in enumerate(text) if char > "~" and char not in known), len(text))


@functools.lru_cache(maxsize=4096)
def _drawn_cells(text: str, cell_dots: int) -> int:
    return -(-draw_text(text, LINE_DOTS).width // cell_dots)
