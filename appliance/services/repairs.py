"""What an operator decided about tickets in the cloud, carried out here: withdrawn, rebooked, to be paid back.

The rule of cancelling holds: the host door voids a ticket, unless somebody came in on it; only then does its issuer count it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from sqlalchemy import Row

from appliance.domain.booking import UNHEARD, next_order
from appliance.domain.errors import Invalid
from appliance.services import requesting, shifts, show
from appliance.services.answering import decides
from appliance.services.box import Unit
from appliance.services.cancelling import settle_rest, void_and_count, void_for_issuer
from appliance.services.foreign import order_values, ticket_values
from appliance.services.views import OrderView
from appliance.store import allocations, orders
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    Method,
    OrderRebooked,
    RefundOwed,
    RefundPaid,
    Swap,
    TicketFact,
    TicketsWithdrawn,
)
from mqtt_bridge.protocol.money import MONEY
from mqtt_bridge.protocol.receipts import TicketClaims

REFUND_METHODS: tuple[Method, ...] = tuple(each for each in get_args(Method) if each in MONEY)


def on_withdrawn(unit: Unit, message: TicketsWithdrawn) -> None:
    """An operator took tickets back: void those whose door we are, and as their issuer let nobody cancel them again."""
    _know(unit, message, message.tickets)
    if message.why == "admitted-twice":  # these were to replace tickets that were used before their door heard of it
        before = [row.id for each in message.tickets if (row := orders.replaced(unit.db, each.ticket)) is not None]
        orders.change_tickets(unit.db, before, replaced_by=None)
    _withdraw(unit, message.order, [each.ticket for each in message.tickets])


def on_rebooked(unit: Unit, message: OrderRebooked) -> None:
    """Write the new tickets down, lead the old ones to them, and withdraw those whose door we are.

    An order that was cancelled here meanwhile stays so: its new tickets are cancelled as well, so that no stock is lost.
    """
    order_id = _know(unit, message, [swap.old for swap in message.swaps])
    if message.signer == unit.identity.device:
        requesting.hear_confirmed(unit, message.stock)
    gone = _is_going(unit, order_id)
    for swap in message.swaps:
        if orders.find_ticket(unit.db, swap.new.ticket) is None:
            receipt = _receipt(unit, swap) if message.signer == unit.identity.device else ""
            issuer = message.signer if message.signer == unit.identity.device else message.issuer
            orders.add_ticket(unit.db, ticket_values(order_id, issuer, swap.new, receipt))
            orders.change_tickets(unit.db, [swap.old.ticket], replaced_by=swap.new.ticket)
    _withdraw(unit, message.order, [swap.old.ticket for swap in message.swaps])
    if gone and message.issuer == unit.identity.device:
        _cancel_new(unit, order_id, [swap.new for swap in message.swaps])


def on_refund_owed(unit: Unit, message: RefundOwed) -> None:
    """Know what is to be paid back for an order; a later word replaces an earlier one."""
    if orders.find(unit.db, message.order) is not None:
        orders.change(unit.db, message.order, refund_minor=message.owed_minor)


def on_refund_paid(unit: Unit, message: RefundPaid) -> None:
    """Another desk paid money back."""
    if orders.find(unit.db, message.order) is not None:
        _note_refund(unit, message)


def pay_back(unit: Unit, order_id: str, staff: str, method: Method, amount_minor: int) -> OrderView:
    """Record that staff paid money back for an order: a negative payment. Raises ``Invalid`` unless so much is owed."""
    view = show.order_view(unit, order_id)
    if method not in REFUND_METHODS:
        msg = f"Money is paid back by {' or '.join(REFUND_METHODS)}."
        raise Invalid(msg, field="method")
    if not 0 < amount_minor <= view.refund_due_minor:
        msg = "The amount must be at most what is to be paid back."
        raise Invalid(msg, field="amount")
    message = RefundPaid(order_id, unit.secret(), method, amount_minor, view.currency, staff)
    _note_refund(unit, message, shift=shifts.shift_now(unit, staff))
    unit.emit(message)
    unit.audit(staff, "refund", order_id, f"{method} {amount_minor} {view.currency}")
    return show.order_view(unit, order_id)


def _note_refund(unit: Unit, message: RefundPaid, shift: int | None = None) -> None:
    orders.add_payment(
        unit.db,
        {
            "id": message.payment,
            "order": message.order,
            "method": message.method,
            "amount_minor": -message.amount_minor,
            "currency": message.currency,
            "staff": message.staff,
            "taken_at_ms": unit.now.wall_ms,
            "shift": shift,
        },
    )


def _know(unit: Unit, message: TicketsWithdrawn | OrderRebooked, facts: Iterable[TicketFact]) -> str:
    """Have the order and these tickets in the rows, also where their sale was never heard of; return the order's id."""
    facts = list(facts)
    if orders.find(unit.db, message.order) is None:
        total_minor, currency = sum(each.price_minor for each in facts), facts[0].currency if facts else ""
        values = order_values(unit, message.order, message.issuer, total_minor=total_minor, currency=currency)
        orders.add(unit.db, values | {"code": message.code, "payment": message.payment, "sold_by": UNHEARD}, [])
    for each in facts:
        if orders.find_ticket(unit.db, each.ticket) is None:
            orders.add_ticket(unit.db, ticket_values(message.order, message.issuer, each))
    return message.order


