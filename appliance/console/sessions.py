"""Cancel a date or move it: what depends on it first, then the forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple
from zoneinfo import ZoneInfo

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console, operator_pages
from appliance.domain.errors import NotFound
from mqtt_bridge.cloud import repair
from mqtt_bridge.cloud.repair_view import SessionFacts, all_sessions, session_facts
from mqtt_bridge.cloud.session_changes import ChangeRefused, cancel_session, local_ms, move_session, restore_session
from mqtt_bridge.protocol.catalogue import EventSession
from mqtt_bridge.protocol.moments import both

blueprint = operator_pages("sessions", __name__)
# What <input type=datetime-local> sends and shows (HTML, section 4.10.5.1.11).
LOCAL = "%Y-%m-%dT%H:%M"


@blueprint.get("/sessions")
def listing() -> str:
    """Every date, next first."""
    here = console()
    with here.database.read() as db:
        found = all_sessions(db)
    return render_template("console/sessions.html", view=here.overview(), tab="sessions.listing", sessions=found)


@blueprint.get("/sessions/<event_session>")
def page(event_session: str) -> str:
    """One date, what depends on it, and how to cancel or move it."""
    return _page(event_session)


def _page(event_session: str, notice: str = "", typed: Mapping[str, str] = MappingProxyType({})) -> str:
    here = console()
    found = _facts(event_session)
    return render_template(
        "console/session.html",
        view=here.overview(),
        tab="sessions.listing",
        found=found,
        starts=_field(found.at.starts_at_ms, found.at.timezone, typed.get("starts", "")),
        ends=_field(found.at.ends_at_ms, found.at.timezone, typed.get("ends", "")),
        venue=typed.get("venue", found.at.venue),
        words=typed.get("notice", ""),
        notice=notice,
        good=request.args.get("done", "")[:300],
    )


def _facts(event_session: str) -> SessionFacts:
    with console().database.read() as db:
        found = session_facts(db, event_session)
    if found is None:
        raise NotFound("This date is not in the catalogue (any more).")
    return found


@blueprint.post("/sessions/<event_session>/<action>")
def change(event_session: str, action: str) -> str | Response:
    """Cancel, move or restore a date."""
    here = console()
    at = _facts(event_session).at
    notice, now_ms = request.form.get("notice", "").strip(), here.clock()
    try:
        if action == "cancel":
            words = cancel_session(here.database, event_session, g.who, now_ms, notice)
        elif action == "restore":
            words = restore_session(here.database, event_session, g.who, now_ms)
        elif action == "move":
            starts = _moment(at, at.starts_at_ms, request.form.get("starts", ""))
            ends = _moment(at, at.ends_at_ms, request.form.get("ends", ""))
            to = {"venue": request.form.get("venue"), "starts_at_ms": starts, "ends_at_ms": ends, "notice": notice}
            words = move_session(here.database, event_session, g.who, now_ms, **to)  # type: ignore[arg-type]
        else:
            raise NotFound("A date can be cancelled, moved or restored.")
    except ChangeRefused as refusal:
        return _page(event_session, f"Nothing was changed: {refusal}.", request.form if action == "move" else {})
    repair.apply_rules(here.database, now_ms)
    return redirect(url_for("sessions.page", event_session=event_session, done=". ".join(words) + "."), 303)


def _moment(at: EventSession, shown_ms: int, text: str) -> int | None:
    """Return what a field means, None for an empty one. What was left as it was shown is still the moment it was shown for."""
    if text == _local(shown_ms, at.timezone):
        return shown_ms
    if both(text, at.timezone):
        raise ChangeRefused("clocks are set back that night; choose which of the two times is meant")
    return local_ms(console().database, at.id, text or None)


class _Field(NamedTuple):
    """A field for a time: its text, the two to choose from where it happens twice, and the offset of what is shown then."""

    text: str
    choices: tuple[str, ...]
    offset: str


def _field(at_ms: int, timezone: str, typed: str) -> _Field:
    shown = _local(at_ms, timezone)
    if typed and typed != shown:
        return _Field(typed, both(typed[: len(shown)], timezone), "")
    here = datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone))
    return _Field(shown, (), here.isoformat()[-6:] if both(shown, timezone) else "")


def _local(at_ms: int, timezone: str) -> str:
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone)).strftime(LOCAL)
