"""What follows when doors have spoken about tickets that an operator withdrew or rebooked, and desks about money."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Literal

from mqtt_bridge.cloud.accounts import account
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.concerned import owe, tell
from mqtt_bridge.cloud.records import Contradiction, Order, Payment, Refund, Ticket, Verification
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    Channel,
    OrderCancelled,
    OrderConfirmed,
    OrderPending,
    PaymentTaken,
    RefundPaid,
    Sold,
    TicketFact,
    TicketsVoided,
    TicketsWithdrawn,
    Verify,
)

# What is no contradiction any more once its tickets are cancelled.
SOLVED_BY_CANCELLING = frozenset({"oversold", "session-cancelled", "session-moved"})


def follow(work: Work, body: object, wall_ms: int) -> None:
    """Do what follows from a message that was applied just now."""
    if isinstance(body, (TicketsVoided, OrderCancelled)):
        voided(work, body.order, body.tickets)
    if isinstance(body, OrderCancelled):
        nothing_left(work, body.order, wall_ms)
    elif isinstance(body, CancelRefused):
        refused(work, body.order, body.tickets)
    if isinstance(body, (TicketsVoided, OrderCancelled, PaymentTaken, RefundPaid, OrderConfirmed, OrderPending)):
        settled(work, body.order, wall_ms)


def voided(work: Work, order_id: str, tickets: Iterable[str]) -> None:
    """Their door will not admit these tickets: what was to be paid back for them is owed from now on."""
    order = work.of(Order).get(order_id)
    known = {each.ticket: each for each in work.of(Refund).where("order_id", order_id)}
    due = [known[each] for each in tickets if each in known and not known[each].owed]
    for each in due:
        work.of(Refund).change(each, owed=True)
    if order is not None and any(each.amount_minor for each in due):
        owe(work, order, "voided")


def nothing_left(work: Work, order_id: str, wall_ms: int) -> None:
    """Entries whose tickets all were cancelled meanwhile, by their guest for example, leave the list: nothing is to be decided."""
    gone = {each.id for each in work.of(Ticket).where("order_id", order_id) if each.state == "cancelled"}
    for row in work.of(Contradiction).where("order_id", order_id):
        named = set(json.loads(row.tickets))
        if row.state == "open" and row.kind in SOLVED_BY_CANCELLING and named and named <= gone:
            _dismiss(work, row, "its tickets were cancelled meanwhile", "their issuer", wall_ms)


def settled(work: Work, order_id: str, wall_ms: int) -> None:
    """Entries about money leave the list once the surplus was paid back at a desk, or what went back turns out to be owed."""
    if all(each.amount_minor > 0 for each in work.of(Payment).where("order_id", order_id)):
        return
    found = account(work, order_id)
    over = {
        "paid-twice": "the surplus was paid back" if not found.due_minor else "",
        "paid-back-twice": "so much is owed, as was told later" if found.paid_back_minor <= found.owed_minor else "",
    }
    for row in work.of(Contradiction).where("order_id", order_id):
        if row.state == "open" and over.get(row.kind):
            _dismiss(work, row, over[row.kind], "the desks", wall_ms)


def _dismiss(work: Work, row: Contradiction, outcome: str, who: str, wall_ms: int) -> None:
    decided = {"decided_by": who, "decided_at_ms": wall_ms}
    work.of(Contradiction).change(row, state="dismissed", outcome=outcome, **decided)


def refused(work: Work, order_id: str, tickets: Iterable[str]) -> None:
    """Somebody had come in on these: no money goes back for them, and new tickets that should replace them are withdrawn."""
    order = work.of(Order).get(order_id)
    if order is None:
        return
    refunds = work.of(Refund)
    refunds.fetch("order_id", [order_id])
    new = []
    for each in tickets:
        refund, ticket = refunds.get(each), work.of(Ticket).get(each)
        if refund is not None and not refund.owed:
            refunds.remove(refund)
        if ticket is not None and ticket.replaced_by is not None:
            replacement = work.of(Ticket).get(ticket.replaced_by)
            work.of(Ticket).change(ticket, replaced_by=None)
            if replacement is not None and replacement.state == "valid":
                new.append(replacement)
    if new:
        facts = tuple(fact_of(each) for each in new)
        body = TicketsWithdrawn(order.id, order.code, order.issuer, payment_of(order), facts, "admitted-twice")
        # Whoever was told of the rebooking hears that it did not come about.
        tell(work, order, {each.event_session for each in work.of(Ticket).where("order_id", order.id)}, body)


def sold(work: Work, catalogue: Catalogue, device: str, body: Sold, wall_ms: int) -> None:
    """A sale told late, made before its device knew that the date was cancelled, is listed like those known before."""
    late: dict[str, list[str]] = {}
    for each in body.tickets:
        found = catalogue.event_session.get(each.event_session)
        if found is not None and found.at.cancelled:
            late.setdefault(each.event_session, []).append(each.ticket)
    for session, tickets in late.items():
        detail = sold_words(len(tickets), device, "the date was cancelled before this was told")
        where = {"order": body.order, "event_session": session}
        subject = f"{session} {body.order}"
        if work.of(Contradiction).get("session-cancelled", subject) is None:
            contradict(work, "session-cancelled", subject, detail, wall_ms, tickets=tickets, **where)


def sold_words(number: int, issuer: str, why: str) -> str:
    """Say of a booking why it is listed."""
    return f"{number} ticket{'' if number == 1 else 's'}, sold by {issuer}: {why}."


def payment_of(order: Order) -> Literal["paid", "promised"]:
    """Whether an order is paid, as messages say it."""
    return "paid" if order.payment == "paid" else "promised"


def sale_of(work: Work, order: Order, tickets: tuple[TicketFact, ...]) -> OrderConfirmed | OrderPending:
    """Tell a sale again as it stands: what is not verified, or was refused and still waits for its doors, admits nobody."""
    paid = payment_of(order)
    if order.status not in {"pending", "refused"}:
        return OrderConfirmed(order.id, order.code, paid, tickets, (), order.confirmed_at_ms, order.sold_by)
    known = work.of(Verification).get(order.id)
    verify: Verify = "member" if known is not None and known.verify == "member" else "contact"
    channel: Channel = "sms" if known is not None and known.channel == "sms" else "mail"
    return OrderPending(order.id, order.code, paid, tickets, (), order.confirmed_at_ms, verify, channel)


def fact_of(ticket: Ticket) -> TicketFact:
    """What a message says of a ticket."""
    return TicketFact(
        ticket=ticket.id,
        code=ticket.code,
        ticket_type=ticket.ticket_type,
        event_session=ticket.event_session,
        quota=ticket.quota,
        epoch=ticket.epoch,
        price_minor=ticket.price_minor,
        currency=ticket.currency,
    )
