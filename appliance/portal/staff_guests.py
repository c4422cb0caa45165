"""Guest lists: choose a date and a file, look at what would happen, then import."""

from __future__ import annotations

from flask import Blueprint, g, make_response, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain import guestlist
from appliance.domain.errors import Invalid, SoldOut, SoldOutHere
from appliance.domain.guestlist import Problem
from appliance.services import guests
from appliance.services.box import Unit
from appliance.services.staff_views import GuestPlan, GuestsAdded
from appliance.web.site import site
from appliance.web.texts import _
from mqtt_bridge.protocol.catalogue import Event, EventSession

Dates = tuple[tuple[Event, EventSession], ...]


def register(blueprint: Blueprint) -> None:
    """Serve the pages of guest lists below ``blueprint``."""
    blueprint.add_url_rule("/guests", "guests", show_form)
    blueprint.add_url_rule("/guests/preview", "guests_preview", preview, methods=["POST"])
    blueprint.add_url_rule("/guests", "guests_add", add, methods=["POST"])


def show_form(notice: str = "") -> str:
    """Choose a date and a file."""
    limits = {"guests": guestlist.MOST_GUESTS, "kb": guestlist.LARGEST_BYTES // 1000, "tickets": guestlist.MOST_TICKETS}
    return render_template("staff/guests.html", dates=site().box.look(_dates), limits=limits, notice=notice)


def preview() -> AnyResponse:
    """Show what importing would do; nothing is changed."""
    event_session, default = _chosen()
    try:
        text = _text()
    except ValueError:
        notice = _("This is not a text file. Save the list as CSV and try again.")
        return make_response(show_form(notice), 422)
    if not text.strip():
        return make_response(show_form(_("Choose a file, or paste the list.")), 422)
    return make_response(_plan(event_session, default, text))


def add() -> AnyResponse:
    """Import what was looked at; sent twice it does nothing more."""
    event_session, default = _chosen()
    text, only_good = request.form.get("text", ""), request.form.get("rows") == "good"
    try:
        added = guests.add(site().box, event_session, text, default, g.member.badge, only_good=only_good)
    except Invalid:
        notice = _("Nothing was imported: some rows are wrong.")
        return make_response(_plan(event_session, default, text, notice), Invalid.status)
    except (SoldOut, SoldOutHere) as refusal:
        notice = _("Nothing was imported: there are not enough tickets left here.")
        return make_response(_plan(event_session, default, text, notice), refusal.status)
    return make_response(_plan(event_session, default, text, added=added))


def _plan(event_session: str, default: str, text: str, notice: str = "", added: GuestsAdded | None = None) -> str:
    def query(unit: Unit) -> tuple[GuestPlan, Event]:
        return guests.plan(unit, event_session, text, default), unit.catalogue.event_session[event_session].event

    plan, event = site().box.look(query)
    problems = [_words(each) for each in (added.left_out if added else plan.problems)]
    return render_template(
        "staff/guest_plan.html",
        plan=plan,
        event=event,
        problems=problems,
        text=text,
        default=default,
        notice=notice,
        added=added,
    )


def _words(problem: Problem) -> tuple[int, str]:
    return problem.line, _(problem.words, about=problem.about)


def _chosen() -> tuple[str, str]:
    """Return the date, and the ticket type of rows that name none, which one choice stands for."""
    event_session, _colon, default = request.form.get("for", "").partition(":")
    return event_session, default


def _text() -> str:
    """Return what was uploaded or pasted; raises ``ValueError`` for what is no text."""
    file = request.files.get("file")
    data = file.read(guestlist.LARGEST_BYTES + 1) if file is not None else b""
    return guestlist.decode(data) if data.strip() else request.form.get("text", "")


def _dates(unit: Unit) -> Dates:
    """Return the dates of this venue, and then all others, that are not over."""
    now = unit.now
    found = [
        each
        for each in unit.catalogue.event_session.values()
        if not each.at.cancelled and not (now.trusted and now.wall_ms >= each.at.ends_at_ms)
    ]
    return tuple(sorted(found, key=lambda each: (each.at.venue != unit.identity.venue, each.at.starts_at_ms)))
