"""Cancelling: only the host door's word frees stock, because only it knows who has come in.

A ticket hosted here is voided and counted in one transaction. A ticket hosted elsewhere stays valid, and its stock sold,
until that door has voided it (``TicketsVoided``) or refused (``CancelRefused``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import Row

from appliance.domain.booking import next_order
from appliance.domain.errors import AlreadyAdmitted, Invalid, NotFound
from appliance.services import show, turns
from appliance.services.answering import answers_for, decides, hosted_here
from appliance.services.box import Unit
from appliance.services.foreign import order_values, settle, ticket_values
from appliance.services.rows import order_row
from appliance.services.selling import fact, sign_as_paid
from appliance.services.stock import counts
from appliance.services.views import OrderView
from appliance.store import allocations, orders, requests
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.messages import CancelRefused, CancelRequested, OrderCancelled, TicketsVoided


class Standing(NamedTuple):
    """An order with its tickets that are not voided: those whose door this device is, and those of doors elsewhere."""

    row: Row[Any]
    here: list[Row[Any]]
    elsewhere: list[Row[Any]]


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
    standing = _standing(unit, order_id)
    if standing.row.status in {"cancelled", "cancel_pending", "refused"}:
        return show.order_view(unit, order_id)
    if any(each.checked_in_by for each in (*standing.here, *standing.elsewhere)):
        msg = "A ticket of this order was already used at the door, so the order can no longer be cancelled."
        raise AlreadyAdmitted(msg)
    if answers_for(unit, standing.row.issuer):
        _cancel(unit, standing, unpaid=unpaid)
    else:
        _cancel_at_door(unit, standing)
    unit.audit(by, "cancel", order_id)
    return show.order_view(unit, order_id)


def cancel_own(unit: Unit, order_id: str) -> None:
    """Cancel a confirmed order of this device: at once what is hosted here, as a request to the doors what is not."""
    _cancel(unit, _standing(unit, order_id), unpaid=False)


def turn_down(unit: Unit, order_id: str) -> bool:
    """Refuse a pending order for good: whoever answers for it gives its stock back by the rule of cancelling.

    Return whether it was pending. A door that answers for nothing only knows it from now on.
    """
    standing = _standing(unit, order_id)
    row = standing.row
    if row.status != "pending":
        return False
    orders.change(unit.db, order_id, status=next_order(row.status, "turn_down"))
    if answers_for(unit, row.issuer):
        _give_back(unit, standing, unpaid=row.payment != "paid")
    return True


def _standing(unit: Unit, order_id: str) -> Standing:
    row = order_row(unit, order_id)
    tickets = [each for each in orders.tickets(unit.db, order_id) if not each.voided]
    here = [each for each in tickets if decides(unit, each.event_session)]
    return Standing(row, here, [each for each in tickets if each not in here])


def _cancel(unit: Unit, standing: Standing, *, unpaid: bool) -> None:
    row, event = standing.row, "request_cancel" if standing.elsewhere else "cancel"
    orders.change(unit.db, row.id, status=next_order(row.status, event))
    _give_back(unit, standing, unpaid=unpaid)


def _give_back(unit: Unit, standing: Standing, *, unpaid: bool) -> None:
    """Void what is hosted here and ask the doors for the rest; the totals of a sealed device are the cloud's to count."""
    row, here, elsewhere = standing
    if here and row.issuer == unit.identity.device:
        void_and_count(unit, row.id, here)
    elif here:
        void_for_issuer(unit, row.id, tuple(each.id for each in here))
    if elsewhere:
        unit.emit(CancelRequested(row.id, tuple(fact(each) for each in elsewhere), unpaid=unpaid))


def _cancel_at_door(unit: Unit, standing: Standing) -> None:
    """Void at this door what another device sold; that device counts it when it hears of it."""
    row, here, elsewhere = standing
    if elsewhere or not here:
        msg = "This order was sold at another venue and can only be cancelled there."
        raise Invalid(msg, field="order")
    orders.change(unit.db, row.id, status=next_order(row.status, "request_cancel"))
    void_for_issuer(unit, row.id, tuple(each.id for each in here))


def void_for_issuer(unit: Unit, order_id: str, ticket_ids: tuple[str, ...]) -> None:
    """As their door, void tickets that another device sold, and tell who counts them."""
    orders.change_tickets(unit.db, ticket_ids, voided=True)
    unit.emit(TicketsVoided(order=order_id, tickets=ticket_ids))


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
    for order_id in orders.orders_of_tickets(unit.db, ticket_ids):
        row = order_row(unit, order_id)
        if row.status in {"confirmed", "pending"}:
            orders.change(unit.db, order_id, status=next_order(row.status, "request_cancel"))
    void_for_issuer(unit, message.order, ticket_ids)


def _paid_here(unit: Unit, rows: Iterable[Row[Any] | None]) -> tuple[str, ...]:
    """Return which of these tickets are of a paid order, as far as this door knows."""
    known = [row for row in rows if row is not None and not row.voided]
    return tuple(row.id for row in known if order_row(unit, row.order).payment == "paid")


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
        row = order_row(unit, order_id)
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
        row = order_row(unit, order_id)
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
