"""Cash-up: open a shift, note what moves in the drawer, count and close; the evening per person."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.cashup import EntryKind, read_amount
from appliance.domain.errors import Invalid, NotFound
from appliance.portal import forms
from appliance.portal.staff_door import SEE_OTHER, once
from appliance.services import idempotency, shifts
from appliance.services.box import Unit
from appliance.services.staff_views import EveningRow, ShiftView
from appliance.web.site import site
from appliance.web.texts import _

LARGEST_NUMBER = 2**31 - 1
_KINDS: dict[str, EntryKind] = {"no_sale": "no_sale", "paid_in": "paid_in", "paid_out": "paid_out"}


def register(blueprint: Blueprint) -> None:
    """Serve the pages of shifts below ``blueprint``."""
    one = f"/shifts/<int(max={LARGEST_NUMBER}):number>"
    blueprint.add_url_rule("/shifts", "shifts", show_shifts)
    blueprint.add_url_rule("/shifts", "shift_open", open_shift, methods=["POST"])
    blueprint.add_url_rule("/shifts/entries", "shift_entry", enter, methods=["POST"])
    blueprint.add_url_rule(one, "shift", show_shift)
    blueprint.add_url_rule(f"{one}/close", "shift_close", close_shift, methods=["POST"])
    blueprint.add_url_rule(f"{one}/corrections", "shift_correct", correct, methods=["POST"])
    blueprint.add_url_rule(f"{one}/report", "shift_report", print_report, methods=["POST"])


def show_shifts(notice: str = "") -> str:
    """The shift of whoever looks, all latest ones, and the evenings per person."""

    def query(unit: Unit) -> tuple[ShiftView | None, tuple[ShiftView, ...], tuple[EveningRow, ...], str]:
        unit_currency = ""
        if unit.catalogue.ticket_type:
            unit_currency = shifts.currency(unit)
        return shifts.mine(unit, g.member.badge), shifts.latest(unit), shifts.evenings(unit), unit_currency

    mine, latest, evenings, currency = site().box.look(query)
    return render_template(
        "staff/shifts.html", mine=mine, latest=latest, evenings=evenings, currency=currency, notice=notice
    )


def show_shift(number: int, notice: str = "") -> str:
    """One shift with everything that moved, and what can still be done about it."""
    return render_template(
        "staff/shift.html", shift=site().box.look(lambda unit: shifts.view(unit, number)), notice=notice
    )


def open_shift() -> AnyResponse:
    """Open a shift with the cash that is in the drawer."""
    text, badge = request.form.get("float", ""), g.member.badge

    def use_case(unit: Unit) -> bytes:
        return b"%d" % shifts.open_shift(unit, badge, _minor(unit, text)).number

    return _or_page(lambda: once(f"open {text}", use_case, "staff.shifts"))


def enter() -> AnyResponse:
    """Note that the drawer was opened, or that cash was put in or taken out."""
    kind = _KINDS.get(request.form.get("kind", ""))
    if kind is None:
        raise NotFound("There is no such entry.")
    text, note, badge = request.form.get("amount", ""), request.form.get("note", ""), g.member.badge

    def use_case(unit: Unit) -> bytes:
        minor = 0 if kind == "no_sale" else _minor(unit, text)
        return b"%d" % shifts.enter(unit, badge, kind, minor, note).number

    return _or_page(lambda: once(f"{kind} {text} {note}", use_case, "staff.shifts"))


def close_shift(number: int) -> AnyResponse:
    """Close a shift with what was counted."""
    text, note, badge = request.form.get("counted", ""), request.form.get("note", ""), g.member.badge

    def use_case(unit: Unit) -> None:
        shifts.close_shift(unit, number, badge, _minor(unit, text), note)

    return _on_shift(number, f"close {text}", use_case)


def correct(number: int) -> AnyResponse:
    """Add a correction to a closed shift."""
    text, note, badge = request.form.get("amount", ""), request.form.get("note", ""), g.member.badge
    sign = -1 if request.form.get("sign") == "less" else 1

    def use_case(unit: Unit) -> None:
        shifts.correct(unit, number, badge, sign * _minor(unit, text), note)

    return _on_shift(number, f"correct {sign} {text} {note}", use_case)


def print_report(number: int) -> AnyResponse:
    """Print the report of a closed shift again, with its corrections."""
    return _on_shift(number, "report", lambda unit: shifts.print_report(unit, number))


def _on_shift(number: int, meaning: str, use_case: Callable[[Unit], object]) -> AnyResponse:
    """Do it once however often the form is sent, and show the shift, with what is wrong where it was refused."""
    key = forms.key(request.form, f"{number} {meaning}")

    def act(unit: Unit) -> tuple[int, bytes]:
        use_case(unit)
        return 200, b""

    try:
        site().box.run(lambda unit: idempotency.once(unit, f"form:staff:{g.member.badge}", key, key, lambda: act(unit)))
    except Invalid as refusal:
        return make_response(show_shift(number, _why(refusal)), refusal.status)
    return redirect(url_for("staff.shift", number=number), SEE_OTHER)


def _or_page(act: Callable[[], AnyResponse]) -> AnyResponse:
    try:
        return act()
    except Invalid as refusal:
        return make_response(show_shifts(_why(refusal)), refusal.status)


def _minor(unit: Unit, text: str) -> int:
    try:
        return read_amount(text, shifts.currency(unit))
    except ValueError:
        raise Invalid("This is not an amount of money.", field="amount") from None


def _why(refusal: Invalid) -> str:
    reasons = {
        "amount": _("Give an amount of money, such as 12.50. To open the drawer without a sale leave it empty."),
        "note": _("Nothing was changed yet: say in a few words why."),
        "shift": _("This shift is open or closed already. Look at it below."),
    }
    return reasons.get(refusal.facts["field"], refusal.detail)
