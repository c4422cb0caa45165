"""Orders, tickets, payments and check-ins as devices tell them: rows that repeat nothing and contradict loudly.

Each fact may arrive before the one it is about (another device's outbox waits for its link), so nothing here demands order
across devices; ids make every fact idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator

import msgspec

from mqtt_bridge.cloud.accounts import account, needs
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.closed_epochs import hand_back, sealed, ticket_cancelled, ticket_known
from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import (
    CheckIn,
    Contradiction,
    Device,
    Key,
    Life,
    Order,
    Parked,
    Payment,
    Refund,
    Request,
    RequestWish,
    Ticket,
    VerificationWord,
)
from mqtt_bridge.cloud.routing import Fact, Sale
from mqtt_bridge.cloud.scans import contradict_ticket, presence
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    CheckedIn,
    CheckInUndone,
    DeviceClosed,
    DeviceKey,
    Exited,
    OrderCancelled,
    OrderConfirmed,
    OrderPending,
    OrderRefused,
    OrderRequested,
    PaymentTaken,
    ReceiptSeen,
    RefundPaid,
    RequestWithdrawn,
    Sold,
    TicketsVoided,
)
from mqtt_bridge.protocol.receipts import inc_hash

# An order known only from a signed receipt is named after its ticket until its issuer tells; doors do the same.
RECEIPT_ONLY = "receipt-"


def sale_of(work: Work, body: Fact, origin: str, venue_of: Callable[[str], str | None]) -> Sale | None:
    """Return who issued the tickets of a fact and which venues host them, None while the sale is unknown."""
    if isinstance(body, (Sold, CancelRequested, OrderRequested)):
        return Sale(origin, _venues([each.event_session for each in body.tickets], venue_of))
    if isinstance(body, (CheckedIn, Exited, CheckInUndone)):
        ticket = work.of(Ticket).get(body.ticket)
        order = None if ticket is None else work.of(Order).get(ticket.order_id)
    else:
        order = work.of(Order).get(body.order)
    if order is None:
        return _request_of(work, body, origin, venue_of)
    sessions = [each.event_session for each in work.of(Ticket).where("order_id", order.id)]
    return Sale(order.issuer, _venues(sessions, venue_of))


def _request_of(work: Work, body: Fact, origin: str, venue_of: Callable[[str], str | None]) -> Sale | None:
    """Return the same of what was only asked for; nobody else need hear of a request that never arrived."""
    if not isinstance(body, (OrderRefused, RequestWithdrawn)):
        return None
    asked = next(iter(work.of(Request).where("order_id", body.order)), None)
    tickets = decode(asked.body, OrderRequested).tickets if asked is not None else ()
    return Sale(origin, _venues((each.event_session for each in tickets), venue_of))


def _venues(sessions: Iterable[str], venue_of: Callable[[str], str | None]) -> frozenset[str]:
    return frozenset([venue for each in set(sessions) if (venue := venue_of(each)) is not None])


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
            (Payment, "order_id", RECEIPT_ONLY + each.ticket),
            (Parked, "about", f"ticket:{each.ticket}"),
            (Parked, "about", f"order:{RECEIPT_ONLY}{each.ticket}"),
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


def say(at: Telling, order: str, word: str, detail: str = "", private: bytes | None = None) -> None:
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
    _adopt(at, body)
    _count_money(at, body.order)


def _adopt(at: Telling, body: Sold) -> None:
    """Take over the money that doors took under the name they gave the order while they knew a receipt of it alone."""
    moved = [
        at.work.of(Payment).change(each, order_id=body.order)
        for ticket in body.tickets
        for each in at.work.of(Payment).where("order_id", RECEIPT_ONLY + ticket.ticket)
    ]
    order = at.work.of(Order).get(body.order)
    if order is None or not moved:
        return
    taken_minor = sum(each.amount_minor for each in at.work.of(Payment).where("order_id", body.order))
    given = len(body.tickets) == 1 and any(each.paid for each in moved)
    if given or taken_minor >= sum(each.price_minor for each in body.tickets):
        at.work.of(Order).change(order, payment="paid")


def named(work: Work, body: Fact) -> Fact:
    """Return a fact under its order's own name, where a door that knew a receipt alone gave it another."""
    order = getattr(body, "order", "")
    if not order.startswith(RECEIPT_ONLY):
        return body
    ticket = work.of(Ticket).get(order.removeprefix(RECEIPT_ONLY))
    return body if ticket is None else msgspec.structs.replace(body, order=ticket.order_id)


def _add_tickets(at: Telling, body: Sold) -> None:
    tickets = at.work.of(Ticket)
    for each in {ticket.ticket: ticket for ticket in body.tickets}.values():
        sold = tickets.get(each.ticket)
        if sold is not None and _only_seen(at, sold, body.order):
            tickets.change(sold, order_id=body.order, quota=each.quota, epoch=each.epoch)
            continue
        if sold is not None:
            detail = f"in order {sold.order_id} and, by {at.device}, in order {body.order}"
            contradict_ticket(at, "ticket-twice", sold, detail)
            continue
        inside, outside = presence(at.work, each.ticket)
        ticket = tickets.add(
            Ticket(
                id=each.ticket,
                order_id=body.order,
                code=each.code,
                ticket_type=each.ticket_type,
                event_session=each.event_session,
                quota=each.quota,
                epoch=each.epoch,
                price_minor=each.price_minor,
                currency=each.currency,
                state="valid",
                check_in=inside,
                exit=outside,
            )
        )
        at.counts.waiting |= ticket_known(at.work, at.device, ticket)


