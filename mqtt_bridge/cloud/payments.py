"""Money as desks tell it: taken, paid back, and what contradicts the account of its order."""

from __future__ import annotations

from collections.abc import Iterator

from mqtt_bridge.cloud.accounts import account, needs
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import Order, Payment
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.messages import PaymentTaken, RefundPaid, Sold
from mqtt_bridge.protocol.receipts import order_known_by


def _needs_of_money(_work: Work, body: PaymentTaken | RefundPaid) -> Iterator[list[Need]]:
    yield [(Payment, "id", body.payment), (Order, "id", body.order), *needs(body.order)]


@applies(PaymentTaken, _needs_of_money)
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
    count_money(at, body.order)


def count_money(at: Telling, order_id: str) -> None:
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


@applies(RefundPaid, _needs_of_money)
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


def adopt(at: Telling, body: Sold) -> None:
    """Take over the money that doors took under the name they gave the order while they knew a receipt of it alone."""
    moved = [
        at.work.of(Payment).change(each, order_id=body.order)
        for ticket in body.tickets
        for each in at.work.of(Payment).where("order_id", order_known_by(ticket.ticket))
    ]
    order = at.work.of(Order).get(body.order)
    if order is None or not moved:
        return
    taken_minor = sum(each.amount_minor for each in at.work.of(Payment).where("order_id", body.order))
    given = len(body.tickets) == 1 and any(each.paid for each in moved)
    if given or taken_minor >= sum(each.price_minor for each in body.tickets):
        at.work.of(Order).change(order, payment="paid")
