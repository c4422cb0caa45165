"""Badges of staff: which were issued, and one tap to revoke what was lost."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console, operator_pages
from appliance.domain.errors import NotFound
from mqtt_bridge.cloud.badges import BadgeRefused, issued_badges, revoke_badge

blueprint = operator_pages("badges", __name__)


@blueprint.get("/badges")
def page() -> str:
    """List them."""
    here = console()
    with here.database.read() as db:
        found = issued_badges(db)
    asking = request.args.get("revoke", "")
    return render_template("console/badges.html", view=here.overview(), tab="badges.page", badges=found, asking=asking)


@blueprint.post("/badges/<serial>/revoke")
def revoke(serial: str) -> Response:
    """Let a badge open nothing any more."""
    here = console()
    try:
        revoke_badge(here.database, serial, g.who, here.clock())
    except BadgeRefused:
        raise NotFound("There is no such badge.") from None
    return redirect(url_for("badges.page"), 303)