def _only_seen(at: Telling, ticket: Ticket, order: str) -> bool:
    """Whether a ticket was known by its receipt alone, and this is its issuer's own word of it: then its stand-in goes.

    What was paid, owed and listed for it is the ``order``'s from now on.
    """
    stand_in = at.work.of(Order).get(ticket.order_id)
    if stand_in is None or stand_in.id != RECEIPT_ONLY + ticket.id or stand_in.issuer != at.device:
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
    kind = Catalogues().of(at.work).ticket_type.get(claims.ticket_type)
    if life is None or kind is None:
        at.alarm(
            "strange-receipt", claims.ticket, f"genuine, but of a life or a ticket type of {claims.issuer} unknown here"
        )
        return
    order = Order(
        id=RECEIPT_ONLY + claims.ticket,
        code=claims.code,
        issuer=claims.issuer,
        status="pending" if claims.pending else "confirmed",
        payment="paid" if claims.paid else "promised",
        sold_by="",
        confirmed_at_ms=1000 * (claims.issued_at_s or 0),
    )
    at.work.of(Order).add(order)
    inside, outside = presence(at.work, claims.ticket)
    ticket = Ticket(
        id=claims.ticket,
        order_id=order.id,
        code=claims.code,
        ticket_type=claims.ticket_type,
        event_session=claims.event_session,
        quota=kind[2].quota,
        epoch=claims.epoch,
        price_minor=claims.price_minor,
        currency=claims.currency,
        state="valid",
        check_in=inside,
        exit=outside,
    )
    at.work.of(Ticket).add(ticket)
    at.counts.waiting |= ticket_known(at.work, claims.issuer, ticket)


@applies(DeviceClosed)
def _device_closed(at: Telling, body: DeviceClosed) -> None:
    """Nothing more can be sold of what it had, and no grant that was still under way can reach it any more."""
    if not sealed(at.work, at.device):
        at.alarm("sealed", at.device, "stopped for good, because it was sealed once; seal it here too")
        return
    for each in body.stock:
        at.counts.waiting |= hand_back(at.work, at.device, each)


def _as_told(key: Key) -> DeviceKey:
    return DeviceKey(device=key.device, venue="", door=False, kid=key.kid, public=key.public, revoked=key.revoked)


def _needs_of_a_payment(_work: Work, body: PaymentTaken) -> Iterator[list[Need]]:
    yield [(Payment, "id", body.payment), (Order, "id", body.order), *needs(body.order)]


def _order_rows(order: str) -> list[Need]:
    return [(Order, "id", order), (Ticket, "order_id", order)]


@applies(PaymentTaken, _needs_of_a_payment)
def _payment_taken(at: Telling, body: PaymentTaken) -> None:
    if at.work.of(Payment).get(body.payment) is not None:
        return
    at.work.of(Payment).add(
        Payment(
            id=body.payment,
            order_id=body.order,
            device=at.device,
            method=body.method,
            amount_minor=body.amount_minor,
            currency=body.currency,
            staff=body.staff,
            paid=body.paid,
        )
    )
    order = at.work.of(Order).get(body.order)
    if body.paid and order is not None:
        at.work.of(Order).change(order, payment="paid")
    _count_money(at, body.order)


def _count_money(at: Telling, order_id: str) -> None:
    """More money than an order costs, taken at desks that could not hear each other, is listed: its guest may not know."""
    order, payments = at.work.of(Order).get(order_id), at.work.of(Payment).where("order_id", order_id)
    if order is None or len(payments) < 2:  # no desk takes more at once than it knows to be due
        return
    found = account(at.work, order_id)
    if found.taken_minor > found.price_minor:
        desks = " and ".join(sorted({each.device for each in payments if each.amount_minor > 0}))
        detail = (
            f"{found.taken_minor} taken by {desks}, {found.price_minor} is the price ({found.currency}, minor units)"
        )
        contradict(at.work, "paid-twice", order_id, detail, at.wall_ms, order=order_id)


def _needs_of_a_refund(_work: Work, body: RefundPaid) -> Iterator[list[Need]]:
    yield [(Payment, "id", body.payment), (Order, "id", body.order), *needs(body.order)]


@applies(RefundPaid, _needs_of_a_refund)
def _refund_paid(at: Telling, body: RefundPaid) -> None:
    """Money that went back is a negative payment; more than was owed, at two desks that could not know, is listed."""
    payments = at.work.of(Payment)
    if payments.get(body.payment) is not None:
        return
    back = -body.amount_minor
    desk = (at.device, body.method, back, body.currency, body.staff)
    payments.add(Payment(body.payment, body.order, *desk, paid=False))
    found = account(at.work, body.order)
    paid, owed = found.paid_back_minor, found.owed_minor
    if paid > owed:
        detail = f"{paid} paid back, {owed} owed ({body.currency}, minor units); {at.device} paid last"
        contradict(at.work, "paid-back-twice", body.order, detail, at.wall_ms, order=body.order)


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
