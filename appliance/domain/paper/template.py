"""The little language of print templates: one line of text is one block on paper.

::

    title {event}                    centred, twice as large
    left | center | right TEXT       text; after the word any of bold, large, huge
    columns LEFT | RIGHT             two texts at the edges; bold may stand after the word
    rule                             a line across the paper
    feed 2                           empty lines
    qr {receipt}                     a QR code
    logo, photo                      pictures, where there are any
    each tickets ... end             once for every one of a list

``{name}`` is a fact of the job, ``{{`` and ``}}`` are braces, a line that begins with # is a remark. A line whose facts are all empty is left
out, so "Seat {seat}" vanishes where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_TEMPLATE = 4000
MOST_LINES = 120
# A part of a door list has 80 rows: with more lines for each the paper of a job would know no end.
MOST_LINES_EACH = 20
MOST_FEED = 10
SIZES = {"large": 2, "huge": 3}
ALIGNED = ("left", "center", "right")
BARE = ("rule", "logo", "photo")
WORDS = ("title", *ALIGNED, "columns", "qr", *BARE, "feed", "each", "end")

_FIELD = re.compile(r"\{\{|\}\}|\{([a-z_]+)\}")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a line (counted from 1) and what to write instead."""

    line: int
    words: str

    def __str__(self) -> str:
        return f"Line {self.line}: {self.words}"


class TemplateErrors(ValueError):
    """A template that cannot be used, with every mistake in it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Line:
    """One block: ``word`` says which, ``size`` is 1 to 3, ``lines`` counts the lines of a feed."""

    word: str
    text: str = ""
    right: str = ""
    bold: bool = False
    size: int = 1
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Each:
    """Lines that are repeated for every item of the list ``name``."""

    name: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template."""

    parts: tuple[Line | Each, ...]


def parse(text: str, fields: frozenset[str], lists: Mapping[str, frozenset[str]]) -> Template:
    """Return the template; ``fields`` are the facts it may name, ``lists`` those of each list's items besides.

    Raises ``TemplateErrors`` with every mistake.
    """
    if len(text) > LONGEST_TEMPLATE:
        raise TemplateErrors(
            [Problem(1, f"is longer than {LONGEST_TEMPLATE} characters in all; shorten the template.")]
        )
    reader = _Reader(fields, lists)
    rows = text.splitlines()
    for number, row in enumerate(rows, 1):
        stripped = row.strip()
        if stripped and not stripped.startswith("#"):
            reader.read(number, stripped)
    reader.finish(len(rows))
    if reader.problems:
        raise TemplateErrors(reader.problems)
    return Template(tuple(reader.parts))


def fill(text: str, facts: Mapping[str, str]) -> str | None:
    """Return ``text`` with its facts put in; None where it names some and all of them are empty."""
    named = [match[1] for match in _FIELD.finditer(text) if match[1]]
    if named and not any(facts.get(name) for name in named):
        return None

    def value(match: re.Match[str]) -> str:
        return facts.get(match[1], "") if match[1] else match[0][0]

    return " ".join(_FIELD.sub(value, text).split())


