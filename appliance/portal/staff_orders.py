"""Orders by code or name: what they are, admitting from the list, money for promised ones, cancelling."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import AlreadyAdmitted, Invalid, NotFound, Refusal
from appliance.portal import forms, order_words, staff_photos
from appliance.portal.staff_door import SEE_OTHER, method_of, once
from appliance.services import badges, booking, door, idempotency, payments, repairs, searching, verifying
from appliance.services.box import Unit
from appliance.services.staff_views import SearchView
from appliance.services.views import OrderView
from appliance.web.site import site
from appliance.web.texts import _
from mqtt_bridge.protocol.messages import Method


def register(blueprint: Blueprint) -> None:
    """Serve the pages of orders below ``blueprint``."""
    blueprint.add_url_rule("/orders", "orders", show_orders)
    blueprint.add_url_rule("/parties", "party", admit_party, methods=["POST"])
    blueprint.add_url_rule("/tickets", "print_tickets", print_tickets, methods=["POST"])
    blueprint.add_url_rule("/badges", "badges", print_badges, methods=["POST"])
    blueprint.add_url_rule("/ticket-badges", "badge", print_badge, methods=["POST"])
    blueprint.add_url_rule("/verifications", "verify", verify, methods=["POST"])
    blueprint.add_url_rule("/payments", "payments", take_payment, methods=["POST"])
    blueprint.add_url_rule("/refunds", "refunds", pay_back, methods=["POST"])
    blueprint.add_url_rule("/orders/cancel", "cancel", cancel, methods=["POST"])


def show_orders() -> AnyResponse:
    """Find an order by its code or a ticket's, else everything that a name or a part of a code may mean."""
    code = request.args.get("code", "").strip()[:64]
    if not code:
        return make_response(_page("", None))
    try:
        return make_response(_page(code, site().box.look(lambda unit: booking.find_by_code(unit, code))))
    except NotFound:
        return _search(code)


def _search(text: str) -> AnyResponse:
    try:
        found = site().box.look(lambda unit: searching.search(unit, text))
    except Invalid as refusal:
        notice = _("Type a name, or at least three letters of a code.")
        return make_response(_page(text, None, notice), refusal.status)
    if not found.orders:
        notice = _("Nobody was found. Check the letters, or scan the ticket.")
        return make_response(_page(text, None, notice), NotFound.status)
    return make_response(_page(text, None, found=found))


def _page(code: str, order: OrderView | None, notice: str = "", found: SearchView | None = None) -> str:
    pictures, camera = staff_photos.beside(order)
    asking = request.args.get("cancel") == "ask"
    reason = order_words.refusal_words(order.refusal) if order else ""
    return render_template(
        "staff/orders.html",
        code=code,
        order=order,
        notice=notice,
        asking=asking,
        reason=reason,
        found=found,
        photos=pictures,
        camera=camera,
        faces=staff_photos.faces(found),
    )


def admit_party() -> AnyResponse:
    """Admit everybody of an order who is not inside yet; a button for a way of paying takes what is due first."""
    code, text = request.form.get("code", ""), request.form.get("method", "")
    method, lane, badge = method_of(text) if text else None, site().settings.lane, g.member.badge

    def use_case(unit: Unit) -> bytes:
        order = booking.find_by_code(unit, code)
        return door.admit_party(unit, order.id, badge, lane, method)[-1].id.encode()

    try:
        return once(f"{code} {text}", use_case)
    except Invalid as refusal:
        return _refused(code, refusal, _("Nobody of this order can come in here now. Scan a ticket: it says why."))


def verify() -> AnyResponse:
    """Let a pre-enrolment admit, because staff saw what proves it."""
    code, badge = request.form.get("code", ""), g.member.badge
    key = forms.key(request.form, f"verify {code}")

    def use_case(unit: Unit) -> tuple[int, bytes, bool]:
        def act() -> tuple[int, bytes]:
            verifying.verify_here(unit, booking.find_by_code(unit, code).id, badge)
            return 200, b""

        return idempotency.once(unit, f"form:staff:{badge}", key, key, act)

    try:
        site().box.run(use_case)
    except Invalid as refusal:
        return _refused(
            code, refusal, _("This order can only be verified where it was made, or at the door of its date.")
        )
    return redirect(url_for("staff.orders", code=code), SEE_OTHER)


