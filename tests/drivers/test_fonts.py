"""Letters drawn as pictures: with the own typeface only, and without the library that joins Arabic."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from drivers import fonts


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine without any font of its own."""
    caches = (fonts.faces, fonts.face_for, fonts._installed)
    monkeypatch.setattr(fonts, "FONT_FOLDERS", ())
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize("text", ["Świątek", "Παπαδοπούλου", "Шостакович", "12,50 €", "─"])
def test_a_machine_without_fonts_still_has_every_letter_of_europe(bare_machine: None, text: str) -> None:
    assert all(fonts.face_for(char, 20) is not None for char in text)
    assert all(fonts.face_for(char, 20, bold=True) is not None for char in text)


def test_a_letter_that_no_font_has_becomes_one_box_each(bare_machine: None) -> None:
    assert fonts.face_for("李", 20) is None
    one, three = fonts.draw_text("李", 24), fonts.draw_text("李小龙", 24)
    assert three.width == 3 * one.width
    assert one.histogram()[0] > 20


def test_without_the_shaping_library_right_to_left_text_is_still_drawn_from_the_right(
    bare_machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    shaped = fonts.draw_text("اد", 24)
    monkeypatch.setattr(fonts, "can_shape", lambda: False)
    assert fonts.draw_text("اد", 24).size[1] == shaped.size[1]


def test_nothing_at_all_is_a_picture_of_one_column() -> None:
    assert fonts.draw_text("", 24).size == (1, 24)


def test_text_of_two_directions_is_drawn_in_one_font_where_one_has_it_all() -> None:
    """Only within one font does the shaping library put the two directions in order."""
    assert [part for part, _ in fonts._split_by_face("שרה (Sara) 12", 20, bold=False, backwards=True)] == [
        "שרה (Sara) 12"
    ]


def test_where_no_font_has_it_all_the_gaps_stay_between_the_words_they_part(bare_machine: None) -> None:
    parts = [part for part, _ in fonts._split_by_face("محمد 李 علي", 20, bold=False, backwards=True)]
    assert parts == ["محمد", " ", "李", " ", "علي"]


def test_stacked_accents_are_not_cut_off_at_the_top() -> None:
    plain, stacked = fonts.draw_text("e", 24), fonts.draw_text("ễ", 24)
    assert stacked.histogram()[0] > plain.histogram()[0]
    top = stacked.crop((0, 0, stacked.width, 1)).histogram()[0]
    assert top < stacked.width / 2, "no stroke runs into the edge"


def test_a_letter_that_a_font_only_puts_together_from_parts_comes_from_one_that_has_it() -> None:
    face = fonts.face_for("ễ", 20)
    assert face is not None
    assert fonts._has(face, "ễ")
    assert fonts.draw_text("ễ", 24).width < 2 * fonts.draw_text("e", 24).width
