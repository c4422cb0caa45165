"""What a guest's order is called in each of its states."""

from __future__ import annotations

from appliance.services.views import OrderView
from appliance.web.texts import _


def heading(order: OrderView) -> tuple[str, str]:
    """Return (title, words) for the page of an order."""
    texts = {
        "requested": (
            _("Your request is on its way"),
            _("This page says yes or no as soon as it is decided. Not a ticket yet."),
        ),
        "pending": (_("Your booking is being checked"), _("This page becomes your ticket once it is confirmed.")),
        "refused": (_("No luck this time"), _("There were not enough tickets for your request.")),
        "cancel_pending": (
            _("Your cancellation is on its way"),
            _("The venue's door decides. Until then your tickets stay valid."),
        ),
        "cancelled": (_("This booking is cancelled"), _("Its tickets admit nobody any more.")),
    }
    return texts.get(order.status, (_("You are booked"), ""))


def can_cancel(order: OrderView) -> bool:
    """Return whether asking for a cancel can make sense: confirmed, and nobody admitted on it yet."""
    return order.status == "confirmed" and all(each.admitted_at_ms is None for each in order.tickets)