def _withdraw(unit: Unit, order_id: str, ticket_ids: list[str]) -> None:
    rows = [row for each in ticket_ids if (row := orders.find_ticket(unit.db, each)) is not None and not row.voided]
    mine = [row for row in rows if decides(unit, row.event_session)]
    admitted = [row for row in mine if row.checked_in_by]
    _mark(unit, ticket_ids)
    if admitted:
        kept = tuple(row.id for row in admitted)
        orders.change_tickets(unit.db, kept, replaced_by=None)
        unit.emit(CancelRefused(order=order_id, tickets=kept))
        _stand(unit, kept)
    _void(unit, order_id, [row for row in mine if not row.checked_in_by])
    settle_rest(unit, order_id)


def _mark(unit: Unit, ticket_ids: list[str]) -> None:
    """An order of which nothing else is left waits for its doors like any cancelled one."""
    for order_id in orders.orders_of_tickets(unit.db, ticket_ids):
        row = orders.find(unit.db, order_id)
        left = [each for each in orders.tickets(unit.db, order_id) if not each.voided and each.id not in ticket_ids]
        if row is not None and row.status in {"confirmed", "pending"} and not left:
            orders.change(unit.db, order_id, status=next_order(row.status, "request_cancel"))


def _stand(unit: Unit, ticket_ids: tuple[str, ...]) -> None:
    """Somebody came in on these: their orders stand."""
    for order_id in orders.orders_of_tickets(unit.db, ticket_ids):
        row = orders.find(unit.db, order_id)
        if row is not None and row.status == "cancel_pending":
            orders.change(unit.db, order_id, status=next_order(row.status, "refuse"))


def _void(unit: Unit, order_id: str, rows: list[Row[Any]]) -> None:
    own = [row for row in rows if row.issuer == unit.identity.device]
    others = tuple(row.id for row in rows if row.issuer != unit.identity.device)
    if own:
        void_and_count(unit, order_id, own)
    if others:
        void_for_issuer(unit, order_id, others)
    for each in orders.orders_of_tickets(unit.db, [row.id for row in own]):
        row = orders.find(unit.db, each)
        if row is not None and all(one.voided for one in orders.tickets(unit.db, each)):
            orders.change(unit.db, each, status=next_order(row.status, "void"))


def _is_going(unit: Unit, order_id: str) -> bool:
    row = orders.find(unit.db, order_id)
    return row is not None and row.status in {"cancelled", "cancel_pending"}


def _cancel_new(unit: Unit, order_id: str, facts: list[TicketFact]) -> None:
    rows = [row for each in facts if (row := orders.find_ticket(unit.db, each.ticket)) is not None]
    here = [row for row in rows if decides(unit, row.event_session)]
    elsewhere = {row.id for row in rows} - {row.id for row in here}
    if here:
        void_and_count(unit, order_id, here)
    if elsewhere:
        left = tuple(each for each in facts if each.ticket in elsewhere)
        unit.emit(CancelRequested(order=order_id, tickets=left))


def _receipt(unit: Unit, swap: Swap) -> str:
    """Sign the new ticket; it names the same sale as the old one, so that a lost card's sales can still be rebuilt."""
    new = swap.new
    allocations.ensure(unit.db, new.quota, new.epoch)
    before = orders.find_ticket(unit.db, swap.old.ticket)
    row = orders.find(unit.db, before.order) if before is not None else None
    inc, seq = receipts.inc_hash(unit.inc), 0
    try:
        old = receipts.read(before.receipt).claims if before is not None else None
        inc, seq = (old.inc, old.seq) if old else (inc, seq)
    except ProtocolError:
        pass  # rebuilt from the cloud, which keeps no receipts
    claims = TicketClaims(
        issuer=unit.identity.device,
        ticket=new.ticket,
        event_session=new.event_session,
        ticket_type=new.ticket_type,
        code=new.code,
        price_minor=new.price_minor,
        currency=new.currency,
        paid=row is not None and row.payment == "paid",
        inc=inc,
        seq=seq,
        epoch=new.epoch,
        issued_at_s=unit.now.wall_ms // 1000 if unit.now.trusted else None,
        pending=row is not None and row.status == "pending",
    )
    return receipts.issue(claims, unit.box.signer)
