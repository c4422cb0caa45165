"""What staff need now and then: the way out, lanes, and what else the door's people look after."""

from __future__ import annotations

from flask import Blueprint, render_template

from appliance.services import sms, switches
from appliance.web.site import site


def register(blueprint: Blueprint) -> None:
    """Serve the page below ``blueprint``."""
    blueprint.add_url_rule("/more", "more", show_more)


def show_more() -> str:
    """Links to the pages that are not in the tabs, and which way each lane counts."""
    lanes, texts = site().box.look(lambda unit: (switches.lanes(unit), sms.wanting_a_look(unit)))
    return render_template("staff/more.html", lanes=lanes, texts=texts)
