from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.searching import fold, query_of, rank

NAMES = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("zoe", "Zoë Müller"),
        ("MULL", "Zoë Müller"),
        ("mueller", "Zoë Müller"),
        ("muller", "Mueller"[0:1] + "üller"),
        ("mul zo", "Zoë Müller"),
        ("strasse", "Anna Straße"),
        ("lopez", "Íñigo LÓPEZ-Ruiz"),
        ("ruiz", "Íñigo López-Ruiz"),
        ("neill", "Sinéad O'Neill"),
        ("lodz", "Łódź"),
        ("kobenhavn", "København"),
        ("ал", "Алёна"),
        ("алена", "Алёна"),
    ],
)
def test_accents_case_and_order_of_words_do_not_matter(typed: str, name: str):
    assert rank(query_of(typed), name) is not None


@pytest.mark.parametrize(
    ("typed", "name"), [("oe", "Zoë"), ("zoe x", "Zoë Müller"), ("uller", "Müller"), ("-", "A - B")]
)
def test_a_middle_of_a_word_finds_nothing_and_every_word_must_fit(typed: str, name: str):
    assert rank(query_of(typed), name) is None


def test_whole_words_come_before_beginnings():
    query = query_of("ann")
    assert rank(query, "Ann Lee") == 0
    assert rank(query, "Anna Lee") == 1


@pytest.mark.parametrize(
    ("typed", "code"),
    [("k7q", "K7Q"), ("K7QF-2", "K7QF2"), ("o0l", "001"), ("k7", ""), ("müller", ""), ("k7qf2m9dx", "")],
)
def test_three_letters_may_be_part_of_a_code(typed: str, code: str):
    assert query_of(typed).code == code


@given(first=NAMES, last=NAMES)
def test_every_name_is_found_by_itself_in_capitals_and_by_its_parts(first: str, last: str):
    name = f"{first} {last}"
    assert rank(query_of(name.swapcase()), name) is not None
    if any(each.isalnum() for each in fold(first)):
        assert rank(query_of(first), name) is not None
