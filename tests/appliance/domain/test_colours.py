"""Whatever colour an organiser picks, and in the house's own, every pair of colours that meets on a page can be told apart."""

from __future__ import annotations

import re
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.domain import colours
from appliance.domain.colours import BLACK, WHITE, Colour, contrast, luminance, parse
from appliance.web.static_files import FOLDER

COLOURS = st.builds(Colour, *[st.integers(0, 255)] * 3)
GROUNDS = ("paper", "card", "sunk", "accent-soft")
# (what is read, what it stands on, least contrast): text for reading 7, other text 4.5, edges and rings 3 (WCAG 2.2, 1.4.3, 1.4.6, 1.4.11).
PAIRS = (
    *((text, ground, 7) for text in ("ink", "muted") for ground in GROUNDS),
    *((text, ground, 4.5) for text in ("ok", "warn", "bad", "accent-ink") for ground in ("paper", "card")),
    *((part, ground, 3) for part in ("edge", "focus", "accent-edge") for ground in ("paper", "card")),
    ("accent-ink", "accent-soft", 4.5),
    ("on-accent", "accent", 4.5),
    ("on-accent", "accent-hover", 4.5),
    ("ink", "ok-soft", 7),
    ("ink", "bad-soft", 7),
    ("ok", "ok-soft", 4.5),
    ("bad", "bad-soft", 4.5),
    ("on-fill", "ok-fill", 4.5),
    ("on-fill", "bad-fill", 4.5),
    ("on-stage", "stage", 7),
    ("on-stage", "stage-soft", 7),
    ("stage-muted", "stage", 7),
    ("stage-accent", "stage", 7),
    ("stage-accent", "stage-soft", 4.5),
)


def house() -> dict[str, dict[str, Colour]]:
    """The tokens of the sheet itself, light and dark."""
    sheet = (FOLDER / "marquee.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)
    light = {name: parse(value) for name, value in re.findall(r"--([a-z-]+): (#[0-9a-f]{6}|#[0-9a-f]{3});", blocks[0])}
    over = {name: parse(value) for name, value in re.findall(r"--([a-z-]+): (#[0-9a-f]{6}|#[0-9a-f]{3});", blocks[1])}
    return {"light": light, "dark": {**light, **over}}


HOUSE = house()


def weak(tokens: dict[str, Colour]) -> list[str]:
    found = ((one, other, least, contrast(tokens[one], tokens[other])) for one, other, least in PAIRS)
    return [f"{one} on {other}: {ratio:.2f} < {least}" for one, other, least, ratio in found if ratio < least]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_house_can_be_read(scheme: str):
    assert weak(HOUSE[scheme]) == []


@given(COLOURS)
@example(BLACK)
@example(WHITE)
@example(Colour(118, 118, 118))
def test_any_colour_makes_pages_that_can_be_read(accent: Colour):
    assert weak({**HOUSE["light"], **colours.light(accent)}) == []
    assert weak({**HOUSE["dark"], **colours.dark(accent)}) == []


def test_a_grid_over_all_colours_can_be_read():
    for accent in map(Colour._make, product((0, 64, 128, 191, 255), repeat=3)):
        assert weak({**HOUSE["light"], **colours.light(accent)}) == [], accent.hex
        assert weak({**HOUSE["dark"], **colours.dark(accent)}) == [], accent.hex


@given(COLOURS)
def test_only_what_the_sheet_knows_is_changed(accent: Colour):
    assert set(colours.light(accent)) | set(colours.dark(accent)) <= set(HOUSE["light"])


def test_a_colour_that_stands_out_by_itself_stays_as_it_is():
    blue = parse("#0b5fff")
    assert colours.light(blue)["accent"] == blue
    assert colours.light(blue)["on-accent"] == WHITE
    yellow = parse("#ffc629")
    assert colours.light(yellow)["accent"] == colours.dark(yellow)["accent"] == yellow
    assert colours.light(yellow)["on-accent"] == BLACK


def test_contrast_is_that_of_the_standard():
    assert contrast(BLACK, WHITE) == 21
    assert contrast(parse("#777"), WHITE) == pytest.approx(4.48, abs=0.01)
    assert contrast(parse("#767676"), WHITE) == pytest.approx(4.54, abs=0.01)
    assert luminance(parse("#808080")) == pytest.approx(0.2159, abs=0.0001)


@pytest.mark.parametrize("text", ["", "red", "#12", "#12345", "#1234567", "0b5fff", "#ggg", "url(x)", "#fff;}"])
def test_what_is_no_colour_is_refused(text: str):
    with pytest.raises(ValueError, match="is no colour"):
        parse(text)


def test_three_digits_are_six():
    assert parse("#0bf") == parse("#00bbff") == Colour(0, 187, 255)
    assert parse("#0BF").hex == "#00bbff"
