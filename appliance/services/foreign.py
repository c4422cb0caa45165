"""Orders that other devices sold: from their messages, or from a receipt that arrived before its message did."""

from __future__ import annotations

from typing import Any

from appliance.domain.booking import next_order, next_payment, total_of
from appliance.services import clients
from appliance.services.answering import answered_by_me
from appliance.services.box import Unit
from appliance.services.selling import sign_anew
from appliance.store import orders, verifications
from mqtt_bridge.protocol.messages import (
    OrderConfirmed,
    OrderPending,
    OrderRequested,
    Private,
    RequestWithdrawn,
    Sold,
    TicketFact,
)
from mqtt_bridge.protocol.receipts import RECEIPT_ONLY, TicketClaims, fact_of, order_known_by

# What a sale puts right; whatever else is known of an order was said after it.
OVERTAKEN = frozenset({"requested", "pending", "refused"})


def order_values(unit: Unit, order_id: str, issuer: str, *, total_minor: int, currency: str) -> dict[str, Any]:
    """Return the row of an order sold elsewhere, promised and confirmed unless changed."""
    return {
        "id": order_id,
        "hold": None,
        "code": "",
        "client": clients.of_no_phone("order", order_id),
        "issuer": issuer,
        "status": "confirmed",
        "payment": "promised",
        "total_minor": total_minor,
        "currency": currency,
        "name": "",
        "contact": "",
        "sold_by": "",
        "created_at_ms": unit.now.wall_ms,
    }


def ticket_values(order_id: str, issuer: str, fact: TicketFact, receipt: str = "") -> dict[str, Any]:
    """Return the row of a ticket sold elsewhere."""
    return {
        "id": fact.ticket,
        "order": order_id,
        "code": fact.code,
        "ticket_type": fact.ticket_type,
        "event_session": fact.event_session,
        "quota": fact.quota,
        "epoch": fact.epoch,
        "issuer": issuer,
        "price_minor": fact.price_minor,
        "currency": fact.currency,
        "receipt": receipt,
        "voided": False,
        "counted_cancelled": False,
        "checked_in_by": None,
        "replaced_by": None,
        "left_by": None,
    }


def on_order_confirmed(unit: Unit, message: OrderConfirmed, origin: str, private: Private | None) -> None:
    """Keep an order of another device; tickets known from a receipt or a cancel move into it.

    Orders of a sealed device that we answer for get receipts of our own, for reprints.
    """
    if origin == unit.identity.device:
        return
    take_order(unit, message, origin, private)
    if origin in answered_by_me(unit):
        sign_anew(unit, message.order)


def on_order_pending(unit: Unit, message: OrderPending, origin: str, private: Private | None) -> None:
    """Know what another device sold and what is not verified yet, so that a scan says so."""
    if origin == unit.identity.device:
        return
    take_pending(unit, message, origin, private)
    if origin in answered_by_me(unit):
        sign_anew(unit, message.order)


def take_order(unit: Unit, message: OrderConfirmed, origin: str, private: Private | None) -> None:
    """Write an order down that was sold elsewhere, or here before this database was made."""
    more = {"sold_by": message.sold_by, "created_at_ms": message.confirmed_at_ms}
    _take_order(unit, message, origin, private, more)


def take_pending(unit: Unit, message: OrderPending, origin: str, private: Private | None) -> None:
    """Write a pre-enrolment down that was sold elsewhere, or here before this database was made."""
    more = {"status": "pending", "created_at_ms": message.pending_at_ms}
    _take_order(unit, message, origin, private, more)
    if verifications.find(unit.db, message.order) is None:
        values = {"verify": message.verify, "channel": message.channel, "member": private.member if private else ""}
        verifications.add(unit.db, message.order, **values)


def _take_order(unit: Unit, message: Sold, origin: str, private: Private | None, more: dict[str, Any]) -> None:
    values = told_values(unit, message, origin, private) | more
    before = orders.find(unit.db, message.order)
    if before is None:
        orders.add(unit.db, values, [])
    else:  # known from what overtook the sale: its status stays, and that it was paid
        if before.status not in OVERTAKEN:
            del values["status"]
        if before.payment == "paid":  # its issuer wrote this before it heard of the money
            del values["payment"]
        del values["id"]
        if private is None:  # told again by the cloud, which keeps no names
            del values["name"], values["contact"]
        orders.change(unit.db, message.order, **values)
    for fact in message.tickets:
        _take_in(unit, message.order, origin, fact)
    settle(unit, message.order)


