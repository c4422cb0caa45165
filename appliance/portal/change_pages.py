"""Changing a booking on pages: other tickets or another date of the same event; what a guest has stays theirs until the new is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import AlreadyAdmitted, Invalid, LimitReached, Refusal, SaleClosed, SoldOut, SoldOutHere
from appliance.portal import cards, forms
from appliance.portal.hold_pages import hold_notice
from appliance.portal.order_pages import LONGEST_PROOF, SEE_OTHER, wrong_proof
from appliance.portal.page_tokens import opened
from appliance.services import asking, booking, changing, listing, proving
from appliance.services.box import Unit
from appliance.services.views import EventView, OrderView, SessionView, TypeView
from appliance.web import csrf, limit_words
from appliance.web.site import site
from appliance.web.texts import _

# The sale is open, whatever is left.
SELLING = ("on_sale", "on_request", "sold_out_here", "sold_out")


@dataclass(frozen=True)
class Choice:
    """A ticket type of the date shown: up to ``most`` of it, ``chosen`` to begin with."""

    view: TypeView
    most: int
    chosen: int


@dataclass(frozen=True)
class _Shown:
    order: OrderView
    why_not: str
    event: EventView | None
    own: dict[str, int]
    per_hold: int


def show_form(token: str) -> AnyResponse:
    """What the booking may become, or why it cannot be changed here."""
    return _page(token)


def change(token: str) -> AnyResponse:
    """Change the booking for who knows its name or contact; sent twice, it leads to the same new tickets."""
    csrf.require_own_origin()
    order_id, given = opened("order-manage", token), request.form.get("proof", "")[:LONGEST_PROOF]
    g.ways = ((url_for("attendee.order", token=token), _("Back to the tickets")),)

    def use_case(unit: Unit) -> OrderView:
        order = booking.find_order(unit, order_id)
        if not order.changed_to:
            proving.require_proof(unit, order, given)
        return changing.change(unit, order_id, forms.items(request.form))

    try:
        found = asking.run(site().box, use_case)
    except (Invalid, SaleClosed, SoldOut, SoldOutHere, AlreadyAdmitted) as refusal:
        return _page(token, _notice(refusal), refusal.status)
    except LimitReached as refusal:
        if refusal.facts.get("limit") == "proof":
            raise
        return _page(token, limit_words.words(refusal.facts, refusal.detail), refusal.status)
    return redirect(url_for("attendee.order", token=site().tokens.mint("order-manage", found.id)), SEE_OTHER)


def _notice(refusal: Refusal) -> str:
    field = str(refusal.facts.get("field", ""))
    if field == "proof":
        return wrong_proof()
    if isinstance(refusal, AlreadyAdmitted):
        return why_not_words("admitted")
    if field.startswith("order."):
        return why_not_words(field.removeprefix("order."))
    return f"{hold_notice(refusal)} {_('Your tickets stay as they are.')}"


def why_not_words(reason: str) -> str:
    """Return why a booking cannot be changed on its page."""
    reasons = {
        "admitted": _("A ticket of this booking was used at the door, so it can no longer be changed."),
        "paid": _("Paid tickets are changed at the desk, where money can be given back."),
        "several": _("This booking is for several dates. The desk changes it for you."),
        "elsewhere": _("This booking was made at another box office and can only be changed there."),
        "verified": _("These tickets are checked before they are good. Book them anew, then give the others back."),
    }
    return reasons.get(reason, _("This booking cannot be changed any more."))


def _page(token: str, notice: str = "", status: int = 200) -> AnyResponse:
    shown = site().box.look(lambda unit: _look(unit, opened("order-manage", token)))
    if shown.order.changed_to or (shown.event is None and not shown.why_not):
        return redirect(url_for("attendee.order", token=token), SEE_OTHER)
    current = _current(shown)
    page = render_template(
        "attendee/change.html",
        order=shown.order,
        token=token,
        why_not=why_not_words(shown.why_not) if shown.why_not else "",
        view=shown.event,
        current=current,
        choices=() if current is None else _choices(shown, current),
        per_hold=shown.per_hold,
        asks=proving.wants_proof(shown.order),
        notice=notice,
    )
    return make_response(page, status)


def _look(unit: Unit, order_id: str) -> _Shown:
    order = booking.find_order(unit, order_id)
    reason = changing.why_not(unit, order) or ("several" if len({each.at.id for each in order.tickets}) > 1 else "")
    slug = next((each.event.slug for each in order.tickets if each.event.slug in unit.catalogue.event), None)
    event = listing.event_page(unit, slug) if slug is not None and not reason else None
    own = changing.held_by_quota(unit, order)
    return _Shown(order, reason, event, dict(own), unit.catalogue.limits.per_hold)


def _current(shown: _Shown) -> SessionView | None:
    """Return the date to show: the one asked for, else the order's, else the best."""
    if shown.event is None or not shown.event.sessions:
        return None
    wanted = (request.args.get("at", ""), shown.order.tickets[0].at.id)
    found = (each for at in wanted for each in shown.event.sessions if each.at.id == at)
    return next(found, cards.lead_session(shown.event.sessions))


def _choices(shown: _Shown, current: SessionView) -> tuple[Choice, ...]:
    """Offer of each type what is on sale and what the order itself frees, up to what one booking may have."""
    has = Counter(each.type.id for each in shown.order.tickets)
    here = any(each.at.id == current.at.id for each in shown.order.tickets)
    # Another date begins with as many of what is called the same there.
    names = Counter(each.type.name for each in shown.order.tickets)
    found = []
    for each in current.types:
        on_sale = each.max_quantity if each.state == "on_sale" else 0
        own = shown.own.get(each.type.quota, 0) if each.state in SELLING else 0
        most = min(shown.per_hold, max(on_sale + own, has[each.type.id]))
        wished = has[each.type.id] if here else names[each.type.name]
        found.append(Choice(each, most, min(wished, most)))
    return tuple(found)


def register(blueprint: Blueprint) -> None:
    """Serve the page."""
    blueprint.get("/tickets/<token>/change", endpoint="ask_change")(show_form)
    blueprint.post("/tickets/<token>/change", endpoint="change")(change)
