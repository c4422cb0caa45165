"""Selling to a walk-up in two taps: what, then how it is paid."""

from __future__ import annotations

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import Invalid, LimitReached, NotFound, Refusal, SaleClosed, SoldOut, SoldOutHere
from appliance.portal import forms
from appliance.portal.cards import timezone_of
from appliance.portal.staff_door import SEE_OTHER, method_of
from appliance.services import asking, booking, door, idempotency, listing
from appliance.services.box import Unit
from appliance.services.views import ListingView, OrderView, SessionView, TypeView
from appliance.web.site import site
from appliance.web.texts import _

MOST = 10


def register(blueprint: Blueprint) -> None:
    """Serve the sales pages below ``blueprint``."""
    blueprint.add_url_rule("/sell", "sell", sell, methods=["GET", "POST"])
    blueprint.add_url_rule("/sell/<ticket_type>", "sell_type", show_type)


def sell() -> AnyResponse:
    """Show what can be sold, or sell what the form says; the same form sent twice is one sale."""
    return _sell() if request.method == "POST" else make_response(_page(request.args.get("sold", "")))


def _page(sold_code: str = "", notice: str = "") -> str:
    def query(unit: Unit) -> tuple[ListingView, OrderView | None]:
        return listing.listing(unit), _found(unit, sold_code)

    found, sold = site().box.look(query)
    sessions = sorted(
        (each for view in found.events for each in view.sessions if not each.at.cancelled),
        key=lambda each: (not each.here, each.at.starts_at_ms),
    )
    return render_template(
        "staff/sell.html",
        sessions=sessions,
        sold=sold,
        notice=notice,
        as_of_ms=found.as_of_ms,
        zone=timezone_of(found.events),
    )


def _found(unit: Unit, code: str) -> OrderView | None:
    if not code:
        return None
    try:
        return booking.find_by_code(unit, code)
    except NotFound:
        return None


def show_type(ticket_type: str) -> str:
    """How many, and how they are paid."""
    found = site().box.look(listing.listing)
    session, view = _type_of(found, ticket_type)
    most = max(1, min(MOST, view.available))
    wanted = request.args.get("n", "1")
    quantity = min(most, max(1, int(wanted))) if wanted.isascii() and wanted.isdigit() and len(wanted) < 4 else 1
    return render_template("staff/sell_type.html", session=session, view=view, quantity=quantity, most=most, notice="")


def _type_of(found: ListingView, ticket_type: str) -> tuple[SessionView, TypeView]:
    for view in found.events:
        for session in view.sessions:
            for each in session.types:
                if each.type.id == ticket_type:
                    return session, each
    raise NotFound("This ticket type is not sold (any more).")


def _sell() -> AnyResponse:
    method, lane, badge = method_of(request.form.get("method", "")), site().settings.lane, g.member.badge
    chosen = forms.items(request.form)
    meaning = f"{method} {forms.fingerprint(chosen)}"
    key = forms.key(request.form, meaning)

    def use_case(unit: Unit) -> tuple[int, bytes, bool]:
        def act() -> tuple[int, bytes]:
            return 201, door.sell(unit, badge, chosen, method, lane).code.encode()

        return idempotency.once(unit, f"form:staff:{badge}", key, meaning, act)

    try:
        _status, code, _replayed = asking.run(site().box, use_case)
    except (SoldOut, SoldOutHere, SaleClosed, LimitReached, Invalid) as refusal:
        return make_response(_page("", _why(refusal)), refusal.status)
    return redirect(url_for("staff.sell", sold=code.decode()), SEE_OTHER)


def _why(refusal: Refusal) -> str:
    if isinstance(refusal, SoldOutHere):
        return _("Not sold: so many are not left here. Other venues may still have some.")
    if isinstance(refusal, SoldOut):
        return _("Not sold: so many are not left.")
    if isinstance(refusal, SaleClosed):
        return _("Not sold: the sale is closed. Open it on the door page if it should not be.")
    return _("Not sold: choose again.")
