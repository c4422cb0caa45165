"""Tickets known by their receipt alone: each has a stand-in for its order, until its issuer tells of the sale."""

from __future__ import annotations

import msgspec

from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.closed_epochs import ticket_known
from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import Contradiction, Key, Life, Order, Payment, Refund, Ticket
from mqtt_bridge.cloud.routing import Fact
from mqtt_bridge.cloud.scans import presence
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.messages import DeviceKey, ReceiptSeen, TicketFact
from mqtt_bridge.protocol.receipts import RECEIPT_ONLY, fact_of, inc_hash, order_known_by


def named(work: Work, body: Fact) -> Fact:
    """Return a fact under its order's own name, where a door that knew a receipt alone gave it another."""
    order = getattr(body, "order", "")
    if not order.startswith(RECEIPT_ONLY):
        return body
    ticket = work.of(Ticket).get(order.removeprefix(RECEIPT_ONLY))
    return body if ticket is None else msgspec.structs.replace(body, order=ticket.order_id)


@applies(ReceiptSeen)
def _receipt_seen(at: Telling, body: ReceiptSeen) -> None:
    """A ticket of a sale that was never told: its issuer signed it, so it was sold, whether or not its card still lives."""
    reading = receipts.read(body.receipt)
    claims = reading.claims
    if at.work.of(Ticket).get(claims.ticket) is not None:
        return
    key = at.work.of(Key).get(reading.kid)
    reading.verify(None if key is None else _as_told(key))
    life = next((x for x in at.work.of(Life).where("device", claims.issuer) if inc_hash(x.inc) == claims.inc), None)
    known = Catalogues().of(at.work).ticket_type.get(claims.ticket_type)
    if life is None or known is None:
        at.alarm(
            "strange-receipt", claims.ticket, f"genuine, but of a life or a ticket type of {claims.issuer} unknown here"
        )
        return
    order = Order(
        id=order_known_by(claims.ticket),
        code=claims.code,
        issuer=claims.issuer,
        status="pending" if claims.pending else "confirmed",
        payment="paid" if claims.paid else "promised",
        sold_by="",
        confirmed_at_ms=1000 * (claims.issued_at_s or 0),
    )
    at.work.of(Order).add(order)
    add_ticket(at, claims.issuer, order.id, fact_of(claims, known.kind.quota))


def add_ticket(at: Telling, issuer: str, order: str, told: TicketFact) -> None:
    """Write a ticket down that is heard of for the first time, with where its guest is by the scans that came before it."""
    inside, outside = presence(at.work, told.ticket)
    ticket = Ticket(
        id=told.ticket,
        order_id=order,
        code=told.code,
        ticket_type=told.ticket_type,
        event_session=told.event_session,
        quota=told.quota,
        epoch=told.epoch,
        price_minor=told.price_minor,
        currency=told.currency,
        state="valid",
        check_in=inside,
        exit=outside,
    )
    at.work.of(Ticket).add(ticket)
    at.counts.waiting |= ticket_known(at.work, issuer, ticket)


def _as_told(key: Key) -> DeviceKey:
    return DeviceKey(device=key.device, venue="", door=False, kid=key.kid, public=key.public, revoked=key.revoked)


def only_seen(at: Telling, ticket: Ticket, order: str) -> bool:
    """Whether a ticket was known by its receipt alone, and this is its issuer's own word of it: then its stand-in goes.

    What was paid, owed and listed for it is the ``order``'s from now on.
    """
    stand_in = at.work.of(Order).get(ticket.order_id)
    if stand_in is None or stand_in.id != order_known_by(ticket.id) or stand_in.issuer != at.device:
        return False
    at.work.of(Order).remove(stand_in)
    known = at.work.of(Order).get(order)
    if known is not None and stand_in.payment == "paid" and not at.work.of(Payment).where("order_id", stand_in.id):
        at.work.of(Order).change(known, payment="paid")  # as its issuer signed
    for refund in at.work.of(Refund).where("order_id", stand_in.id):
        at.work.of(Refund).change(refund, order_id=order)
    for listed in at.work.of(Contradiction).where("order_id", stand_in.id):
        at.work.of(Contradiction).change(listed, order_id=order)
    return True
