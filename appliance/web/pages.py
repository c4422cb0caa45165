"""Problems as pages for people: what happened, in their language, and ways on."""

from __future__ import annotations

from flask import g, render_template

from appliance.web import limit_words
from appliance.web.problems import Problem
from appliance.web.texts import _, start_url

Ways = tuple[tuple[str, str], ...]


def render_problem(problem: Problem, ways: Ways = ()) -> str:
    """Return the page for ``problem``; ``ways`` are (url, label) of where to go next, else ``g.ways``, else the start page."""
    title, words, symbol = _known(problem)
    found = ways or g.get("ways") or ((start_url(), _("Back to the start")),)
    return render_template("problem.html", title=title, words=words or problem.detail, symbol=symbol, ways=found)


def _known(problem: Problem) -> tuple[str, str, str]:
    """Return (title, words, icon) for a problem; empty words where only its own detail tells more."""
    if problem.slug == "limit-reached":
        return limit_words.title(problem.facts), limit_words.words(problem.facts, problem.detail), "time"
    if problem.slug == "invalid":
        return _invalid(problem.status)
    pages = {
        "sold-out": (
            _("Sold out"),
            _("No tickets are left at any venue. Tickets that are given back appear here."),
            "ticket",
        ),
        "sold-out-here": (
            _("Sold out at this box office"),
            _(
                "Other venues may still have some. Ask at the desk, or look again: tickets that are given back appear here."
            ),
            "ticket",
        ),
        "hold-expired": (_("These tickets were given back"), _("Choose your tickets again."), "time"),
        "sale-closed": (_("Not on sale now"), _("The sale is closed, or has not opened yet."), "moon"),
        "already-admitted": (
            _("Already used"),
            _("A ticket of this booking was used at the door, so it can no longer be cancelled."),
            "ticket",
        ),
        "unauthorised": (_("This page is not for you"), _("Go back, reload the page and try again."), "cross"),
        "not-found": (
            _("Nothing here"),
            _("This link leads nowhere. It may be mistyped, or the page is gone."),
            "search",
        ),
        "method-not-allowed": (
            _("Nothing here"),
            _("This link leads nowhere. It may be mistyped, or the page is gone."),
            "search",
        ),
        "busy": (_("One moment, please"), _("The box office is busy. Nothing was lost: reload this page."), "time"),
        "disk-full": (
            _("No room for anything new"),
            _(
                "The disk of this box office is full. What is held and booked stays so. Room has to be made before anything new is taken."
            ),
            "cross",
        ),
        "internal": (
            _("That was our mistake"),
            _("Something failed here. Nothing was changed; please try again."),
            "cross",
        ),
    }
    return pages.get(problem.slug, (_("That did not work"), "", "cross"))


def _invalid(status: int) -> tuple[str, str, str]:
    if status == 413:
        return _("That was too much"), _("What was sent is too large."), "cross"
    return _("That did not work"), "", "cross"
