"""Asking for tickets past the allocation: the request, its withdrawal, and the cloud's answer.

No stock is claimed here: a confirmed request comes from the pool and is counted in ``confirmed``, which the cloud alone writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Row

from appliance.domain import requests as rules
from appliance.domain.booking import next_order
from appliance.domain.errors import AskFirst, SoldOutHere
from appliance.domain.inventory import Line, Shelf, per_quota
from appliance.services import conversion
from appliance.services.box import Unit
from appliance.services.cancelling import cancel_own
from appliance.services.foreign import ticket_values, told_values
from appliance.services.selling import Sale, add_order, fact, private_part, sign, ticket_row
from appliance.services.stock import claim, counts, shelves_of
from appliance.store import allocations, orders, requests
from mqtt_bridge.protocol.messages import (
    OrderConfirmed,
    OrderRefused,
    OrderRequested,
    Private,
    RequestWithdrawn,
    StockCount,
)


def claim_or_request(unit: Unit, client_id: str, lines: tuple[Line, ...]) -> dict[str, Shelf] | None:
    """Return the shelves that can meet all lines, or None if the hold is to be a request.

    Raises ``AskFirst`` where a request is possible and the cloud was not asked yet, ``SoldOut``, ``SoldOutHere`` or
    ``LimitReached`` where it is not.
    """
    try:
        return claim(unit, lines)
    except SoldOutHere as refusal:
        shelves = shelves_of(unit, per_quota(lines))
        if needs_proof(unit, lines) or not rules.may_request(shelves, lines, provisional(unit, lines)):
            raise
        if not unit.asked:
            raise AskFirst(refusal.detail, **refusal.facts) from None
    check_cap(unit, client_id, lines)
    return None


def needs_proof(unit: Unit, lines: tuple[Line, ...]) -> bool:
    """Return whether any of these has to be verified: an order does not wait for two answers, one after the other."""
    return any(unit.catalogue.ticket_type[each.ticket_type].kind.verify for each in lines)


def provisional(unit: Unit, lines: tuple[Line, ...]) -> frozenset[str]:
    """Return which of the ticket types may be requested."""
    known = {each.ticket_type: unit.catalogue.ticket_type[each.ticket_type].kind for each in lines}
    return frozenset(name for name, kind in known.items() if kind.policy == "provisional")


def check_cap(unit: Unit, client_id: str, lines: tuple[Line, ...]) -> None:
    """Refuse what is more than this device, or this client, may have in open requests."""
    everybody = requests.requested(unit.db, unit.now)
    own = requests.requested(unit.db, unit.now, client_id)
    for quota, wanted in per_quota(lines).items():
        limit = unit.catalogue.quota[quota].quota.limit
        rules.check_cap(
            unit.catalogue.limits, quota, limit, wanted, requested=everybody.get(quota, 0), own=own.get(quota, 0)
        )


def record_request(unit: Unit, sale: Sale) -> str:
    """Write an order that only asks, with codes and without receipts, and the message about it; return its id."""
    order_id = unit.secret()
    tickets = [ticket_row(unit, order_id, line, rules.NO_STOCK) for line in sale.lines for _ in range(line.quantity)]
    add_order(unit, order_id, sale, tickets, status="requested")
    body = OrderRequested(
        order=order_id,
        code=sale.code,
        payment=sale.payment,
        tickets=tuple(fact(each) for each in tickets),
        requested_at_ms=unit.now.wall_ms,
    )
    unit.emit(body, private_part(unit, sale.name, sale.contact))
    requests.add(unit.db, order_id)
    return order_id


def withdraw(unit: Unit, row: Row[Any]) -> None:
    """Take a request back. What the cloud may have confirmed meanwhile is cancelled when its answer comes."""
    orders.change(unit.db, row.id, status=next_order(row.status, "withdraw"))
    orders.change_tickets(unit.db, [each.id for each in orders.tickets(unit.db, row.id)], voided=True)
    requests.close(unit.db, row.id)
    unit.emit(RequestWithdrawn(order=row.id))


def on_confirmed(unit: Unit, message: OrderConfirmed, private: Private | None) -> None:
    """The cloud met a request of ours: sign its tickets and tell them as any sale; a restored cloud may have forgotten it.

    Where nobody wants them any more they are cancelled by the usual rule.
    """
    hear_confirmed(unit, message.stock)
    row = orders.find(unit.db, message.order)
    if row is None:
        row = _rebuild(unit, message, private)
    if not _sign(unit, row, message):
        return
    stock = counts(unit, ((each.quota, each.epoch) for each in message.tickets))
    sale = msgspec.structs.replace(message, stock=stock, sold_by=row.sold_by)
    unit.emit(sale, private_part(unit, row.name, row.contact))
    if row.status != "requested":
        cancel_own(unit, row.id)
    else:
        conversion.reached(unit, row.hold, "confirmed")


def on_retold(unit: Unit, message: OrderConfirmed) -> None:
    """The cloud met a request of ours in a life that this card forgot: its sale is counted there, and what it signed is not here."""
    row = orders.find(unit.db, message.order)
    if row is not None and _sign(unit, row, message) and row.status != "requested":
        cancel_own(unit, row.id)


def _sign(unit: Unit, row: Row[Any], message: OrderConfirmed) -> bool:
    """Turn a request into an order with receipts; tells whether it was one that still waited for that."""
    asked = requests.find(unit.db, row.id)
    if asked is None or asked.confirmed:
        return False
    orders.change(unit.db, row.id, status=next_order(row.status, "confirm"))
    requests.close(unit.db, row.id, confirmed=True)
    epochs, seq = {each.ticket: each.epoch for each in message.tickets}, unit.next_seq()
    for ticket in orders.tickets(unit.db, row.id):
        counted = ticket._asdict() | {"epoch": epochs[ticket.id]}
        receipt = sign(unit, counted, paid=row.payment == "paid", seq=seq)
        orders.change_tickets(unit.db, [ticket.id], epoch=counted["epoch"], receipt=receipt, voided=False)
    return True


def hear_confirmed(unit: Unit, stock: Iterable[StockCount]) -> None:
    """Take the cloud's totals of what it confirmed for us, as they come with the tickets they count."""
    for count in stock:
        allocations.ensure(unit.db, count.quota, count.epoch)
        told = partial(Shelf.hear_confirmed, confirmed=count.totals.confirmed)
        allocations.change(unit.db, count.quota, count.epoch, told)


def _rebuild(unit: Unit, message: OrderConfirmed, private: Private | None) -> Row[Any]:
    """Write down an order that an older copy of this database forgot: the guest's page shows it again."""
    me = unit.identity.device
    values = told_values(unit, message, me, private) | {"status": "requested"}
    orders.add(unit.db, values, [ticket_values(message.order, me, each) for each in message.tickets])
    requests.add(unit.db, message.order)
    row = orders.find(unit.db, message.order)
    if row is None:
        msg = "an order just written cannot be read"
        raise RuntimeError(msg)
    return row


def on_refused(unit: Unit, message: OrderRefused) -> None:
    """A request cannot be met, ours or one this door knows of; one that was withdrawn or confirmed stays what it is."""
    row = orders.find(unit.db, message.order)
    if row is None or row.status != "requested":
        return
    orders.change(unit.db, row.id, status=next_order(row.status, "turn_down"))
    requests.close(unit.db, row.id, refusal=message.reason)
