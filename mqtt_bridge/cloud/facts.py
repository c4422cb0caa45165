"""Orders and their tickets as devices tell them, sold and cancelled: rows that repeat nothing and contradict loudly.

Each fact may arrive before the one it is about (another device's outbox waits for its link), so nothing here demands order
across devices; ids make every fact idempotent.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from mqtt_bridge.cloud.accounts import needs
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.closed_epochs import hand_back, sealed, ticket_cancelled
from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.payments import adopt, count_money
from mqtt_bridge.cloud.records import (
    CheckIn,
    Device,
    Order,
    Parked,
    Payment,
    Refund,
    Request,
    RequestWish,
    Ticket,
    VerificationWord,
    Word,
)
from mqtt_bridge.cloud.scans import contradict_ticket
from mqtt_bridge.cloud.stand_ins import add_ticket, only_seen
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    DeviceClosed,
    OrderCancelled,
    OrderConfirmed,
    OrderPending,
    Sold,
    TicketsVoided,
)
from mqtt_bridge.protocol.receipts import order_known_by


def _order_rows(order: str) -> list[Need]:
    return [(Order, "id", order), (Ticket, "order_id", order)]


def needs_of_a_sale(_work: Work, body: Sold) -> Iterator[list[Need]]:
    """Return what to read before a sale is written down."""
    needs: list[Need] = [
        *_order_rows(body.order),
        (Payment, "order_id", body.order),
        (Request, "order_id", body.order),
        (Parked, "about", f"order:{body.order}"),
    ]
    for each in body.tickets:
        needs += [
            (Ticket, "id", each.ticket),
            (CheckIn, "ticket", each.ticket),
            (Payment, "order_id", order_known_by(each.ticket)),
            (Parked, "about", f"ticket:{each.ticket}"),
            (Parked, "about", f"order:{order_known_by(each.ticket)}"),
        ]
    yield needs


@applies(OrderConfirmed, needs_of_a_sale)
def _order_confirmed(at: Telling, body: OrderConfirmed) -> None:
    """A device sold; or it signed what was confirmed for it, of which a restored cloud may know only the request."""
    known = at.work.of(Order).get(body.order)
    if known is not None and known.issuer == at.device and known.status in {"pending", "refused"}:
        at.work.of(Order).change(known, status="confirmed")
        say(at, body.order, "confirmed")
        return
    record_sale(at, body)
    asked = next(iter(at.work.of(Request).where("order_id", body.order)), None)
    if asked is not None and asked.device == at.device and asked.state == "waiting":
        if at.work.of(RequestWish).get(body.order, "settled") is None:
            at.work.of(RequestWish).add(RequestWish(body.order, "settled", at.wall_ms))
        at.counts.waiting.update(each.quota for each in body.tickets)


def say(at: Telling, order: str, word: Word, detail: str = "", private: bytes | None = None) -> None:
    """Leave a word for the verifier, who alone changes what is verified."""
    at.work.of(VerificationWord).add(VerificationWord(order, word, detail, private, at.wall_ms, 0))


def record_sale(at: Telling, body: OrderConfirmed | OrderPending) -> None:
    """Write an order and its tickets down, sold by a device or confirmed here."""
    known = at.work.of(Order).get(body.order)
    if known is not None:
        if known.issuer != at.device:
            detail = f"sold by {known.issuer} and by {at.device}"
            contradict(at.work, "order-twice", body.order, detail, at.wall_ms, order=body.order)
        return
    paid_early = any(each.paid for each in at.work.of(Payment).where("order_id", body.order))
    at.work.of(Order).add(
        Order(
            id=body.order,
            code=body.code,
            issuer=at.device,
            status="confirmed" if isinstance(body, OrderConfirmed) else "pending",
            payment="paid" if body.payment == "paid" or paid_early else "promised",
            sold_by=body.sold_by if isinstance(body, OrderConfirmed) else "",
            confirmed_at_ms=body.confirmed_at_ms if isinstance(body, OrderConfirmed) else body.pending_at_ms,
        )
    )
    _add_tickets(at, body)
    adopt(at, body)
    count_money(at, body.order)


def _add_tickets(at: Telling, body: Sold) -> None:
    tickets = at.work.of(Ticket)
    for each in {ticket.ticket: ticket for ticket in body.tickets}.values():
        sold = tickets.get(each.ticket)
        if sold is not None and only_seen(at, sold, body.order):
            tickets.change(sold, order_id=body.order, quota=each.quota, epoch=each.epoch)
            continue
        if sold is not None:
            detail = f"in order {sold.order_id} and, by {at.device}, in order {body.order}"
            contradict_ticket(at, "ticket-twice", sold, detail)
            continue
        add_ticket(at, at.device, body.order, each)


@applies(DeviceClosed)
def _device_closed(at: Telling, body: DeviceClosed) -> None:
    """Nothing more can be sold of what it had, and no grant that was still under way can reach it any more."""
    if not sealed(at.work, at.device):
        at.alarm("sealed", at.device, "stopped for good, because it was sealed once; seal it here too")
        return
    for each in body.stock:
        at.counts.waiting |= hand_back(at.work, at.device, each)


@applies(CancelRequested, lambda _work, body: [_order_rows(body.order)])
def _cancel_requested(at: Telling, body: CancelRequested) -> None:
    if _set_status(at.work, body.order, {"confirmed", "pending", "refused"}, "cancel_pending"):
        say(at, body.order, "ended")


@applies(CancelRefused, lambda _work, body: [[*_order_rows(body.order), (Refund, "order_id", body.order)]])
def _cancel_refused(at: Telling, body: CancelRefused) -> None:
    _set_status(at.work, body.order, {"cancel_pending", "refused"}, "confirmed")


def _set_status(work: Work, order: str, old: Container[str], new: str) -> bool:
    """Move an order on; return whether it had been waiting to be verified."""
    known = work.of(Order).get(order)
    if known is not None and known.status in old:
        work.of(Order).change(known, status=new)
    return known is not None and known.status == "pending"


def _needs_of_a_void(_work: Work, body: TicketsVoided) -> Iterator[list[Need]]:
    yield [(Order, "id", body.order), *needs(body.order), *((Ticket, "id", each) for each in body.tickets)]


@applies(TicketsVoided, _needs_of_a_void)
def _tickets_voided(at: Telling, body: TicketsVoided) -> None:
    for each in body.tickets:
        ticket = at.work.of(Ticket).get(each)
        if ticket is not None and ticket.state == "valid":
            order = at.work.of(Order).get(ticket.order_id)
            if order is not None and sealed(at.work, order.issuer):
                _cancel_for_sealed(at, order, ticket)
            else:
                at.work.of(Ticket).change(ticket, state="voided")


def _cancel_for_sealed(at: Telling, order: Order, ticket: Ticket) -> None:
    """The door's word is all it takes, because nobody else counts for a sealed issuer; its place may be free again."""
    at.work.of(Ticket).change(ticket, state="cancelled")
    issuer, door = at.work.of(Device).get(order.issuer), at.work.of(Device).get(at.device)
    elsewhere = issuer is not None and door is not None and issuer.venue != door.venue
    at.counts.waiting |= ticket_cancelled(at.work, order.issuer, ticket, certain=elsewhere)
    if all(each.state == "cancelled" for each in at.work.of(Ticket).where("order_id", order.id)):
        at.work.of(Order).change(order, status="cancelled")


@applies(OrderCancelled, lambda _work, body: [[(Order, "id", body.order), *needs(body.order)]])
def _order_cancelled(at: Telling, body: OrderCancelled) -> None:
    tickets = at.work.of(Ticket)
    cancelled = set(body.tickets)
    known = at.work.of(Order).get(body.order)
    issuer = at.device if known is None else known.issuer
    for ticket in tickets.where("order_id", body.order):
        if ticket.id in cancelled:
            if ticket.check_in is not None:
                contradict_ticket(
                    at, "cancelled-and-admitted", ticket, f"{at.device} cancelled a ticket that was admitted"
                )
            if ticket.state != "cancelled":
                gone = tickets.change(ticket, state="cancelled")
                at.counts.waiting |= ticket_cancelled(at.work, issuer, gone, certain=False)
    order = at.work.of(Order).get(body.order)
    if order is not None and all(each.state == "cancelled" for each in tickets.where("order_id", body.order)):
        if order.status == "pending":
            say(at, body.order, "ended")
        at.work.of(Order).change(order, status="cancelled")
