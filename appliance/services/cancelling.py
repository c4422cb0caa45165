"""Cancelling: only the host door's word frees stock, because only it knows who has come in.

A ticket hosted here is voided and counted in one transaction. A ticket hosted elsewhere stays valid, and its stock sold,
until that door has voided it (``TicketsVoided``) or refused (``CancelRefused``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from appliance.domain.booking import next_order
from appliance.domain.errors import AlreadyAdmitted, Invalid, NotFound
from appliance.services import show, turns
from appliance.services.answering import answered_by_me, decides, hosted_here
from appliance.services.box import Unit
from appliance.services.foreign import order_values, settle, ticket_values
from appliance.services.selling import fact, sign_as_paid
from appliance.services.stock import counts
from appliance.services.views import OrderView
from appliance.store import allocations, orders, requests
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.messages import CancelRefused, CancelRequested, OrderCancelled, TicketsVoided


def order_of_code(unit: Unit, code: str) -> str:
    """Return the id of the one order this code finds; raises ``NotFound``."""
    normal = ids.normal_code(code)
    found = orders.by_code(unit.db, normal) if normal else []
    if len(found) != 1:
        msg = "No order has this code. Check the letters, or scan the ticket."
        raise NotFound(msg)
    return found[0]


def cancel(unit: Unit, order_id: str, by: str = "guest", *, unpaid: bool = False) -> OrderView:
    """Cancel an order; ``by`` is "guest", a badge, or what else decided it. ``unpaid``: only because nobody paid for it.

    Raises ``AlreadyAdmitted`` if somebody came in on it, ``Invalid`` if this device may not decide.
    An order that is over already, cancelled or refused, stays as it is.
    """
    row = _order_row(unit, order_id)
    if row.status in {"cancelled", "cancel_pending", "refused"}:
        return show.order_view(unit, order_id)
    tickets = [each for each in orders.tickets(unit.db, order_id) if not each.voided]
    if any(each.checked_in_by for each in tickets):
        msg = "A ticket of this order was already used at the door, so the order can no longer be cancelled."
        raise AlreadyAdmitted(msg)
    here = [each for each in tickets if decides(unit, each.event_session)]
    elsewhere = [each for each in tickets if not decides(unit, each.event_session)]
    if row.issuer == unit.identity.device:
        _cancel_own(unit, row, here, elsewhere, unpaid=unpaid)
    elif row.issuer in answered_by_me(unit):
        _cancel_for_sealed(unit, row, here, elsewhere, unpaid=unpaid)
    else:
        _void_for_issuer(unit, row, here, elsewhere)
    unit.audit(by, "cancel", order_id)
    return show.order_view(unit, order_id)


def cancel_own(unit: Unit, order_id: str) -> None:
    """Cancel a confirmed order of this device: at once what is hosted here, as a request to the doors what is not."""
    tickets = [each for each in orders.tickets(unit.db, order_id) if not each.voided]
    here = [each for each in tickets if decides(unit, each.event_session)]
    elsewhere = [each for each in tickets if each not in here]
    _cancel_own(unit, _order_row(unit, order_id), here, elsewhere, unpaid=False)


def turn_down(unit: Unit, order_id: str) -> bool:
    """Refuse a pending order for good: whoever answers for it gives its stock back by the rule of cancelling.

    Return whether it was pending. A door that answers for nothing only knows it from now on.
    """
    row = _order_row(unit, order_id)
    if row.status != "pending":
        return False
    orders.change(unit.db, order_id, status=next_order(row.status, "turn_down"))
    tickets = [each for each in orders.tickets(unit.db, order_id) if not each.voided]
    here = [each for each in tickets if decides(unit, each.event_session)]
    elsewhere = [each for each in tickets if each not in here]
    unpaid = row.payment != "paid"
    if row.issuer == unit.identity.device:
        _give_back(unit, row, here, elsewhere, unpaid=unpaid)
    elif row.issuer in answered_by_me(unit):
        _give_back_for_sealed(unit, row, here, elsewhere, unpaid=unpaid)
    return True


def _cancel_own(unit: Unit, row: Row[Any], here: list[Row[Any]], elsewhere: list[Row[Any]], *, unpaid: bool) -> None:
    status = next_order(row.status, "request_cancel" if elsewhere else "cancel")
    orders.change(unit.db, row.id, status=status)
    _give_back(unit, row, here, elsewhere, unpaid=unpaid)


def _give_back(unit: Unit, row: Row[Any], here: list[Row[Any]], elsewhere: list[Row[Any]], *, unpaid: bool) -> None:
    if here:
        void_and_count(unit, row.id, here)
    _ask_doors(unit, row.id, elsewhere, unpaid=unpaid)


def _ask_doors(unit: Unit, order_id: str, elsewhere: list[Row[Any]], *, unpaid: bool) -> None:
    if elsewhere:
        unit.emit(CancelRequested(order_id, tuple(fact(each) for each in elsewhere), unpaid=unpaid))


def _cancel_for_sealed(
    unit: Unit, row: Row[Any], here: list[Row[Any]], elsewhere: list[Row[Any]], *, unpaid: bool
) -> None:
    """Cancel what a sealed device sold: its totals are the cloud's to count, on our word as the door or another door's."""
    orders.change(unit.db, row.id, status=next_order(row.status, "request_cancel" if elsewhere else "cancel"))
    _give_back_for_sealed(unit, row, here, elsewhere, unpaid=unpaid)


def _give_back_for_sealed(
    unit: Unit, row: Row[Any], here: list[Row[Any]], elsewhere: list[Row[Any]], *, unpaid: bool
) -> None:
    if here:
        ticket_ids = tuple(each.id for each in here)
        orders.change_tickets(unit.db, ticket_ids, voided=True)
        unit.emit(TicketsVoided(order=row.id, tickets=ticket_ids))
    _ask_doors(unit, row.id, elsewhere, unpaid=unpaid)


def _void_for_issuer(unit: Unit, row: Row[Any], here: list[Row[Any]], elsewhere: list[Row[Any]]) -> None:
    """Void at this door what another device sold; that device counts it when it hears of it."""
    if elsewhere or not here:
        msg = "This order was sold at another venue and can only be cancelled there."
        raise Invalid(msg, field="order")
    orders.change(unit.db, row.id, status=next_order(row.status, "request_cancel"))
    ticket_ids = tuple(each.id for each in here)
    orders.change_tickets(unit.db, ticket_ids, voided=True)
    unit.emit(TicketsVoided(order=row.id, tickets=ticket_ids))


def void_and_count(unit: Unit, order_id: str, tickets: list[Row[Any]]) -> None:
    """Void tickets of our own and count each one cancelled, once, in the epoch it was sold in."""
    fresh = [each for each in tickets if not each.counted_cancelled]
    ticket_ids = tuple(each.id for each in tickets)
    orders.change_tickets(unit.db, ticket_ids, voided=True, counted_cancelled=True)
    for each in fresh:
        allocations.change(unit.db, each.quota, each.epoch, lambda shelf: shelf.cancel(1))
    if fresh:
        stock = counts(unit, ((each.quota, each.epoch) for each in fresh))
        unit.emit(OrderCancelled(order=order_id, tickets=tuple(each.id for each in fresh), stock=stock))
        unit.at_end(turns.serve)


def on_cancel_requested(unit: Unit, message: CancelRequested, origin: str) -> None:
    """As a door: refuse if anybody of these came in, else void them for good, also those never heard of before.

    What its issuer gives back as unpaid is refused too where it is paid here: the money was taken while they heard nothing of us.
    """
    hosted = [each for each in message.tickets if hosted_here(unit, each.event_session)]
    rows = {each.ticket: orders.find_ticket(unit.db, each.ticket) for each in hosted}
    # Only the device that sold a ticket may ask to void it.
    mine = [each for each in hosted if (row := rows[each.ticket]) is None or row.issuer == origin]
    admitted = tuple(each.ticket for each in mine if (row := rows[each.ticket]) is not None and row.checked_in_by)
    if not mine:
        return
    kept = admitted or (_paid_here(unit, [rows[each.ticket] for each in mine]) if message.unpaid else ())
    if kept:
        unit.emit(CancelRefused(order=message.order, tickets=kept))
        return
    unknown = [each for each in mine if rows[each.ticket] is None]
    if unknown:
        _add_unknown(unit, message.order, unknown, origin)
    ticket_ids = tuple(each.ticket for each in mine)
    orders.change_tickets(unit.db, ticket_ids, voided=True)
    for order_id in orders.orders_of_tickets(unit.db, ticket_ids):
        row = _order_row(unit, order_id)
        if row.status in {"confirmed", "pending"}:
            orders.change(unit.db, order_id, status=next_order(row.status, "request_cancel"))
    unit.emit(TicketsVoided(order=message.order, tickets=ticket_ids))


def _paid_here(unit: Unit, rows: Iterable[Row[Any] | None]) -> tuple[str, ...]:
    """Return which of these tickets are of a paid order, as far as this door knows."""
    known = [row for row in rows if row is not None and not row.voided]
    return tuple(row.id for row in known if _order_row(unit, row.order).payment == "paid")


def _add_unknown(unit: Unit, order_id: str, facts: list[Any], origin: str) -> None:
    """Write tickets down that were cancelled before this door heard of their sale, so that a scan says cancelled."""
    if orders.find(unit.db, order_id) is None:
        total_minor = sum(each.price_minor for each in facts)
        currency = facts[0].currency
        values = order_values(unit, order_id, origin, total_minor=total_minor, currency=currency)
        orders.add(unit.db, values | {"code": facts[0].code, "status": "cancel_pending"}, [])
    for each in facts:
        orders.add_ticket(unit.db, ticket_values(order_id, origin, each))


def on_voided(unit: Unit, message: TicketsVoided) -> None:
    """As the issuer: the door voided tickets of ours, so now they count as cancelled."""
    for order_id in orders.orders_of_tickets(unit.db, message.tickets):
        row = _order_row(unit, order_id)
        if row.issuer != unit.identity.device:
            continue
        theirs = [each for each in orders.tickets(unit.db, order_id) if each.id in message.tickets]
        void_and_count(unit, order_id, theirs)
        if all(each.voided for each in orders.tickets(unit.db, order_id)):
            orders.change(unit.db, order_id, status=next_order(row.status, "void"))
            requests.close(unit.db, order_id)
        settle_rest(unit, order_id)


def on_refused(unit: Unit, message: CancelRefused) -> None:
    """As the issuer: somebody had come in, or paid there, so the order stands."""
    for order_id in orders.orders_of_tickets(unit.db, message.tickets):
        row = _order_row(unit, order_id)
        orders.change(unit.db, order_id, status=next_order(row.status, "refuse"))
    orders.change_tickets(unit.db, message.tickets, replaced_by=None)


def on_order_cancelled(unit: Unit, message: OrderCancelled, origin: str) -> None:
    """As a door: the issuer counted these tickets cancelled; nobody comes in on them any more."""
    if origin != unit.identity.device:
        take_cancelled(unit, message, origin)


def take_cancelled(unit: Unit, message: OrderCancelled, origin: str) -> None:
    """Write down that the issuer counted these tickets of its own cancelled."""
    theirs = [row for row in (orders.find_ticket(unit.db, each) for each in message.tickets) if row is not None]
    ticket_ids = [row.id for row in theirs if row.issuer == origin]
    orders.change_tickets(unit.db, ticket_ids, voided=True, counted_cancelled=True)
    for order_id in orders.orders_of_tickets(unit.db, ticket_ids):
        if all(each.voided for each in orders.tickets(unit.db, order_id)):
            orders.change(unit.db, order_id, status="cancelled")
        settle_rest(unit, order_id)


def settle_rest(unit: Unit, order_id: str) -> None:
    """Part of an order is gone: what was paid may be enough for the rest."""
    if settle(unit, order_id):
        sign_as_paid(unit, order_id)


def _order_row(unit: Unit, order_id: str) -> Row[Any]:
    row = orders.find(unit.db, order_id)
    if row is None:
        msg = "This order does not exist."
        raise NotFound(msg)
    return row
