"""Passkeys of staff: make one while signed in, sign in with one, remove one; only at the secure address, whose host they belong to."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import Invalid, NotFound
from appliance.portal.staff_door import SEE_OTHER
from appliance.services import passkeys
from appliance.services.box import Unit
from appliance.services.passkeys import Party
from appliance.services.staff_views import PasskeyView, StaffToken
from appliance.web import clients, csrf, tiers
from appliance.web.bodies import JSON
from appliance.web.site import site
from appliance.web.texts import _

OPEN_TO_ALL = frozenset({"staff.enter_by_passkey", "staff.passkey_question"})
LONGEST_FIELD = 8192


def register(blueprint: Blueprint) -> None:
    """Serve the pages below ``blueprint``."""
    blueprint.add_url_rule("/sign-in/passkey/options", "passkey_question", ask_sign_in, methods=["POST"])
    blueprint.add_url_rule("/passkeys", "passkeys", show_passkeys)
    blueprint.add_url_rule("/passkeys", "add_passkey", add, methods=["POST"])
    blueprint.add_url_rule("/passkeys/options", "passkey_options", ask_registration, methods=["POST"])
    blueprint.add_url_rule("/passkeys/<credential>/revocation", "revoke_passkey", revoke, methods=["POST"])


def party() -> Party:
    """Return whom a passkey trusts here; raises ``NotFound`` at any other address than the secure one."""
    url = tiers.secure_url()
    host = urlsplit(url).hostname
    if not tiers.upgraded() or host is None:
        raise NotFound("Passkeys work at the secure address only.")
    return Party(host, url)


def offer(unit: Unit) -> str:
    """Return what the sign-in page says of passkeys: ``yes``, ``clock`` (not now, the clock is not trusted) or nothing."""
    if not tiers.upgraded():
        return ""
    return "yes" if passkeys.offered(unit) else "" if unit.now.trusted else "clock"


def enter() -> StaffToken:
    """Return a fresh sign-in for what the posted passkey answered."""
    answer = request.form.get("credential", "")[:LONGEST_FIELD]
    return passkeys.sign_in(site().box, answer, clients.address(), party())


def ask_sign_in() -> Response:
    """Ask for a passkey, whoever's."""
    csrf.require_own_origin(strict=True)
    here, address = party(), clients.address()
    return _json(site().box.run(lambda unit: passkeys.begin_sign_in(unit, address, here)))


def ask_registration() -> Response:
    """Ask the browser of whoever is signed in to make a passkey."""
    here, badge = party(), g.member.badge
    return _json(site().box.run(lambda unit: passkeys.begin_registration(unit, badge, here)))


def _json(options: str) -> Response:
    return Response(options, content_type=JSON)


def show_passkeys(notice: str = "") -> str:
    """Every passkey of this device, and the form that makes one."""
    found: tuple[PasskeyView, ...] = site().box.look(passkeys.all_of_staff)
    return render_template(
        "staff/passkeys.html", passkeys=found, notice=notice, here=tiers.upgraded(), secure=tiers.secure_url()
    )


def add() -> AnyResponse:
    """Keep the passkey that the browser made."""
    answer, label = request.form.get("credential", "")[:LONGEST_FIELD], request.form.get("label", "")
    try:
        passkeys.register(site().box, g.member.badge, answer, label, party())
    except Invalid as refusal:
        notice = _("This passkey cannot be used here. Try again, or use another one.")
        return make_response(show_passkeys(notice), refusal.status)
    return redirect(url_for("staff.passkeys"), SEE_OTHER)


def revoke(credential: str) -> AnyResponse:
    """Remove a passkey; whoever it belongs to signs in anew."""
    site().box.run(lambda unit: passkeys.revoke(unit, credential, g.member.badge))
    return redirect(url_for("staff.passkeys"), SEE_OTHER)
