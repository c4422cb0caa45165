"""Name badges of guests, printed at the door: by themselves where a session wants them, or on a tap."""

from __future__ import annotations

from appliance.domain.errors import Invalid
from appliance.domain.printing import Badge
from appliance.services import payments, show
from appliance.services.box import Unit
from appliance.services.views import OrderView, TicketView


def print_badges(unit: Unit, order_id: str, staff: str) -> int:
    """Queue a badge for every ticket of an order that still stands; return how many. ``Invalid`` where there is none."""
    order = show.order_view(unit, order_id)
    tickets = _good(order)
    if order.status not in {"confirmed", "cancel_pending"} or not tickets:
        msg = "Nothing of this order is good for a badge."
        raise Invalid(msg, field="order")
    for each in tickets:
        _print(unit, order, each)
    unit.audit(staff, "badges", order_id, f"{len(tickets)}")
    return len(tickets)


def on_admitted(unit: Unit, ticket: TicketView, order_id: str) -> None:
    """Queue the badge of somebody who came in, where their session has badges."""
    if ticket.at.badges:
        _print(unit, show.order_view(unit, order_id), ticket)


def _print(unit: Unit, order: OrderView, ticket: TicketView) -> None:
    # An order has one name, and its first ticket is whoever gave it; of the company it brings nobody knows.
    first = next(iter(_good(order)), None)
    name = order.name if first is not None and first.id == ticket.id else ""
    unit.print("badge", Badge(payments.printed(ticket), name))


def _good(order: OrderView) -> tuple[TicketView, ...]:
    return tuple(each for each in order.standing if not each.voided and not each.at.cancelled)
