"""What staff need now and then: the way out, lanes, and what else the door's people look after."""

from __future__ import annotations

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import Invalid, LimitReached
from appliance.portal.staff_door import SEE_OTHER, once
from appliance.services import sms, staff_badges, switches
from appliance.services.box import Unit
from appliance.web import cookies, training
from appliance.web.site import site
from appliance.web.texts import _

COOKIE = "staff"
LONGEST_BADGE = 400


def register(blueprint: Blueprint) -> None:
    """Serve the page below ``blueprint``."""
    blueprint.add_url_rule("/more", "more", show_more)
    blueprint.add_url_rule("/staff-badges", "staff_badge", print_badge, methods=["POST"])
    blueprint.add_url_rule("/training", "training", switch_training, methods=["POST"])


def show_more() -> str:
    """Links to the pages that are not in the tabs, and which way each lane counts."""
    return _page("")


def _page(notice: str) -> str:
    lanes, texts = site().box.look(lambda unit: (switches.lanes(unit), sms.wanting_a_look(unit)))
    return render_template("staff/more.html", lanes=lanes, texts=texts, notice=notice)


def print_badge() -> AnyResponse:
    """Print the badge of a member of staff from the text that was issued; the same form sent twice prints once."""
    text, badge = request.form.get("text", "")[:LONGEST_BADGE], g.member.badge

    def use_case(unit: Unit) -> bytes:
        return staff_badges.print_badge(unit, text, badge).encode()

    try:
        return once(f"badge {text}", use_case, "staff.more")
    except Invalid as refusal:
        notice = _("This is no badge that is good here. Copy its whole text, and let the link come back once.")
        return make_response(_page(notice), refusal.status)


def switch_training() -> AnyResponse:
    """Begin or end practising, for this sign-in only."""
    token = cookies.read(COOKIE)
    if request.form.get("value") != "on":
        training.end(token)
        return redirect(url_for("staff.door"), SEE_OTHER)
    try:
        training.begin(token)
    except LimitReached as refusal:
        notice = _("Too many people are in training already. Ask one of them to end it.")
        return make_response(_page(notice), refusal.status)
    return redirect(url_for("staff.door"), SEE_OTHER)
