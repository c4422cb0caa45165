"""The operator's pages: stock of every quota, and the devices."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console

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


def _shown(template: str, tab: str) -> str | Response:
    here = console()
    if not here.signed_in():
        return redirect(url_for("signing_in.form"), 303)
    return render_template(template, view=here.overview(), tab=tab)
