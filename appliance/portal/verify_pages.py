"""Proving a contact on guests' pages: the code on the ticket's page, another code, and the link from a mail. No script needed."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import Invalid, LimitReached
from appliance.portal.page_tokens import opened
from appliance.services import sms, verifying
from appliance.services.box import Unit
from appliance.services.views import OrderView, VerificationView
from appliance.web import clients, csrf
from appliance.web.site import site
from appliance.web.texts import _

SEE_OTHER = 303
LONGEST = 200


class Section(NamedTuple):
    """What a pending order's page shows: how it stands, and the forms' addresses where something is to be typed."""

    proof: VerificationView
    mark: str
    words: str
    enter: str | None
    again: str | None
    trouble: str
    texts: bool


def register(blueprint: Blueprint) -> None:
    """Serve these pages."""
    blueprint.post("/tickets/<token>/code", endpoint="enter_code")(enter_code)
    blueprint.post("/tickets/<token>/code/again", endpoint="want_code")(want_code)
    blueprint.get("/prove/<link>", endpoint="ask_link")(ask_link)
    blueprint.post("/prove/<link>", endpoint="follow_link")(follow_link)


def enter_code(token: str) -> AnyResponse:
    """Take the code that was typed and lead back to the page, which says what came of it."""
    csrf.require_own_origin()
    order_id, typed = opened("order-manage", token), request.form.get("code", "")[:LONGEST]
    try:
        result: str = site().box.run(lambda unit: verifying.enter_code(unit, order_id, typed)).result
    except LimitReached:
        result = "limit"
    return redirect(_page(token, result), SEE_OTHER)


def want_code(token: str) -> AnyResponse:
    """Have another code sent, to the contact as it is or as it was corrected."""
    csrf.require_own_origin()
    order_id, contact = opened("order-manage", token), request.form.get("contact", "")[:LONGEST]
    try:
        site().box.run(lambda unit: verifying.want_code(unit, order_id, code_text, contact))
        result = "wanted"
    except Invalid as refusal:
        result = "contact" if refusal.facts.get("field") == "contact" else "over"
    except LimitReached:
        result = "limit"
    return redirect(_page(token, result), SEE_OTHER)


def _page(token: str, result: str) -> str:
    return url_for("attendee.order", token=token, proof=result, _anchor="proof")


def ask_link(link: str) -> AnyResponse:
    """Ask before a mailed link proves anything: programs that look through mails follow links too."""
    return make_response(render_template("attendee/prove.html", link=link, done=False))


def follow_link(link: str) -> AnyResponse:
    """Take it that whoever opened the mail says so. What the link belongs to, and whether to anything, only the centre knows."""
    csrf.require_own_origin()
    caller = clients.address()
    site().box.run(lambda unit: verifying.follow_link(unit, link, caller))
    return make_response(render_template("attendee/prove.html", link=link, done=True))


def send_along(unit: Unit, order: OrderView) -> None:
    """Send the code in the transaction of the booking, where this device's modem does; booking never fails because of it.

    A booking that is confirmed again (a second tap, a form sent again) has its code already, and keeps it.
    """
    if order.status == "pending":
        try:
            verifying.send_code(unit, order.id, code_text)
        except LimitReached:
            pass  # the order's page offers another one


def code_text(code: str) -> str:
    """Return the text message with a code."""
    return _("Your code is %(code)s. Type it on the page of your booking. Nobody at the door asks for it.", code=code)


def section(unit: Unit, order: OrderView, token: str) -> Section | None:
    """Return what the page of a pending order shows; None for any other."""
    proof = order.proof
    if order.status != "pending" or proof is None:
        return None
    asked = request.args.get("proof", "")
    mark, words = _standing(proof, asked, linked=unit.device.link_up)
    types = proof.waits_for == "code"
    enter = url_for("attendee.enter_code", token=token) if types and proof.tries_left > 0 and asked != "sent" else None
    again = url_for("attendee.want_code", token=token) if types else None
    return Section(proof, mark, words, enter, again, _trouble(asked, sms.known(unit)), sms.known(unit))


def _trouble(asked: str, texts: bool) -> str:
    """Return what was wrong with what was just typed."""
    if asked == "contact":
        return _("Write an e-mail address or a phone number.") if texts else _("Write an e-mail address.")
    if asked == "limit":
        return _("That were many tries. Wait an hour, or let the staff at the door check it.")
    return _("A code has eight digits.") if asked == "unreadable" else ""


def _standing(proof: VerificationView, asked: str, *, linked: bool) -> tuple[str, str]:
    """Return (mark, words) for how far it is."""
    offline = (
        "" if linked else " " + _("This venue has no connection to the centre now: it goes on by itself when it has.")
    )
    if proof.waits_for == "standing":
        return "", _("Your contact is proven. Whether you are a member is being looked up.") + offline
    if proof.waits_for == "operator":
        return "", _("The organiser looks at your booking.") + offline
    if asked == "sent":
        return "", _("Your code is being checked.") + offline
    texts = {
        "wrong": ("bad", _("This is not the code. Type it again, or ask for another one.")),
        "spent": ("bad", _("This code is of no use any more. Ask for another one.")),
        "limited": ("bad", _("No more codes are sent for now. The staff at the door can check your booking too.")),
        "undeliverable": ("bad", _("The code could not be delivered. Is this your address? Correct it below.")),
    }
    if proof.news in texts:
        return texts[proof.news]
    if proof.news == "sent":
        return "", _("A code was sent to %(contact)s. Type it here.", contact=proof.contact)
    return "", _("A code is on its way to %(contact)s.", contact=proof.contact) + offline
