"""Taking money at the desk: cash, an external terminal, or giving the tickets away."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Row

from appliance.domain.errors import Invalid
from appliance.domain.printing import PrintedTicket, SalesReceipt
from appliance.services import shifts, show
from appliance.services.box import Unit
from appliance.services.foreign import settle
from appliance.services.selling import sign_as_paid
from appliance.services.views import OrderView, TicketView
from appliance.store import orders
from mqtt_bridge.protocol.messages import Method, PaymentTaken

METHODS: tuple[Method, ...] = ("cash", "terminal", "comp")


def take_payment(
    unit: Unit, order_id: str, staff: str, method: Method, amount_minor: int, *, paper: bool = True
) -> OrderView:
    """Take money for an order; when it is paid its receipts are signed again and, with ``paper``, the sales receipt is printed.

    ``comp`` gives away what is still due: the amount must be exactly that. Raises ``Invalid`` naming what does not fit.
    """
    view = show.order_view(unit, order_id)
    _check(view, method, amount_minor)
    payment = unit.secret()
    orders.add_payment(
        unit.db,
        {
            "id": payment,
            "order": order_id,
            "method": method,
            "amount_minor": amount_minor,
            "currency": view.currency,
            "staff": staff,
            "taken_at_ms": unit.now.wall_ms,
            "shift": shifts.shift_now(unit, staff),
        },
    )
    paid = settle(unit, order_id)
    if paid:
        sign_as_paid(unit, order_id)
    unit.emit(
        PaymentTaken(
            order=order_id,
            payment=payment,
            method=method,
            amount_minor=amount_minor,
            currency=view.currency,
            staff=staff,
            paid=paid,
            tickets=tuple(each.id for each in view.tickets),
        )
    )
    unit.audit(staff, "comp" if method == "comp" else "payment", order_id, f"{method} {amount_minor} {view.currency}")
    if paper:
        print_receipt(unit, order_id, staff, method)
    return show.order_view(unit, order_id)


def _check(view: OrderView, method: str, amount_minor: int) -> None:
    if method not in METHODS:
        msg = f"The method must be one of {', '.join(METHODS)}."
        raise Invalid(msg, field="method")
    if view.status == "requested":
        msg = "These tickets are only requested. Take money once the request is confirmed."
        raise Invalid(msg, field="order")
    if view.status == "pending":
        msg = "This order is not verified yet. Verify it here, or take money once it is confirmed."
        raise Invalid(msg, field="order")
    if view.status != "confirmed":
        msg = f"This order is {view.status.replace('_', ' ')}; nothing can be paid for it."
        raise Invalid(msg, field="order")
    if view.due_minor == 0:
        msg = "Nothing is due for this order: it is paid."
        raise Invalid(msg, field="amount")
    if not 0 < amount_minor <= view.due_minor or (method == "comp" and amount_minor != view.due_minor):
        msg = f"The amount must be {'exactly' if method == 'comp' else 'at most'} what is due."
        raise Invalid(msg, field="amount")


def print_receipt(unit: Unit, order_id: str, staff: str, method: str) -> None:
    """Queue the sales receipt of an order."""
    view = show.order_view(unit, order_id)
    venue = unit.catalogue.venue.get(unit.identity.venue)
    unit.print(
        "receipt",
        SalesReceipt(
            order_code=view.code,
            venue=venue.name if venue else unit.identity.venue,
            tickets=tuple(printed(each) for each in view.standing if not each.voided),
            total_minor=view.total_minor,
            paid_minor=view.paid_minor,
            currency=view.currency,
            method=method,
            staff=staff,
            at_ms=unit.now.wall_ms,
        ),
    )


def print_tickets(unit: Unit, order_id: str, staff: str) -> int:
    """Queue an order's tickets on paper for a guest who asks, paid or not; return how many. ``Invalid`` where none stands."""
    view = show.order_view(unit, order_id)
    good = [each for each in view.standing if not each.voided and not each.at.cancelled]
    if view.status not in {"confirmed", "cancel_pending"} or not good:
        raise Invalid("Nothing of this order can be printed.", field="order")
    print_receipt(unit, order_id, staff, "")
    unit.audit(staff, "tickets_printed", order_id)
    return len(good)


def printed(ticket: TicketView) -> PrintedTicket:
    """Return what paper says of a ticket."""
    return PrintedTicket(
        event=ticket.event.title,
        starts_at_ms=ticket.at.starts_at_ms,
        timezone=ticket.at.timezone,
        venue=ticket.venue.name,
        ticket_type=ticket.type.name,
        code=ticket.code,
        receipt=ticket.receipt,
        price_minor=ticket.price_minor,
        currency=ticket.type.currency,
    )


def on_payment_taken(unit: Unit, message: PaymentTaken) -> None:
    """Another device took money for an order we know: count the payment once, and sign our receipts again when paid."""
    order_id = _find(unit, message)
    if order_id is None:
        return
    values: dict[str, Any] = {
        "id": message.payment,
        "order": order_id,
        "method": message.method,
        "amount_minor": message.amount_minor,
        "currency": message.currency,
        "staff": message.staff,
        "taken_at_ms": unit.now.wall_ms,
    }
    orders.add_payment(unit.db, values)
    if settle(unit, order_id):
        sign_as_paid(unit, order_id)


def _find(unit: Unit, message: PaymentTaken) -> str | None:
    """Return our name of the paid order; a door that knew only a receipt names it by its tickets."""
    row: Row[Any] | None = orders.find(unit.db, message.order)
    if row is not None:
        return str(row.id)
    return next(iter(orders.orders_of_tickets(unit.db, message.tickets)), None)
