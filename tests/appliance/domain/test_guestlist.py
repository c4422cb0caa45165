"""Guest lists as programs write them: whatever encoding and separator, every wrong row named with its line."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.domain.guestlist import MOST_GUESTS, Guest, decode, key_of, read

TYPES = {"Adult": "t-adult", "Kind (frei)": "t-kind"}
HEAD = "name;tickets;type;note\n"


def rows(text: str, default: str = "t-adult") -> tuple[list[Guest], list[tuple[int, str]]]:
    found = read(text, TYPES, default)
    return list(found.guests), [(each.line, each.words % {"about": each.about}) for each in found.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_any_encoding_separator_and_newline_is_understood(encoding: str, separator: str, newline: str):
    lines = [["Name", "Karten", "Notiz"], ["Zoë Müller", "2", "vorne"], ["", "", ""], ['O"Neill', "", ""]]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=newline).writerows(lines)
    guests, problems = rows(decode(out.getvalue().encode(encoding)))
    assert guests == [Guest(2, "Zoë Müller", 2, "t-adult", "vorne"), Guest(4, 'O"Neill', 1, "t-adult")]
    assert problems == []


def test_first_and_last_names_are_put_together_and_unknown_columns_named():
    found = read("Vorname,Nachname,E-Mail\nZoë,Müller,z@example.org\n", TYPES, "t-adult")
    assert [each.name for each in found.guests] == ["Zoë Müller"]
    assert found.ignored == ("E-Mail",)


def test_excels_own_word_for_the_separator_is_heeded():
    guests, problems = rows('sep=;\nname;note\n"Li, Mei";a,b,c\n')
    assert [(each.line, each.name, each.note) for each in guests] == [(3, "Li, Mei", "a,b,c")]
    assert problems == []


def test_types_are_found_by_name_and_rows_without_one_get_the_default():
    guests, _ = rows(HEAD + "Ann;1;kind (FREI);\nBea;1;;\n")
    assert [each.ticket_type for each in guests] == ["t-kind", "t-adult"]


@pytest.mark.parametrize(
    ("row", "part"),
    [
        (";1;;", "There is no name"),
        ("=HYPERLINK(1);1;;", "“=HYPERLINK(1)” is a formula"),
        ("@SUM(A1);1;;", "is a formula"),
        ("+49 170;1;;", "is a formula"),
        ("-2+3;1;;", "is a formula"),
        ("Ann;many;;", "“many” is not a number of tickets"),
        ("Ann;0;;", "is not a number"),
        ("Ann;21;;", "is not a number"),
        ("Ann;-1;;", "is not a number"),
        ("Ann;1.5;;", "is not a number"),
        ("Ann;²;;", "is not a number"),
        ("Ann;1;VIP;", "no ticket type “VIP”"),
        (f"{'x' * 201};1;;", "too long"),
        ("An\x07n;1;;", "cannot be shown"),
        (f"Ann;1;;{'x' * 201}", "note is too long"),
        (f"{'x' * 1001};1;;", "far too long"),
    ],
)
def test_a_wrong_row_is_named_with_its_line_and_the_others_stay_right(row: str, part: str):
    guests, problems = rows(f"{HEAD}Ada;1;;\n{row}\nZoë;2.0;;+1\n")
    assert [each.name for each in guests] == ["Ada", "Zoë"]
    [(line, words)] = problems
    assert line == 3
    assert part in words


def test_a_row_without_a_type_is_wrong_where_there_is_no_default():
    assert rows(HEAD + "Ann;1;;\n", default="")[1] == [
        (2, "There is no ticket type. Write one, or choose above what such rows get.")
    ]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("", 0, "nobody"),
        ("\n\n", 0, "nobody"),
        ("Ann;1\nBea;2\n", 1, "must name the columns"),
        (HEAD, 0, "nobody"),
        ("a\0b", 0, "not a text file"),
        (HEAD + 'Ann;1;;\n"Bea;1;;\nCleo;1;;\n', 3, "quotation mark"),
        (HEAD + "Ann;1;;\n" * (MOST_GUESTS + 1), 0, "too large"),
        (HEAD + "x" * 40_000, 0, "too large"),
    ],
)
def test_a_file_that_cannot_be_read_says_why_and_where(text: str, line: int, part: str):
    _guests, problems = rows(text)
    assert problems[-1][0] == line
    assert part in problems[-1][1]


def test_lines_are_counted_as_an_editor_shows_them():
    guests, _ = rows('name;note\n"Ann";"two\nlines"\nBea;\n')
    assert [(each.line, each.note) for each in guests] == [(2, "two lines"), (4, "")]


def test_the_same_person_has_the_same_key_however_it_is_written():
    keys = {key_of(Guest(1, name, 1, "t-adult"), "s") for name in ("Zoë Müller", "ZOE  MULLER")}
    assert len(keys) == 1
    assert key_of(Guest(1, "Zoë Müller", 1, "t-kind"), "s") not in keys
    assert key_of(Guest(1, "Zoë Müller", 1, "t-adult"), "s2") not in keys


@given(data=st.binary(max_size=300))
@settings(max_examples=200)
def test_no_file_makes_it_stumble(data: bytes):
    try:
        text = decode(data)
    except ValueError:
        return
    found = read(text, TYPES, "t-adult")
    assert found.guests or found.problems


@given(text=st.text(st.sampled_from('name;,\t"\r\n12=Ä '), max_size=200))
@settings(max_examples=200)
def test_no_text_makes_it_stumble(text: str):
    found = read("name;tickets\n" + text, TYPES, "t-adult")
    assert found.guests or found.problems
