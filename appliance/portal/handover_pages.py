"""From the captive browser to a real one: the same page by link, QR code, or a short code that is typed at /code.

A captive browser closes when the phone thinks it is online, and with it goes the only place that knew the address.
"""

from __future__ import annotations

from typing import NamedTuple, get_args

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain import handover as rules
from appliance.domain.errors import NotFound
from appliance.portal.page_tokens import opened
from appliance.services import handover
from appliance.services.box import Unit
from appliance.services.handover import Page
from appliance.web import clients, csrf, tiers
from appliance.web.site import site
from appliance.web.texts import _
from appliance.web.tokens import Purpose

SEE_OTHER = 303
_ENDPOINTS: dict[Purpose, str] = {
    "hold": "attendee.hold",
    "order-view": "attendee.order",
    "order-manage": "attendee.order",
    "waitlist": "waiting.entry",
}


class Section(NamedTuple):
    """What a page shows of it: its secure address (empty without one, or if this is it), the short code that lives, where to type it."""

    url: str
    code: str
    minutes: int
    action: str
    where: str
    upgraded: bool


def section(unit: Unit, purpose: Purpose, subject: str, token: str) -> Section:
    """Return the section of a page whose address carries ``token``."""
    found = handover.live(unit, Page(purpose, subject))
    upgraded = tiers.upgraded()
    home = tiers.secure_url() or site().settings.public_url.rstrip("/") or request.host_url.rstrip("/")
    return Section(
        url=f"{tiers.secure_url()}{_path(purpose, token)}" if tiers.secure_url() and not upgraded else "",
        code=rules.shown(found.code) if found else "",
        minutes=max(1, round(found.expires_in_ms / 60_000)) if found else 0,
        action=url_for("attendee.make_code", purpose=purpose, token=token),
        where=f"{home.partition('://')[2]}/code",
        upgraded=upgraded,
    )


def make_code(purpose: str, token: str) -> AnyResponse:
    """Have a page show a short code; asking again shows the same one."""
    csrf.require_own_origin()
    known = _purpose(purpose)
    subject = opened(known, token)
    hotspot = _on_hotspot()
    site().box.run(lambda unit: handover.make(unit, Page(known, subject), hotspot=hotspot))
    return redirect(f"{_path(known, token)}#handover", SEE_OTHER)


def show_form() -> str:
    """The form for a code."""
    return _form()


def redeem() -> AnyResponse:
    """Open the page that a code leads to, once; what leads nowhere says no more than that."""
    csrf.require_own_page()
    typed = request.form.get("code", "")[:64]
    guest = clients.identify(site())
    hotspot = _on_hotspot()
    try:
        found = site().box.run(lambda unit: handover.redeem(unit, typed, guest.client, hotspot=hotspot))
    except NotFound as refusal:
        wrong = _("This code leads nowhere. It works once and for ten minutes: have a new one shown.")
        return make_response(_form(typed, wrong), refusal.status)
    purpose = _purpose(found.purpose)
    return redirect(_path(purpose, site().tokens.mint(purpose, found.subject)), SEE_OTHER)


def _form(typed: str = "", notice: str = "") -> str:
    return render_template("attendee/code.html", typed=typed, notice=notice)


def _path(purpose: Purpose, token: str) -> str:
    return url_for(_ENDPOINTS[purpose], token=token)


def _purpose(text: str) -> Purpose:
    found = next((each for each in get_args(Purpose) if each == text and each in _ENDPOINTS), None)
    if found is None:
        raise NotFound("There is no such page.")
    return found  # type: ignore[no-any-return]  # one of the literals


def _on_hotspot() -> bool:
    """Whether the caller has an address of this hotspot."""
    return site().leases.hardware_of(clients.address()) is not None


def register(blueprint: Blueprint) -> None:
    """Serve these pages."""
    blueprint.get("/code", endpoint="code")(show_form)
    blueprint.post("/code", endpoint="redeem")(redeem)
    blueprint.post("/code/<purpose>/<token>", endpoint="make_code")(make_code)
