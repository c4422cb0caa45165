"""The money of an order as the cloud knows it: its price, what was taken for it, and what is owed back."""

from __future__ import annotations

from typing import NamedTuple

from mqtt_bridge.cloud.records import Payment, Refund, Ticket
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.money import MONEY, owed_back


class Account(NamedTuple):
    """Sums in minor units of ``currency``. ``owed_minor`` is what is paid back in all, ``paid_back_minor`` what was already."""

    price_minor: int
    taken_minor: int
    owed_minor: int
    paid_back_minor: int
    currency: str

    @property
    def due_minor(self) -> int:
        """What is still to be paid back."""
        return max(0, self.owed_minor - self.paid_back_minor)


def needs(order_id: str) -> list[Need]:
    """Return what to read before an account is drawn up."""
    return [(kind, "order_id", order_id) for kind in (Ticket, Payment, Refund)]


def account(work: Work, order_id: str) -> Account:
    """Draw up the account of an order.

    A ticket that another one took the place of costs nothing any more. One on which somebody came in was used, whatever became of
    it; one whose refund is owed is gone, though its door may not have voided it yet.
    """
    tickets = [each for each in work.of(Ticket).where("order_id", order_id) if each.replaced_by is None]
    payments = work.of(Payment).where("order_id", order_id)
    refunds = [each for each in work.of(Refund).where("order_id", order_id) if each.owed]
    taken = sum(each.amount_minor for each in payments if each.amount_minor > 0 and each.method in MONEY)
    gone = {each.ticket for each in refunds}
    stand = (each for each in tickets if each.id not in gone and (each.state == "valid" or each.check_in is not None))
    told, standing = sum(each.amount_minor for each in refunds), sum(each.price_minor for each in stand)
    return Account(
        price_minor=sum(each.price_minor for each in tickets),
        taken_minor=taken,
        owed_minor=owed_back(told, taken, standing),
        paid_back_minor=-sum(min(0, each.amount_minor) for each in payments),
        currency=next(iter([*(each.currency for each in tickets), *(each.currency for each in payments)]), ""),
    )
