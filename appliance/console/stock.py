"""The operator's pages: stock of every quota, and the devices."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console
from appliance.web.csrf import require_own_origin
from mqtt_bridge.cloud.store import lift_freeze

blueprint = Blueprint("stock", __name__)


@blueprint.get("/")
def page() -> str | Response:
    """Stock per quota and device, and what needs a person."""
    return _shown("console/stock.html", "stock.page")


@blueprint.get("/devices")
def devices() -> str | Response:
    """What is known of each device."""
    return _shown("console/devices.html", "stock.devices")


@blueprint.get("/alarms")
def alarms() -> str | Response:
    """Contradictions a person works through."""
    return _shown("console/alarms.html", "stock.alarms")


@blueprint.post("/grant-again")
def grant_again() -> Response:
    """Lift a freeze: of one quota, or of everything without one."""
    require_own_origin(strict=True)
    here = console()
    who = here.signed_in()
    if who:
        lift_freeze(here.database, who, here.clock(), request.form.get("quota") or None)
    return redirect(url_for("stock.page" if who else "signing_in.form"), 303)


def _shown(template: str, tab: str) -> str | Response:
    here = console()
    if not here.signed_in():
        return redirect(url_for("signing_in.form"), 303)
    return render_template(template, view=here.overview(), tab=tab)
