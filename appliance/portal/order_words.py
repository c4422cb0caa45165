"""What a guest's order is called in each of its states."""

from __future__ import annotations

from flask import g

from appliance.domain.clock import MINUTE_MS
from appliance.services.views import OrderView
from appliance.web.formats import money
from appliance.web.texts import _


def heading(order: OrderView) -> tuple[str, str]:
    """Return (title, words) for the page of an order."""
    if order.status in {"cancel_pending", "cancelled"} and order.changed_to:
        words = _("Other tickets took the place of these.")
        return _("You changed this booking"), f"{words} {_paid_back(order)[1]}" if order.owed_back_minor else words
    if order.status in {"confirmed", "cancel_pending", "cancelled", "refused"} and order.owed_back_minor:
        return _paid_back(order)
    if order.status in {"confirmed", "cancel_pending"} and order.called_off:
        words = _("Your money is paid back. This page says how as soon as it is decided: keep its address.")
        return _("This date is cancelled"), words if order.taken_minor else _("You have nothing to pay.")
    texts = {
        "requested": (
            _("Your request is on its way"),
            _("Not a ticket yet. The answer comes when this venue has spoken to the centre, and this page shows it."),
        ),
        "pending": (_("Almost booked"), _("This page becomes your ticket once it is confirmed.")),
        "refused": (
            _("Not confirmed") if order.proof else _("No luck this time"),
            refusal_words(order.refusal),
        ),
        "cancel_pending": (
            _("Your cancellation is on its way"),
            _("The venue's door decides. Until then your tickets stay valid."),
        ),
        "cancelled": (_("This booking is cancelled"), _("Its tickets admit nobody any more.")),
    }
    return texts.get(order.status, (_("You are booked"), ""))


def _paid_back(order: OrderView) -> tuple[str, str]:
    titles = {"confirmed": _("You get money back"), "refused": _("Not confirmed")}
    title = titles.get(order.status, _("This booking is cancelled"))
    if not order.refund_due_minor:
        back = money(order.paid_back_minor, order.currency, g.language)
        return title, _("%(price)s was paid back to you.", price=back)
    due = money(order.refund_due_minor, order.currency, g.language)
    return title, _("You get %(price)s back at any desk of this box office. Show this page or your code.", price=due)


def pay_until_ms(order: OrderView, unpaid_until: int | None) -> int | None:
    """Return when an unpaid order is cancelled by itself (``unpaid_until`` in minutes from the start), None if it is not."""
    if unpaid_until is None or not order.due_minor or order.status != "confirmed":
        return None
    starts = (each.at.starts_at_ms for each in order.standing if not each.voided and each.at.starts_at_ms)
    first = min(starts, default=None)
    return None if first is None else first + unpaid_until * MINUTE_MS


def can_cancel(order: OrderView) -> bool:
    """Return whether asking for a cancel can make sense: asked for or confirmed, nobody admitted on it yet, and no operator at it."""
    if order.status in {"requested", "pending"}:
        return True
    if order.called_off or order.refund_minor:
        return False
    return order.status == "confirmed" and all(each.admitted_at_ms is None for each in order.tickets)


def refusal_words(reason: str) -> str:
    """Return why a request was refused."""
    reasons = {
        "closed": _("The sale closed before there were enough tickets for your request."),
        "cancelled": _("This date was called off."),
        "operator": _("The organiser could not give you these tickets."),
        "member": _(
            "No member has this number together with this contact. Ask the organiser, or choose other tickets."
        ),
        "late": _("Nobody proved in time that it is them, so the tickets went back on sale."),
        "sealed": _("The box office that took your request was replaced, and the request ended with it."),
    }
    return reasons.get(reason, _("There were not enough tickets for your request."))