def print_tickets() -> AnyResponse:
    """Print an order's tickets for a guest without a phone at hand; the same form sent twice prints once."""
    return _print("tickets", payments.print_tickets, _("No ticket of this order stands."))


def print_badges() -> AnyResponse:
    """Print a name badge for everybody of an order; the same form sent twice prints once."""
    return _print("badges", lambda unit, order, staff: badges.print_badges(unit, order, staff))


def print_badge() -> AnyResponse:
    """Print the badge of one ticket with the name as typed; the same form sent twice prints once."""
    ticket, name = request.form.get("ticket", ""), request.form.get("name", "")
    return _print(
        f"badge {ticket} {name}", lambda unit, order, staff: badges.print_badge(unit, order, ticket, name, staff)
    )


def _print(meaning: str, work: Callable[[Unit, str, str], int], nothing: str = "") -> AnyResponse:
    code, badge = request.form.get("code", ""), g.member.badge
    key = forms.key(request.form, f"{meaning} {code}")

    def use_case(unit: Unit) -> tuple[int, bytes, bool]:
        def act() -> tuple[int, bytes]:
            return 200, b"%d" % work(unit, booking.find_by_code(unit, code).id, badge)

        return idempotency.once(unit, f"form:staff:{badge}", key, key, act)

    try:
        site().box.run(use_case)
    except Invalid as refusal:
        return _refused(code, refusal, nothing or _("Nothing of this order is good for a badge."))
    return redirect(url_for("staff.orders", code=code), SEE_OTHER)


def take_payment() -> AnyResponse:
    """Take what is due for a promised order; the same form sent twice takes it once."""
    changed = _("Nothing was taken: the amount due has changed. Look at the order below.")
    return _money("pay", payments.take_payment, changed)


def pay_back() -> AnyResponse:
    """Record that what is owed for an order was paid back; the same form sent twice records it once."""
    changed = _("Nothing was paid back: what is owed has changed. Look at the order below.")
    return _money("refund", repairs.pay_back, changed)


def _money(verb: str, move: Callable[[Unit, str, str, Method, int], object], changed: str) -> AnyResponse:
    """``move`` the form's amount for the order of its code, once; ``changed`` says what to do where it no longer fits."""
    code, method, badge = request.form.get("code", ""), method_of(request.form.get("method", "")), g.member.badge
    amount_minor = _amount(request.form.get("amount", ""))
    meaning = f"{verb} {code} {method} {amount_minor}"
    key = forms.key(request.form, meaning)

    def use_case(unit: Unit) -> tuple[int, bytes, bool]:
        def act() -> tuple[int, bytes]:
            order = booking.find_by_code(unit, code)
            move(unit, order.id, badge, method, amount_minor)
            return 201, b""

        return idempotency.once(unit, f"form:staff:{badge}", key, meaning, act)

    try:
        site().box.run(use_case)
    except Invalid as refusal:
        return _refused(code, refusal, changed)
    return redirect(url_for("staff.orders", code=code), SEE_OTHER)


def _amount(text: str) -> int:
    """Return the amount that was shown when the button was tapped: another one must not be taken unseen."""
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise Invalid("The amount is missing. Reload the page and try again.", field="amount")
    return int(text)


def cancel() -> AnyResponse:
    """Cancel an order."""
    code = request.form.get("code", "")
    badge = g.member.badge

    def use_case(unit: Unit) -> None:
        booking.cancel(unit, booking.find_by_code(unit, code).id, by=badge)

    try:
        site().box.run(use_case)
    except AlreadyAdmitted as refusal:
        return _refused(
            code, refusal, _("A ticket of this booking was used at the door, so it can no longer be cancelled.")
        )
    except Invalid as refusal:
        return _refused(code, refusal, _("This order was sold at another venue and can only be cancelled there."))
    return redirect(url_for("staff.orders", code=code), SEE_OTHER)


def _refused(code: str, refusal: Refusal, words: str) -> AnyResponse:
    order = site().box.look(lambda unit: booking.find_by_code(unit, code))
    return make_response(_page(code, order, words), refusal.status)