def on_order_requested(unit: Unit, message: OrderRequested, origin: str, private: Private | None) -> None:
    """Know what was only asked for at another device, so that a scan says so."""
    if origin == unit.identity.device or orders.find(unit.db, message.order) is not None:
        return
    values = {"status": "requested", "created_at_ms": message.requested_at_ms}
    orders.add(unit.db, told_values(unit, message, origin, private) | values, [])
    for fact in message.tickets:
        if orders.find_ticket(unit.db, fact.ticket) is None:
            orders.add_ticket(unit.db, ticket_values(message.order, origin, fact))


def on_request_withdrawn(unit: Unit, message: RequestWithdrawn, origin: str) -> None:
    """The guest of another device took a request back."""
    row = orders.find(unit.db, message.order)
    if row is not None and row.issuer == origin and row.status == "requested":
        orders.change(unit.db, row.id, status=next_order(row.status, "withdraw"))


def told_values(unit: Unit, message: Sold | OrderRequested, origin: str, private: Private | None) -> dict[str, Any]:
    """Return the row of an order as a message tells it."""
    total_minor = sum(each.price_minor for each in message.tickets)
    currency = message.tickets[0].currency if message.tickets else ""
    return order_values(unit, message.order, origin, total_minor=total_minor, currency=currency) | {
        "code": message.code,
        "payment": message.payment,
        "name": private.name if private else "",
        "contact": private.contact if private else "",
    }


def _take_in(unit: Unit, order_id: str, origin: str, fact: TicketFact) -> None:
    known = orders.find_ticket(unit.db, fact.ticket)
    if known is None:
        orders.add_ticket(unit.db, ticket_values(order_id, origin, fact))
        return
    provisional = known.order
    orders.change_tickets(unit.db, [fact.ticket], order=order_id, quota=fact.quota, epoch=fact.epoch)
    if provisional == order_id or not provisional.startswith(RECEIPT_ONLY):
        return
    signed_as_paid = _paid_by_signature(unit, provisional)
    stand_in = orders.find(unit.db, provisional)
    if stand_in is not None and stand_in.status == "confirmed":
        verified(unit, order_id)
    orders.move_payments(unit.db, provisional, order_id)
    orders.drop(unit.db, provisional)
    if signed_as_paid:
        settle_by_receipt(unit, order_id)
    settle(unit, order_id)


def _paid_by_signature(unit: Unit, provisional: str) -> bool:
    """Tell a receipt that said paid, which speaks for its whole order, from money taken here for one ticket of it."""
    row = orders.find(unit.db, provisional)
    return row is not None and row.payment == "paid" and orders.paid_minor(unit.db, provisional) == 0


def from_receipt(unit: Unit, claims: TicketClaims, receipt: str) -> None:
    """Write down a ticket that a valid receipt proves; its order is known in full when its message arrives."""
    order_id = order_known_by(claims.ticket)
    known = unit.catalogue.ticket_type.get(claims.ticket_type)
    fact = fact_of(claims, known[2].quota if known else "")
    values = order_values(unit, order_id, claims.issuer, total_minor=claims.price_minor, currency=claims.currency) | {
        "code": claims.code,
        "payment": "paid" if claims.paid else "promised",
        "status": "pending" if claims.pending else "confirmed",
    }
    orders.add(unit.db, values, [ticket_values(order_id, claims.issuer, fact, receipt)])


def verified(unit: Unit, order_id: str) -> bool:
    """Let a pending order admit: somebody who may say so said that it is verified. Return whether it was pending."""
    row = orders.find(unit.db, order_id)
    if row is None or row.status != "pending":
        return False
    orders.change(unit.db, order_id, status=next_order(row.status, "verify"))
    return True


def settle(unit: Unit, order_id: str) -> bool:
    """Mark an order paid once its payments reach its total, or staff gave it away; return whether it is paid."""
    row = orders.find(unit.db, order_id)
    if row is None:
        return False
    total_minor = total_of(row.total_minor, orders.tickets(unit.db, order_id))
    enough = bool(orders.paid_minor(unit.db, order_id) >= total_minor)
    if row.payment == "promised" and enough:
        orders.change(unit.db, order_id, payment=next_payment(row.payment, "settle"))
    return enough or bool(row.payment == "paid")


def settle_by_receipt(unit: Unit, order_id: str) -> None:
    """The issuer signed that the order is paid, and its message has not arrived: believe the signature."""
    row = orders.find(unit.db, order_id)
    if row is not None and row.payment == "promised":
        orders.change(unit.db, order_id, payment=next_payment(row.payment, "settle"))
