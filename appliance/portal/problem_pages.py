"""The page that a problem's ``type`` leads to."""

from __future__ import annotations

from flask import Blueprint, render_template

from appliance.domain.errors import NotFound
from appliance.web.problems import KINDS

blueprint = Blueprint("problem_pages", __name__)


@blueprint.get("/problems/<slug>")
def explain(slug: str) -> str:
    """Say what a type of problem means; in English like every API text."""
    if slug not in KINDS:
        raise NotFound("There is no such type of problem.")
    title, words = KINDS[slug]
    return render_template("problem.html", title=title, words=words, symbol="search", ways=(("/", "Start"),))
