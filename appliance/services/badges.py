"""Name badges of guests, printed at the door: by themselves where a session wants them, or on a tap; with a photo where there is one."""

from __future__ import annotations

from appliance.domain.errors import Invalid
from appliance.domain.people import clean
from appliance.domain.printing import Badge, decode
from appliance.services import payments, photos, show
from appliance.services.box import Unit
from appliance.services.views import OrderView, TicketView
from appliance.store import jobs

_NONE = "Nothing of this order is good for a badge."


def print_badges(unit: Unit, order_id: str, staff: str) -> int:
    """Queue a badge for every ticket of an order that still stands; return how many. ``Invalid`` where there is none."""
    order, tickets = _worthy(unit, order_id)
    for each in tickets:
        _print(unit, each, _name(order, each), _printed_before(unit, each))
    unit.audit(staff, "badges", order_id, f"{len(tickets)}")
    return len(tickets)


def print_badge(unit: Unit, order_id: str, ticket_id: str, name: str, staff: str) -> int:
    """Queue the badge of one ticket with the name as typed and return the job; one printed before says REPRINT on the second.

    Raises ``Invalid`` where the ticket is not good for one.
    """
    _order, tickets = _worthy(unit, order_id)
    ticket = next((each for each in tickets if each.id == ticket_id), None)
    if ticket is None:
        raise Invalid(_NONE, field="ticket")
    unit.audit(staff, "badge", ticket_id)
    return _print(unit, ticket, clean(name, "name"), _printed_before(unit, ticket))


def on_admitted(unit: Unit, ticket: TicketView, order_id: str) -> None:
    """Queue the badge of somebody who came in, where their session has badges and they have none yet."""
    if ticket.at.badges and _printed_before(unit, ticket) is None:
        _print(unit, ticket, _name(show.order_view(unit, order_id), ticket))


def _worthy(unit: Unit, order_id: str) -> tuple[OrderView, tuple[TicketView, ...]]:
    order = show.order_view(unit, order_id)
    tickets = _good(order)
    if order.status not in {"confirmed", "cancel_pending"} or not tickets:
        raise Invalid(_NONE, field="order")
    return order, tickets


def _name(order: OrderView, ticket: TicketView) -> str:
    """An order has one name, and its first ticket is whoever gave it; of the company it brings nobody knows."""
    first = next(iter(_good(order)), None)
    return order.name if first is not None and first.id == ticket.id else ""


def _print(unit: Unit, ticket: TicketView, name: str, reprint_of: int | None = None) -> int:
    photo = photos.taken(unit, [ticket.id]).get(ticket.id, "")
    return unit.print("badge", Badge(payments.printed(ticket), name, photo), reprint_of)


def _printed_before(unit: Unit, ticket: TicketView) -> int | None:
    """The first badge of a ticket that is on paper, or comes or may be on it."""
    for row in jobs.with_text(unit.db, "badge", ticket.code):
        document = decode(row.document)
        if isinstance(document, Badge) and document.ticket.code == ticket.code:
            return int(row.id)
    return None


def _good(order: OrderView) -> tuple[TicketView, ...]:
    return tuple(each for each in order.standing if not each.voided and not each.at.cancelled)