class _Reader:
    """Reads line after line and remembers what is wrong."""

    def __init__(self, fields: frozenset[str], lists: Mapping[str, frozenset[str]]) -> None:
        self.parts: list[Line | Each] = []
        self.problems: list[Problem] = []
        self._fields = fields
        self._lists = lists
        self._each: tuple[int, str, list[Line]] | None = None
        self._count = 0

    def read(self, number: int, row: str) -> None:
        word, _space, rest = row.partition(" ")
        self._count += 1
        if self._count == MOST_LINES + 1:
            self._wrong(number, f"a template has at most {MOST_LINES} lines.")
        if word == "each":
            self._begin(number, rest.strip())
        elif word == "end":
            self._end(number, rest)
        else:
            line = self._line(number, word, rest.strip())
            if line is not None:
                (self._each[2] if self._each else self.parts).append(line)
            if self._each and len(self._each[2]) == MOST_LINES_EACH + 1:
                self._wrong(number, f"an each has at most {MOST_LINES_EACH} lines.")

    def finish(self, number: int) -> None:
        if self._each is not None:
            self._wrong(
                max(1, number),
                f"each {self._each[1]} (line {self._each[0]}) has no end; write end after its last line.",
            )

    def _begin(self, number: int, name: str) -> None:
        if self._each is not None:
            self._wrong(number, "each cannot stand inside another each; write end before it.")
        elif name not in self._lists:
            self._wrong(number, f"there is no list {name!r} here; {_choices('each', self._lists)}")
            self._each = (number, name, [])
        else:
            self._each = (number, name, [])

    def _end(self, number: int, rest: str) -> None:
        if self._each is None:
            self._wrong(number, "end without an each before it; take it out.")
            return
        if rest:
            self._wrong(number, "end stands alone on its line.")
        _line, name, lines = self._each
        self.parts.append(Each(name, tuple(lines)))
        self._each = None

    def _line(self, number: int, word: str, rest: str) -> Line | None:
        if word not in WORDS:
            self._wrong(
                number, f"{word!r} is no way to begin a line; use one of {', '.join(WORDS)}, or # for a remark."
            )
            return None
        if word in BARE:
            if rest:
                self._wrong(number, f"{word} stands alone on its line.")
            return Line(word)
        if word == "feed":
            return self._feed(number, rest)
        if word in {*ALIGNED, "columns"}:
            return self._styled(number, word, rest)
        if not rest:
            self._wrong(number, f"say what {word} is to show, such as: {word} {{{_first(self._known())}}}")
        self._check(number, rest)
        return Line(word, rest)

    def _feed(self, number: int, rest: str) -> Line | None:
        if rest and not (rest.isascii() and rest.isdigit() and len(rest) < 5 and 1 <= int(rest) <= MOST_FEED):
            self._wrong(number, f"feed takes a number from 1 to {MOST_FEED}.")
            return None
        return Line("feed", lines=int(rest or 1))

    def _styled(self, number: int, word: str, rest: str) -> Line | None:
        bold, size = False, 1
        while True:
            style, _space, after = rest.partition(" ")
            if style == "bold":
                bold = True
            elif style in SIZES and word != "columns":
                size = SIZES[style]
            else:
                break
            rest = after.lstrip()
        if not rest:
            self._wrong(number, f"say what {word} is to show.")
            return None
        left, bar, right = rest.partition("|")
        if word == "columns" and not bar:
            self._wrong(number, "columns needs two texts with | between them, such as: columns {ticket_type} | {price}")
        self._check(number, rest)
        if word == "columns":
            return Line(word, left.strip(), right.strip(), bold=bold)
        return Line(word, rest, bold=bold, size=size)

    def _check(self, number: int, text: str) -> None:
        known = self._known()
        for match in _FIELD.finditer(text):
            if match[1] and match[1] not in known:
                self._wrong(number, f"there is no fact {{{match[1]}}} here; {_choices('', known)}")
        if "{" in _FIELD.sub("", text) or "}" in _FIELD.sub("", text):
            self._wrong(number, "a single brace; write {{ or }} for a brace, and {name} for a fact.")

    def _known(self) -> frozenset[str]:
        return self._fields | (self._lists.get(self._each[1], frozenset()) if self._each else frozenset())

    def _wrong(self, number: int, words: str) -> None:
        self.problems.append(Problem(number, words))


def _first(names: frozenset[str]) -> str:
    return min(names, default="name")


def _choices(word: str, names: frozenset[str] | Mapping[str, frozenset[str]]) -> str:
    if not names:
        return f"{word} has nothing to repeat on this kind of paper." if word else "this kind of paper has none."
    return f"it can be one of {', '.join(sorted(names))}."
