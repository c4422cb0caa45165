"""A guest list as organisers keep it: CSV in whatever encoding and with whatever separator their program wrote.

Every row is either right or named with its line and what to do about it. Nothing in a cell is ever computed: a spreadsheet's
formula is a mistake, not a name.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from appliance.domain.errors import Invalid
from appliance.domain.people import clean
from appliance.domain.searching import fold
from appliance.domain.texts import translatable

LARGEST_BYTES = 40_000
MOST_GUESTS = 500
MOST_TICKETS = 20
LONGEST_CELL = 1000
SEPARATORS = (";", ",", "\t")
_FORMULA = ("=", "+", "-", "@")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

NAME, FIRST, LAST, TICKETS, TYPE, NOTE = "name", "first", "last", "tickets", "type", "note"
# What columns may be called, folded.
_COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("name", "guest", "gast", "full name", "names"), NAME),
    **dict.fromkeys(("first name", "firstname", "given name", "vorname"), FIRST),
    **dict.fromkeys(("last name", "lastname", "surname", "family name", "nachname", "familienname"), LAST),
    **dict.fromkeys(
        ("tickets", "quantity", "number", "count", "pax", "anzahl", "karten", "plaetze", "platze"), TICKETS
    ),
    **dict.fromkeys(("type", "ticket type", "ticket_type", "category", "kartenart", "kategorie", "typ", "art"), TYPE),
    **dict.fromkeys(("note", "notes", "remark", "comment", "notiz", "bemerkung", "hinweis", "kommentar"), NOTE),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a line (counted from 1; 0: the file): ``words`` is translatable, ``about`` fills in its ``%(about)s``."""

    line: int
    words: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Guest:
    """One right row; ``ticket_type`` is an id."""

    line: int
    name: str
    tickets: int
    ticket_type: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class GuestList:
    """A file that was read: its right rows, what is wrong in the others, and columns that mean nothing here."""

    guests: tuple[Guest, ...] = ()
    problems: tuple[Problem, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reader:
    types: Mapping[str, str]
    default: str
    guests: list[Guest] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


def decode(data: bytes) -> str:
    """Return the text of a file: UTF-16 or UTF-8 by its mark, else UTF-8, else Windows-1252. Raises ``ValueError``."""
    if data.startswith(_UTF16):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def read(text: str, types: Mapping[str, str], default: str) -> GuestList:
    """Read a list; ``types`` maps ticket types' names to ids, ``default`` is the id of rows that name none (empty: they must)."""
    if len(text.encode()) > LARGEST_BYTES:
        return _refused(translatable("The file is too large: at most 40 kB and 500 guests. Split it."))
    if "\0" in text:
        return _refused(translatable("This is not a text file. Save the list as CSV and try again."))
    reader = _Reader({fold(name): each for name, each in types.items()}, default)
    try:
        for line, cells in _rows(text):
            _take(reader, line, cells)
    except csv.Error:
        words = translatable(
            "From here on the file cannot be read: a quotation mark has no partner. Close it or take it out."
        )
        reader.problems.append(Problem(_line_of_lone_quote(text), words))
    if not reader.guests and not reader.problems:
        return _refused(
            translatable("There is nobody in this file. Its first line names the columns: name, tickets, type, note.")
        )
    if len(reader.guests) > MOST_GUESTS:
        return _refused(translatable("The file is too large: at most 40 kB and 500 guests. Split it."))
    return GuestList(tuple(reader.guests), tuple(reader.problems), reader.ignored)


def key_of(guest: Guest, event_session: str) -> str:
    """Return what is the same whenever the same person is listed again for the same date and type."""
    parts = (event_session, guest.ticket_type, " ".join(fold(guest.name).split()))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _refused(words: str) -> GuestList:
    return GuestList(problems=(Problem(0, words),))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line at which it begins, cells) of every row that has any."""
    lines = text.splitlines(keepends=True)
    head = next((each for each in lines if each.strip()), "")
    # Excel writes "sep=;" to say so itself.
    told = head.strip().lower()
    separator = told[4] if told.startswith("sep=") and len(told) == 5 else max(SEPARATORS, key=head.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    before = 0
    for cells in rows:
        line, before = before + 1, rows.line_num
        tidy = [" ".join(each.split()) for each in cells]
        if any(tidy) and not (tidy[0].lower().startswith("sep=") and line == 1):
            yield line, tidy


def _take(reader: _Reader, line: int, cells: list[str]) -> None:
    if not reader.columns:
        _head(reader, line, cells)
    elif reader.columns.keys() & {NAME, LAST}:
        try:
            reader.guests.append(_guest(reader, line, cells))
        except _Wrong as wrong:
            reader.problems.append(Problem(line, wrong.words, wrong.about))


def _head(reader: _Reader, line: int, cells: list[str]) -> None:
    names = [(_COLUMNS.get(fold(each).strip(" :*")), each) for each in cells]
    for index, (name, _cell) in enumerate(names):
        if name is not None:
            reader.columns.setdefault(name, index)
    reader.ignored = tuple(cell[:40] for name, cell in names if name is None and cell)
    if not reader.columns.keys() & {NAME, LAST}:
        words = translatable(
            "The first line must name the columns; one of them is name. Write: name, tickets, type, note."
        )
        reader.problems.append(Problem(line, words))
        reader.columns.setdefault("", -1)


class _Wrong(Exception):
    """A row that cannot be taken."""

    def __init__(self, words: str, about: str = "") -> None:
        super().__init__(words)
        self.words = words
        self.about = about[:60]


def _guest(reader: _Reader, line: int, cells: list[str]) -> Guest:
    def cell(column: str) -> str:
        index = reader.columns.get(column, -1)
        return cells[index] if 0 <= index < len(cells) else ""

    if any(len(each) > LONGEST_CELL for each in cells):
        raise _Wrong(translatable("A cell of this row is far too long. Is a quotation mark missing?"))
    name = cell(NAME) or f"{cell(FIRST)} {cell(LAST)}".strip()
    return Guest(line, _name(name), _tickets(cell(TICKETS)), _type(reader, cell(TYPE)), _note(cell(NOTE)))


def _name(text: str) -> str:
    if not text:
        raise _Wrong(translatable("There is no name. Write one, or delete the row."))
    if text.startswith(_FORMULA):
        raise _Wrong(translatable("“%(about)s” is a formula, not a name. Save the sheet's values instead."), text)
    try:
        return clean(text, "name")
    except Invalid:
        words = translatable(
            "The name is too long or cannot be shown. At most 200 characters, without control characters."
        )
        raise _Wrong(words) from None


def _tickets(text: str) -> int:
    if not text:
        return 1
    # A spreadsheet writes whole numbers as 2.0 or 2,0.
    whole = text.replace(",", ".").removesuffix(".0").removesuffix(".00")
    if not (whole.isascii() and whole.isdigit() and len(whole) < 4 and 1 <= int(whole) <= MOST_TICKETS):
        raise _Wrong(translatable("“%(about)s” is not a number of tickets from 1 to 20. Correct it."), text)
    return int(whole)


def _type(reader: _Reader, text: str) -> str:
    if text:
        found = reader.types.get(fold(text))
        if found is None:
            raise _Wrong(
                translatable("There is no ticket type “%(about)s” on this date. Correct it or leave it empty."), text
            )
        return found
    if not reader.default:
        raise _Wrong(translatable("There is no ticket type. Write one, or choose above what such rows get."))
    return reader.default


def _note(text: str) -> str:
    try:
        return clean(text, "note")
    except Invalid:
        raise _Wrong(translatable("The note is too long or cannot be shown. At most 200 characters.")) from None


def _line_of_lone_quote(text: str) -> int:
    """Return the line of the last quotation mark that opens a cell and is not closed, for pointing at it."""
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = 0
    try:
        for _ in rows:
            before = rows.line_num
    except csv.Error:
        pass
    return before + 1
