"""What staff need now and then: the way out, lanes, and what else the door's people look after."""

from __future__ import annotations

from flask import Blueprint, render_template

from appliance.services import switches
from appliance.web.site import site


def register(blueprint: Blueprint) -> None:
    """Serve the page below ``blueprint``."""
    blueprint.add_url_rule("/more", "more", show_more)


def show_more() -> str:
    """Links to the pages that are not in the tabs, and which way each lane counts."""
    return render_template("staff/more.html", lanes=site().box.look(switches.lanes))
