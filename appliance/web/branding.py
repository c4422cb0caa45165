"""An organiser's name, logo and colour on every page: a style sheet of tokens only, named by its content like every static file.

Only the colours of the catalogue at hand are served, so nobody can have others made and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from flask import Flask, Response, g, url_for

from appliance.domain import colours
from appliance.domain.colours import Tokens, parse
from appliance.domain.errors import NotFound
from appliance.web import static_files
from appliance.web.site import real_site
from appliance.web.static_files import StaticFile


@dataclass(frozen=True)
class Branding:
    """What a page's head needs: the name shown, the addresses of logo and sheet (None without), the colours of the browser's frame."""

    name: str = "Marquee"
    logo: str | None = None
    sheet: str | None = None
    frame_light: str = "#17130c"
    frame_dark: str = "#2a2416"


HOUSE = Branding()
# Pages that say so do not ask the database that may be why.
_FAILED = {"busy", "disk-full", "internal"}


def install(app: Flask) -> None:
    """Give templates of ``app`` the venue's ``brand()`` and serve its sheet."""
    app.jinja_env.globals["brand"] = branding
    app.add_url_rule("/static/brand-<name>", "brand_static", send)


def branding() -> Branding:
    """Return the brand of the venue these pages are served at."""
    if g.get("problem") in _FAILED:
        return HOUSE
    here = real_site().box
    catalogue = here.look(lambda unit: unit.catalogue)
    found = catalogue.brand_of(here.identity.venue)
    logo = url_for("attendee.asset", name=f"{found.logo}.webp") if found.logo else None
    if found.colour is None:
        return Branding(name=found.name or HOUSE.name, logo=logo)
    made = sheet(found.colour)
    frames = (colours.light(parse(found.colour))["stage"].hex, colours.dark(parse(found.colour))["stage"].hex)
    return Branding(found.name or HOUSE.name, logo, url_for("web_static", hashed=made.name), *frames)


@cache
def sheet(colour: str) -> StaticFile:
    """Return the style sheet of a colour written as ``#rrggbb``; raises ``ValueError``."""
    accent = parse(colour)
    text = f":root{{{_rules(colours.light(accent))}}}@media (prefers-color-scheme:dark){{:root{{{_rules(colours.dark(accent))}}}}}"
    return static_files.made(f"brand-{accent.hex[1:]}.css", text.encode())


def _rules(tokens: Tokens) -> str:
    return ";".join(f"--{name}:{colour.hex}" for name, colour in tokens.items())


def send(name: str) -> Response:
    """Answer the sheet of one of the catalogue's own colours."""
    catalogue = real_site().box.look(lambda unit: unit.catalogue)
    brands = (catalogue.brand, *(venue.brand for venue in catalogue.venues))
    for colour in {each.colour for each in brands if each and each.colour}:
        if sheet(colour).name == f"brand-{name}":
            return static_files.answer(sheet(colour))
    raise NotFound("There is no such file.")
