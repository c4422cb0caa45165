"""What every venue's printers print: a template per kind of paper, seen before it is published."""

from __future__ import annotations

import base64
from dataclasses import dataclass

from flask import g, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console, operator_pages
from appliance.domain.errors import NotFound
from appliance.domain.paper import DEFAULTS, FIELDS, KINDS, LISTS, TemplateErrors, parse_for
from appliance.services.stationery import sample
from mqtt_bridge.cloud.catalogue import current_catalogue, picture
from mqtt_bridge.cloud.papers import paper_changes, set_template

blueprint = operator_pages("paper", __name__)
NAMES = {
    "stub": "Admission stub",
    "receipt": "Sales receipt",
    "badge": "Name badge",
    "door_list": "Door list",
    "shift_report": "Shift report",
    "no_sale": "Drawer opened",
    "staff_badge": "Staff badge",
}


@dataclass(frozen=True)
class Sheet:
    """One kind of paper: the template in force, the file's (empty where it has none), and who changed it when."""

    kind: str
    name: str
    text: str
    filed: str
    changed: bool
    changed_at_ms: int
    changed_by: str
    logo: bytes | None


@blueprint.get("/paper")
def listing() -> Response:
    """The first kind."""
    return redirect(url_for("paper.page", kind=KINDS[0]), 303)


@blueprint.get("/paper/<kind>")
def page(kind: str) -> str:
    """A template and what it prints."""
    sheet = _sheet(kind)
    return _page(sheet, sheet.text, good="Every venue prints it so from now on." if "done" in request.args else "")


@blueprint.post("/paper/<kind>")
def change(kind: str) -> str | Response:
    """Show what a text would print, publish it, or go back to the file's."""
    here = console()
    sheet = _sheet(kind)
    action = request.form.get("action", "")
    text = sheet.filed if action == "reset" else _tidy(request.form.get("text", ""))
    problems = _problems(sheet, text)
    if problems or action == "preview":
        return _page(sheet, text, problems=problems)
    if action not in {"publish", "reset"}:
        raise NotFound("A template can be previewed, published or reset.")
    set_template(here.database, kind, "" if text == _tidy(DEFAULTS[kind]) else text, g.who, here.clock())
    return redirect(url_for("paper.page", kind=kind, done="1"), 303)


@blueprint.post("/paper/<kind>/picture")
def drawn(kind: str) -> Response:
    """What a text prints, as a data URI, or what is wrong with it; for the script that draws while one types."""
    sheet, text = _sheet(kind), _tidy(request.form.get("text", ""))
    problems = _problems(sheet, text)
    return jsonify(problems=problems) if problems else jsonify(problems=[], picture=_picture(sheet, text))


def _sheet(kind: str) -> Sheet:
    if kind not in NAMES:
        raise NotFound("There is no such kind of paper.")
    with console().database.read() as db:
        catalogue = current_catalogue(db)
        known = paper_changes(db).get(kind)
        logo = picture(db, catalogue.paper.logo) if catalogue.paper.logo else None
    own = dict(catalogue.paper.templates).get(kind, "")
    filed = known.filed if known else own
    return Sheet(
        kind=kind,
        name=NAMES[kind],
        text=_tidy(own or DEFAULTS[kind]),
        filed=_tidy(filed),
        changed=known is not None,
        changed_at_ms=known.changed_at_ms if known else 0,
        changed_by=known.changed_by if known else "",
        logo=logo,
    )


def _page(sheet: Sheet, text: str, *, problems: list[str] | None = None, good: str = "") -> str:
    here = console()
    facts = sorted(FIELDS[sheet.kind])
    return render_template(
        "console/paper.html",
        view=here.overview(),
        tab="paper.listing",
        sheet=sheet,
        kinds=[(kind, NAMES[kind]) for kind in KINDS if kind in NAMES],
        text=text,
        problems=problems or [],
        picture=_picture(sheet, text if not problems else sheet.text),
        facts=facts,
        lists={name: sorted(fields) for name, fields in LISTS[sheet.kind].items()},
        good=good,
    )


def _picture(sheet: Sheet, text: str) -> str:
    return "data:image/png;base64," + base64.b64encode(sample(sheet.kind, text, sheet.logo)).decode()


def _problems(sheet: Sheet, text: str) -> list[str]:
    try:
        parse_for(sheet.kind, text or DEFAULTS[sheet.kind])
    except TemplateErrors as wrong:
        return [str(each) for each in wrong.problems]
    try:
        sample(sheet.kind, text, None)
    except ValueError as error:
        return [f"A printer cannot print this: {error}"]
    return []


def _tidy(text: str) -> str:
    """Return a text as a form sends it and a file has it, the same: LF at the ends of lines, none at the end."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip("\n")
