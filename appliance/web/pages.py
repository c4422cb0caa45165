"""Problems as pages for people: what happened, in their language, and ways on."""

from __future__ import annotations

from typing import Any

from flask import g, render_template

from appliance.web.problems import Problem
from appliance.web.texts import _, plural, start_url

_WRONG_TRIES = frozenset({"proof", "mine_code", "mine_phone", "mine_all", "code_phone", "code_all"})
Ways = tuple[tuple[str, str], ...]


def render_problem(problem: Problem, ways: Ways = ()) -> str:
    """Return the page for ``problem``; ``ways`` are (url, label) of where to go next, else ``g.ways``, else the start page."""
    title, words, symbol = _known(problem.slug, problem.status, problem.facts)
    found = ways or g.get("ways") or ((start_url(), _("Back to the start")),)
    return render_template("problem.html", title=title, words=words or problem.detail, symbol=symbol, ways=found)


def _known(slug: str, status: int, facts: dict[str, Any]) -> tuple[str, str, str]:
    """Return (title, words, icon) for a problem; empty words where only its own detail tells more."""
    if slug == "limit-reached":
        return limit_title(facts), limit_words(facts), "time"
    if slug == "invalid":
        return _invalid(status)
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
        "internal": (
            _("That was our mistake"),
            _("Something failed here. Nothing was changed; please try again."),
            "cross",
        ),
    }
    return pages.get(slug, (_("That did not work"), "", "cross"))


def _invalid(status: int) -> tuple[str, str, str]:
    if status == 413:
        return _("That was too much"), _("What was sent is too large."), "cross"
    return _("That did not work"), "", "cross"


def limit_title(facts: dict[str, Any]) -> str:
    """Return the heading of a refusal by limit."""
    if "retry_after_s" in facts:
        return _("Please wait a little")
    return _("That is more than one phone may have")


def limit_words(facts: dict[str, Any]) -> str:
    """Return why, and how long to wait where waiting helps."""
    limit, most = str(facts.get("limit", "")), facts.get("most", 0)
    reasons = {
        "per_hold": plural(
            "At most %(num)s ticket in one booking. For a larger party, ask at the desk.",
            "At most %(num)s tickets in one booking. For a larger party, ask at the desk.",
            most,
        ),
        "holds_per_client": _("You already hold tickets. Finish that booking or give it back first."),
        "unconfirmed_holds": _(
            "You held tickets several times without booking them. Ask at the desk if you cannot wait."
        ),
        "share_per_client": plural(
            "Few tickets are left, and others want some too: one phone can hold %(num)s of them now.",
            "Few tickets are left, and others want some too: one phone can hold up to %(num)s of them now.",
            most,
        ),
        "unpaid_per_client": plural(
            "One phone may have %(num)s unpaid ticket at a time. Pay for it at the desk first.",
            "One phone may have %(num)s unpaid tickets at a time. Pay for some at the desk first.",
            most,
        ),
        "free_per_client": plural(
            "One phone may have %(num)s free ticket. Ask at the desk if you need more.",
            "One phone may have %(num)s free tickets. Ask at the desk if you need more.",
            most,
        ),
        "changes": _("You changed bookings several times."),
        "short_codes": _("Too many short codes are in use right now."),
        "new_clients_per_minute": _("Many phones came from your network just now."),
    }
    if limit in _WRONG_TRIES:
        reasons[limit] = _("That were many wrong tries. Ask at the desk if you cannot wait.")
    words = reasons.get(limit, _("Everybody should get a chance."))
    wait_s = facts.get("retry_after_s")
    if not isinstance(wait_s, int):
        return words
    minutes = max(1, -(-wait_s // 60))
    return f"{words} " + plural("Try again in %(num)s minute.", "Try again in %(num)s minutes.", minutes)
