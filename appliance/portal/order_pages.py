"""Tickets on pages: show an order, cancel it, ask for its text message."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import Invalid
from appliance.portal import calendar_files, handover_pages, order_words, sms_pages, verify_pages
from appliance.portal.page_tokens import opened
from appliance.portal.waiting_pages import url_of
from appliance.services import booking, changing, proving
from appliance.services.box import Unit
from appliance.services.views import OrderView
from appliance.web import csrf
from appliance.web.site import site
from appliance.web.texts import _
from appliance.web.tokens import Purpose

SEE_OTHER = 303
LONGEST_PROOF = 400


def show_order(token: str) -> str:
    """The tickets of an order. The address given after booking may also cancel; the one for sharing only shows."""
    manage = site().tokens.open("order-manage", token)
    order_id = manage or opened("order-view", token)

    def query(unit: Unit) -> _Shown:
        found = booking.find_order(unit, order_id)
        return _Shown(
            order=found,
            text_message=sms_pages.section(unit, found, token) if manage else None,
            handover_to=handover_pages.section(unit, "order-manage" if manage else "order-view", order_id, token),
            pay_until_ms=order_words.pay_until_ms(found, unit.catalogue.limits.unpaid_until),
            may_change=bool(manage) and not changing.why_not(unit, found),
            proof=verify_pages.section(unit, found, token) if manage else None,
        )

    shown = site().box.look(query)
    order = shown.order
    title, words = order_words.heading(order)
    again = url_for("attendee.order", token=token)
    ways = _ways_to_act(shown, token) if manage else {}
    changed = order.changed_to and _url(order.changed_to, "order-manage" if manage else "order-view")
    nothing = dict.fromkeys(("share", "cancel", "change", "waits"))
    return render_template(
        "attendee/order.html",
        title=title,
        words=words,
        again=again,
        changed=changed,
        manage=bool(manage),
        calendar=url_for("attendee.order_calendar", token=token),
        **shown._asdict(),
        **nothing | ways,
    )


class _Shown(NamedTuple):
    """What the page of an order shows besides its words."""

    order: OrderView
    text_message: sms_pages.Section | None
    handover_to: handover_pages.Section
    pay_until_ms: int | None
    may_change: bool
    proof: verify_pages.Section | None


def _ways_to_act(shown: _Shown, token: str) -> dict[str, str | None]:
    """Return the addresses that only who manages an order gets."""
    order = shown.order
    return {
        "share": _url(order.id, "order-view", _external=True) if order.status == "confirmed" else None,
        "cancel": url_for("attendee.ask_cancel", token=token) if order_words.can_cancel(order) else None,
        "change": url_for("attendee.ask_change", token=token) if shown.may_change else None,
        "waits": url_of(order.waits) if order.waits else None,
    }


def _url(order_id: str, purpose: Purpose, **options: Any) -> str:
    return url_for("attendee.order", token=site().tokens.mint(purpose, order_id), **options)


def ask_cancel(token: str) -> AnyResponse:
    """Ask before cancelling."""
    order = site().box.look(lambda unit: booking.find_order(unit, opened("order-manage", token)))
    if not order_words.can_cancel(order):
        return redirect(url_for("attendee.order", token=token), SEE_OTHER)
    return _cancel_page(order, token)


def _cancel_page(order: OrderView, token: str, notice: str = "", status: int = 200) -> AnyResponse:
    asks = proving.wants_proof(order)
    return make_response(
        render_template("attendee/cancel.html", order=order, token=token, asks=asks, notice=notice), status
    )


def cancel(token: str) -> AnyResponse:
    """Cancel an order for who knows its name or contact; sent twice, it stays cancelled."""
    csrf.require_own_origin()
    order_id, given = opened("order-manage", token), request.form.get("proof", "")[:LONGEST_PROOF]
    g.ways = ((url_for("attendee.order", token=token), _("Back to the tickets")),)

    def use_case(unit: Unit) -> None:
        order = booking.find_order(unit, order_id)
        if order.status not in {"cancelled", "cancel_pending"}:
            proving.require_proof(unit, order, given)
            booking.cancel(unit, order_id, by="guest")

    try:
        site().box.run(use_case)
    except Invalid as refusal:
        if refusal.facts.get("field") != "proof":
            raise
        order = site().box.look(lambda unit: booking.find_order(unit, order_id))
        return _cancel_page(order, token, wrong_proof(), refusal.status)
    return redirect(url_for("attendee.order", token=token), SEE_OTHER)


def wrong_proof() -> str:
    """Return what stands above the field for the name or contact after a wrong one."""
    return _("This is not the name, phone number or e-mail of this booking. Write it as you did when booking.")


def register(blueprint: Blueprint) -> None:
    """Serve these pages."""
    blueprint.get("/tickets/<token>", endpoint="order")(show_order)
    blueprint.get("/tickets/<token>/calendar.ics", endpoint="order_calendar")(calendar_files.of_order)
    blueprint.get("/tickets/<token>/cancel", endpoint="ask_cancel")(ask_cancel)
    blueprint.post("/tickets/<token>/cancel", endpoint="cancel")(cancel)
    sms_pages.register(blueprint, lambda token: opened("order-manage", token))
