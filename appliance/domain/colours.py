"""From any colour of an organiser to the colours of a page that everybody can read: contrast is by construction, never by luck.

Contrast is that of WCAG 2.2 (relative luminance, https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio). A colour that is too weak on its
ground is mixed with black or white, by as little as it takes, so its hue stays what it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

Tokens = dict[str, "Colour"]
STEPS = 96
TEXT, BODY, PART = 4.5, 7.0, 3.0


class Colour(NamedTuple):
    """An sRGB colour, 0 to 255 each."""

    red: int
    green: int
    blue: int

    @property
    def hex(self) -> str:
        """``#rrggbb``."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


BLACK, WHITE, GREY = Colour(0, 0, 0), Colour(255, 255, 255), Colour(128, 128, 128)


class House(NamedTuple):
    """Colours of the house that every organiser's stand beside: text, and the least contrast of dark grounds with white."""

    ink: Colour
    muted: Colour


LIGHT, DARK = House(Colour(23, 19, 12), Colour(77, 69, 56)), House(Colour(248, 241, 227), Colour(207, 196, 174))


def parse(text: str) -> Colour:
    """Return the colour written as ``#rrggbb`` or ``#rgb``; raises ``ValueError``."""
    found = re.fullmatch(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", text.strip())
    if found is None:
        raise ValueError(f'{text!r} is no colour; write six digits as in "#0b5fff", in quotes')
    digits = found[1] if len(found[1]) == 6 else "".join(each * 2 for each in found[1])
    return Colour(*(int(digits[at : at + 2], 16) for at in (0, 2, 4)))


def luminance(colour: Colour) -> float:
    """Return the relative luminance, 0 for black to 1 for white."""
    red, green, blue = (_linear(each / 255) for each in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """Return ``colour`` with ``share`` (0 to 1) of ``other`` in it."""
    return Colour(*(round(mine * (1 - share) + theirs * share) for mine, theirs in zip(colour, other, strict=True)))


def readable(colour: Colour, goal: Colour, grounds: Iterable[Colour], least: float) -> Colour:
    """Return ``colour`` with the least of ``goal`` in it that gives ``least`` contrast with every ground, or ``goal``."""
    against = tuple(grounds)
    for step in range(STEPS):
        found = mixed(colour, goal, step / STEPS)
        if all(contrast(found, each) >= least for each in against):
            return found
    return goal


def written_on(colour: Colour) -> tuple[Colour, Colour]:
    """Return a fill as near to ``colour`` as can be and black or white to write on it, whichever stands out more."""
    ink = BLACK if contrast(colour, BLACK) >= contrast(colour, WHITE) else WHITE
    return readable(colour, WHITE if ink is BLACK else BLACK, (ink,), TEXT), ink


def light(accent: Colour) -> Tokens:
    """Return the tokens of light pages for an organiser's colour."""
    fill, written = written_on(accent)
    paper, sunk = mixed(accent, WHITE, 0.965), mixed(accent, WHITE, 0.9)
    soft = readable(mixed(accent, WHITE, 0.84), WHITE, (LIGHT.muted,), BODY)
    grounds = (paper, WHITE, soft)
    stage = readable(mixed(accent, BLACK, 0.55), BLACK, (WHITE,), 15)
    return {
        "paper": paper,
        "sunk": readable(sunk, WHITE, (LIGHT.muted,), BODY),
        "line": mixed(mixed(accent, GREY, 0.5), WHITE, 0.72),
        # Darker than it must be: a button stands on its edge.
        **_accents(
            fill,
            written,
            readable(mixed(accent, BLACK, 0.4), BLACK, grounds, PART),
            readable(accent, BLACK, grounds, TEXT),
            soft,
        ),
        **_stage(accent, stage),
    }


def dark(accent: Colour) -> Tokens:
    """Return the tokens of dark pages for an organiser's colour."""
    tint = mixed(accent, GREY, 0.55)
    paper, card, sunk, stage = (readable(tint, BLACK, (WHITE,), least) for least in (18.2, 16.2, 19, 14))
    soft = readable(mixed(accent, GREY, 0.2), BLACK, (DARK.muted,), BODY)
    grounds = (paper, card, soft)
    fill, written = written_on(readable(accent, WHITE, grounds[:2], PART))
    return {
        "paper": paper,
        "card": card,
        "sunk": sunk,
        "line": mixed(card, WHITE, 0.16),
        **_accents(fill, written, readable(fill, WHITE, grounds, PART), readable(accent, WHITE, grounds, TEXT), soft),
        **_stage(accent, stage),
    }


def _accents(fill: Colour, written: Colour, edge: Colour, ink: Colour, soft: Colour) -> Tokens:
    """The organiser's colour as a fill, as what is written on it, as a border, as text and as a tint."""
    hover = mixed(fill, WHITE if written is BLACK else BLACK, 0.14)
    named = {"": fill, "hover": hover, "edge": edge, "ink": ink, "soft": soft}
    return {"on-accent": written, **{f"accent-{name}".rstrip("-"): each for name, each in named.items()}}


def _stage(accent: Colour, stage: Colour) -> Tokens:
    soft = mixed(stage, WHITE, 0.11)
    return {
        "stage": stage,
        "stage-soft": soft,
        "stage-muted": readable(mixed(stage, WHITE, 0.8), WHITE, (stage, soft), BODY),
        "stage-accent": readable(accent, WHITE, (stage, soft), BODY),
    }
