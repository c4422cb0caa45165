"""What proves that somebody knows a booking: the name or contact as people mean it, and nothing less."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.domain.handover import code, normal, shown
from appliance.domain.proofs import masked, proofs, provable


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("zoe  MULLER", "Zoë Müller"),
        ("O'Neill", "o\N{RIGHT SINGLE QUOTATION MARK}neill"),
        ("STRASSE", "straße"),
        ("مريم", "مَريَم"),
        ("+49 (170) 123-45 67", "0170 1234567"),
        ("00491701234567", "+491701234567"),
        ("٠١٧٠١٢٣٤٥٦٧", "0170 1234567"),
        ("A@Example.org ", "a@example.ORG"),
        ("🎟️ club", "🎟 club"),
    ],
)
def test_the_way_of_writing_does_not_matter(given: str, kept: str) -> None:
    assert proofs(given, name=kept, contact="") == {"name"}
    assert proofs(given, name="", contact=kept) == {"contact"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        ("", "Ada"),
        ("--", "--"),
        ("Ada", "Ada Lovelace"),
        ("234567", "0170 1234567"),
        ("a@example.com", "a@example.org"),
        ("ab@example.org", "a.b@example.org"),
        ("Ada" + "x" * 900, "Ada"),
    ],
)
def test_less_or_other_than_what_was_given_proves_nothing(given: str, kept: str) -> None:
    assert proofs(given, name=kept, contact=kept) == frozenset()


@given(st.text(max_size=60), st.text(max_size=60))
def test_whoever_says_it_exactly_is_believed_unless_there_is_nothing_to_say(name: str, contact: str) -> None:
    assert bool(proofs(name, name=name, contact="")) == provable(name, "")
    assert bool(proofs(contact, name="", contact=contact)) == provable("", contact)


@given(st.text(max_size=60))
def test_a_masked_name_shows_one_letter_of_each_word(name: str) -> None:
    assert [len(each) for each in masked(name).split(" ") if each] == [2] * len(name.split())


@given(st.binary(min_size=4, max_size=4))
def test_a_short_code_is_read_back_however_it_is_typed(random: bytes) -> None:
    made = code(random)
    assert len(made) == 6
    assert normal(shown(made).lower().replace("0", "o").replace("1", "l")) == made
