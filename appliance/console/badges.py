"""Badges of staff: which were issued, and one tap to revoke what was lost."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console
from appliance.domain.errors import NotFound
from appliance.web.csrf import require_own_origin
from mqtt_bridge.cloud.badges import BadgeRefused, issued_badges, revoke_badge

blueprint = Blueprint("badges", __name__)


@blueprint.get("/badges")
def page() -> str | Response:
    """List them."""
    here = console()
    if not here.signed_in():
        return redirect(url_for("signing_in.form"), 303)
    with here.database.read() as db:
        found = issued_badges(db)
    asking = request.args.get("revoke", "")
    return render_template("console/badges.html", view=here.overview(), tab="badges.page", badges=found, asking=asking)


@blueprint.post("/badges/<serial>/revoke")
def revoke(serial: str) -> Response:
    """Let a badge open nothing any more."""
    require_own_origin(strict=True)
    here = console()
    who = here.signed_in()
    if not who:
        return redirect(url_for("signing_in.form"), 303)
    try:
        revoke_badge(here.database, serial, who, here.clock())
    except BadgeRefused:
        raise NotFound("There is no such badge.") from None
    return redirect(url_for("badges.page"), 303)
