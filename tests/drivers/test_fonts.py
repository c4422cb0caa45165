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
