"""My tickets, without an account: a booking code and the name or contact that was given lead to the page again."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import NotFound
from appliance.services import proving
from appliance.web import clients, csrf
from appliance.web.site import site
from appliance.web.texts import _

SEE_OTHER = 303
LONGEST = 400


def show_form() -> str:
    """The form."""
    return _form()


def find() -> AnyResponse:
    """Lead to the page that what was typed gives a right to; whatever does not fit gets the same answer."""
    csrf.require_own_page()
    code, given = request.form.get("code", "")[:64], request.form.get("proof", "")[:LONGEST]
    guest = clients.identify(site())
    hotspot = site().leases.hardware_of(clients.address()) is not None
    try:
        found = site().box.run(lambda unit: proving.find_mine(unit, code, given, guest.client, hotspot=hotspot))
    except NotFound as refusal:
        wrong = _("Nothing fits this code together with this name or contact. Check both, or ask at the desk.")
        return make_response(_form(code, wrong), refusal.status)
    endpoint = "attendee.hold" if found.purpose == "hold" else "attendee.order"
    return redirect(url_for(endpoint, token=site().tokens.mint(found.purpose, found.subject)), SEE_OTHER)


def _form(code: str = "", notice: str = "") -> str:
    return render_template("attendee/my.html", code=code, notice=notice)


def register(blueprint: Blueprint) -> None:
    """Serve the page."""
    blueprint.get("/my", endpoint="my")(show_form)
    blueprint.post("/my", endpoint="find_mine")(find)
