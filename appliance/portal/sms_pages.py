"""Text messages on guests' pages: asked for while booking or afterwards, by a form that needs no script."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import Invalid, LimitReached
from appliance.domain.sms import number_of
from appliance.portal import sms_words
from appliance.services import booking, sms
from appliance.services.box import Unit
from appliance.services.views import OrderView
from appliance.web import csrf
from appliance.web.site import site
from appliance.web.texts import _

SEE_OTHER = 303


class Section(NamedTuple):
    """What an order's page shows of messages: how its message is doing, and the form's address where one may be asked for.

    ``ending`` are the last digits of the order's own number: more of it would tell who saw the page what it asks for.
    """

    mark: str
    words: str
    action: str | None
    ending: str


def register(blueprint: Blueprint, opened: Callable[[str], str]) -> None:
    """Serve the form below ``blueprint``; ``opened`` gives the order that a page's token may manage."""

    def ask(token: str) -> AnyResponse:
        """Ask for the message of an order; sent twice, it is one message."""
        csrf.require_own_origin()
        order_id, given = opened(token), request.form.get("number", "")[:200]
        order = site().box.look(lambda unit: booking.find_order(unit, order_id))
        number = number_of(given or order.contact)
        trouble = "number" if number is None else ""
        if number is not None:
            try:
                site().box.run(lambda unit: _ask(unit, order, number))
            except (Invalid, LimitReached):
                trouble = "limit"
        where = url_for("attendee.order", token=token, sms=trouble or None)
        return redirect(where, SEE_OTHER)

    blueprint.add_url_rule("/tickets/<token>/sms", "sms", ask, methods=["POST"])


def number_in(contact: str) -> str | None:
    """Return the number to send to if the form asked for a message; raises ``Invalid`` if what was written is none."""
    if request.form.get("sms") != "yes":
        return None
    number = number_of(contact)
    if number is None:
        msg = "For a text message, write a phone number."
        raise Invalid(msg, field="sms")
    return number


def ask_along(unit: Unit, order: OrderView, number: str | None) -> None:
    """Ask for the message in the transaction of the booking, which never fails because of it."""
    if number is None or order.status != "confirmed" or not sms.known(unit):
        return
    try:
        _ask(unit, order, number)
    except LimitReached:
        pass  # the order's page says that there is no message


def section(unit: Unit, order: OrderView, token: str) -> Section | None:
    """Return what the page of an order shows; None where there is nothing to say."""
    message = sms.of_order(unit, order.id)
    mark, words = sms_words.guest_line(message) if message else ("", "")
    troubles = {
        "number": _("This is not a phone number. Write it with its area code."),
        "limit": _("No text message can be sent now. Write your code down."),
    }
    if message is None or message.state == "failed":
        mark, words = ("bad", troubles[asked]) if (asked := request.args.get("sms", "")) in troubles else (mark, words)
    may_ask = order.status == "confirmed" and (message is None or message.state == "failed") and sms.offered(unit)
    if not words and not may_ask:
        return None
    action = url_for("attendee.sms", token=token) if may_ask else None
    return Section(mark, words, action, (number_of(order.contact) or "")[-2:])


def _ask(unit: Unit, order: OrderView, number: str) -> None:
    sms.ask(unit, order.id, number, sms_words.text_of(order))
