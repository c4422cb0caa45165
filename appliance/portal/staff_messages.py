"""Text messages for staff: what went out, and what a person has to decide about."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import NotFound
from appliance.domain.sms import Decision
from appliance.portal import sms_words
from appliance.portal.cards import timezone_of
from appliance.services import listing, sms
from appliance.services.box import Unit
from appliance.services.staff_views import SmsView
from appliance.web.site import site

SEE_OTHER = 303
LARGEST_MESSAGE = 2**31 - 1


def register(blueprint: Blueprint) -> None:
    """Serve the pages below ``blueprint``."""
    one = f"/messages/<int(max={LARGEST_MESSAGE}):message>"
    blueprint.add_url_rule("/messages", "messages", show_messages)
    blueprint.add_url_rule(one, "message", decide, methods=["POST"])


def show_messages() -> str:
    """Every message, those in doubt first."""

    def query(unit: Unit) -> tuple[tuple[SmsView, ...], str]:
        return sms.recent(unit), timezone_of(listing.listing(unit).events)

    messages, zone = site().box.look(query)
    return render_template(
        "staff/messages.html", messages=[(each, *sms_words.staff_line(each)) for each in messages], zone=zone
    )


def decide(message: int) -> AnyResponse:
    """Do with a message what a person decided."""
    decision = request.form.get("decision", "")
    if decision not in {"arrived", "again", "leave"}:
        raise NotFound("There is no such decision.")
    site().box.run(lambda unit: sms.resolve(unit, message, cast("Decision", decision), g.member.badge))
    return redirect(url_for("staff.messages"), SEE_OTHER)
