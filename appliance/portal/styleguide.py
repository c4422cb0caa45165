"""Every part of the design system on one page, in light and dark, in both directions of reading: for who builds pages, in the demo only.

The words of the page itself are English; its samples speak the product's own texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

from flask import Blueprint, Response, g, render_template, url_for
from markupsafe import Markup

from appliance.domain.errors import NotFound
from appliance.web import static_files
from appliance.web.languages import ENGLISH, LANGUAGES
from appliance.web.static_files import FOLDER, StaticFile

blueprint = Blueprint("styleguide", __name__, template_folder="templates")
_EVENING_MS = 1_796_410_800_000
_BLOCK = re.compile(r":root\s*\{(.*?)\}", re.DOTALL)
_COLOUR = re.compile(r"--([a-z-]+): #[0-9a-f]{3,8};")


@dataclass(frozen=True)
class Sample:
    """All parts in one scheme and one language."""

    scheme: str
    lang: str
    direction: str
    parts: Markup


@blueprint.get("/styleguide")
def show() -> str:
    """The page."""
    samples = [_sample(scheme, code) for scheme in ("light", "dark") for code in ("en", "ar") if code in LANGUAGES]
    names = list(dict.fromkeys(_COLOUR.findall(_blocks()[0])))
    return render_template(
        "styleguide/page.html", samples=samples, names=names, sheet=url_for(".sheet", name=sheet().name)
    )


def _sample(scheme: str, code: str) -> Sample:
    """Draw the parts as a reader of that language gets them."""
    g.language = LANGUAGES.get(code, ENGLISH)
    parts = Markup(render_template("styleguide/parts.html", orders=_orders(), here=f"{scheme}-{code}"))  # noqa: S704  our own template
    direction = g.language.direction
    g.language = ENGLISH
    return Sample(scheme, code, direction, parts)


@blueprint.get("/styleguide/<name>", endpoint="sheet")
def send(name: str) -> Response:
    """The sheet that lets a part of a page be light or dark by itself."""
    if name != sheet().name:
        raise NotFound("There is no such file.")
    return static_files.answer(sheet())


@cache
def sheet() -> StaticFile:
    """Return the tokens of both schemes as classes, made from the design system's own sheet, and a swatch for each colour."""
    light, dark = _blocks()[:2]
    names = dict.fromkeys(_COLOUR.findall(light))
    swatches = "".join(f".swatch-{name}{{background:var(--{name})}}" for name in names)
    scopes = f".in-light{{{light}}}.in-dark{{{light}{dark};color-scheme:dark}}"
    own = (FOLDER / "styleguide.css").read_text(encoding="utf-8")
    return static_files.made("guide.css", static_files.tidied(scopes + swatches + own).encode())


def _blocks() -> list[str]:
    return _BLOCK.findall((FOLDER / "marquee.css").read_text(encoding="utf-8"))


def _orders() -> list[Any]:
    """One made-up order for each state that a ticket can show."""
    return [
        _order("promised"),
        _order("paid", admitted_at_ms=_EVENING_MS - 600_000),
        _order("paid", moved=True),
        _order("promised", status="pending"),
        _order("promised", voided=True),
    ]


def _order(payment: str, *, status: str = "confirmed", moved: bool = False, **ticket: Any) -> Any:
    hall = SimpleNamespace(id="hall", name="North Hall", address="1 North Street, Hamburg")
    before = SimpleNamespace(starts_at_ms=_EVENING_MS - 86_400_000) if moved else None
    at = SimpleNamespace(
        starts_at_ms=_EVENING_MS,
        ends_at_ms=_EVENING_MS + 7_200_000,
        timezone="Europe/Berlin",
        cancelled=False,
        moved=before,
        notice="",
    )
    one = SimpleNamespace(
        id="sample",
        code="SAMPLE42",
        receipt="MQ1:" + "SAMPLE-NOT-A-TICKET-" * 12,
        price_minor=1250,
        event=SimpleNamespace(title="Songs of the River", slug="river"),
        type=SimpleNamespace(id="adult", name="Adult"),
        at=at,
        venue=hall,
        moved_from=hall,
        **{"voided": False, "admitted_at_ms": None, **ticket},
    )
    return SimpleNamespace(
        status=status,
        payment=payment,
        total_minor=1250,
        due_minor=1250,
        currency="EUR",
        name="",
        tickets=(one,),
        standing=(one,),
        replaced=lambda _ticket: None,
    )
