"""What printers print: the logo, the cash drawer, and templates with every mistake named by its line in the file."""

from __future__ import annotations

from pathlib import Path

from appliance.catalogue import values
from appliance.catalogue.fields import Fields
from appliance.catalogue.images import Picture, picture_in
from appliance.domain.paper import KINDS, TemplateErrors, parse_for
from mqtt_bridge.protocol.catalogue import Paper


def read_paper(fields: Fields, folder: Path, assets: dict[str, Picture]) -> Paper:
    """Return the section ``paper``; pictures it names are added to ``assets``."""
    given = fields.mapping("paper")
    if given is None:
        return Paper()
    logo = given.optional("logo", picture_in(folder), None)
    if logo is not None:
        assets[logo.sha256] = logo
    drawer = given.optional("drawer", values.yes_or_no, default=False)
    templates = _templates(given.mapping("templates"))
    given.done()
    return Paper(templates, logo.sha256 if logo else None, drawer)


def _templates(given: Fields | None) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    found: list[tuple[str, str]] = []
    for kind in KINDS:
        text = given.optional(kind, values.text(values.LONGEST_TEXT), None)
        if text is None:
            continue
        try:
            parse_for(kind, text)
        except TemplateErrors as wrong:
            for problem in wrong.problems:
                given.wrong(kind, str(problem))
        found.append((kind, text))
    given.done()
    return tuple(sorted(found))
