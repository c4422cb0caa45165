"""Tickets on pages: show an order, cancel it, ask for its text message."""

from __future__ import annotations

from flask import Blueprint, g, make_response, redirect, render_template, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.portal import order_words, sms_pages
from appliance.portal.page_tokens import opened
from appliance.portal.waiting_pages import url_of
from appliance.services import booking
from appliance.services.box import Unit
from appliance.services.views import OrderView
from appliance.web import csrf
from appliance.web.site import site
from appliance.web.texts import _

SEE_OTHER = 303


def show_order(token: str) -> str:
    """The tickets of an order. The address given after booking may also cancel; the one for sharing only shows."""
    manage = site().tokens.open("order-manage", token)
    order_id = manage or opened("order-view", token)

    def query(unit: Unit) -> tuple[OrderView, sms_pages.Section | None]:
        found = booking.find_order(unit, order_id)
        return found, sms_pages.section(unit, found, token) if manage else None

    order, text_message = site().box.look(query)
    share = cancel_url = None
    if manage and order.status == "confirmed":
        share = url_for("attendee.order", token=site().tokens.mint("order-view", order_id), _external=True)
    if manage and order_words.can_cancel(order):
        cancel_url = url_for("attendee.ask_cancel", token=token)
    title, words = order_words.heading(order)
    again = url_for("attendee.order", token=token)
    waits = url_of(order.waits) if manage and order.waits else None
    ways = {"share": share, "cancel": cancel_url, "again": again, "waits": waits, "text_message": text_message}
    return render_template("attendee/order.html", order=order, title=title, words=words, **ways)


def ask_cancel(token: str) -> AnyResponse:
    """Ask before cancelling."""
    order_id = opened("order-manage", token)
    order = site().box.look(lambda unit: booking.find_order(unit, order_id))
    if not order_words.can_cancel(order):
        return redirect(url_for("attendee.order", token=token), SEE_OTHER)
    return make_response(render_template("attendee/cancel.html", order=order, token=token))


def cancel(token: str) -> AnyResponse:
    """Cancel an order; sent twice, it stays cancelled."""
    csrf.require_own_origin()
    order_id = opened("order-manage", token)
    g.ways = ((url_for("attendee.order", token=token), _("Back to the tickets")),)
    order = site().box.look(lambda unit: booking.find_order(unit, order_id))
    if order.status not in {"cancelled", "cancel_pending"}:
        site().box.run(lambda unit: booking.cancel(unit, order_id, by="guest"))
    return redirect(url_for("attendee.order", token=token), SEE_OTHER)


def register(blueprint: Blueprint) -> None:
    """Serve these pages."""
    blueprint.get("/tickets/<token>", endpoint="order")(show_order)
    blueprint.get("/tickets/<token>/cancel", endpoint="ask_cancel")(ask_cancel)
    blueprint.post("/tickets/<token>/cancel", endpoint="cancel")(cancel)
    sms_pages.register(blueprint, lambda token: opened("order-manage", token))
