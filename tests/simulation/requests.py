"""Orders on request at a simulated device: the product's rules over a card, beside ``till``; mirrors ``services.requesting``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from functools import partial

import msgspec

from appliance.domain import requests as rules
from appliance.domain.booking import left_ms, next_hold, next_order
from appliance.domain.errors import Refusal, SoldOutHere
from appliance.domain.inventory import Line, Shelf, per_quota
from mqtt_bridge.protocol.catalogue import Limits
from mqtt_bridge.protocol.generations import superseded
from mqtt_bridge.protocol.messages import (
    CancelRequested,
    Content,
    OrderConfirmed,
    OrderRefused,
    OrderRequested,
    Private,
    RequestWithdrawn,
    StockCount,
    TicketFact,
    VenueRetold,
)
from tests.simulation import till
from tests.simulation.card import Hold, Item, Order, Ticket
from tests.simulation.unit import CLOUD, Unit


def place_hold(unit: Unit, wanted: Iterable[tuple[str, int]], limits: Limits, *, asked: bool) -> str:
    """Claim tickets for a while; where the cloud was ``asked`` in vain, hold a request instead if that is possible."""
    wanted = tuple(wanted)
    for quota, _ in wanted if asked else ():
        shelf = till.current(unit).get(quota)
        if shelf is not None and shelf.wanted:
            till.remember_no(unit, quota)  # nobody waits for the cloud any more
    try:
        return till.place_hold(unit, wanted, limits)
    except SoldOutHere:
        lines = tuple(Line(f"t-{quota}", quota, quantity) for quota, quantity in wanted)
        if not asked or not rules.may_request(till.shelves_of(unit, per_quota(lines)), lines, provisional(unit)):
            raise
    _check_cap(unit, lines, limits)
    life_ms = round(limits.hold_minutes * 60_000)
    items = tuple(Item(line.quota, rules.NO_STOCK, line.quantity) for line in lines)
    hold = Hold(unit.secret(), items, "open", unit.now.boot_id, unit.now.boot_ms + life_ms, life_ms)
    unit.put_hold(hold)
    return hold.id


def provisional(unit: Unit) -> frozenset[str]:
    """Ticket types that may be requested."""
    return frozenset(name for name, (_, _, kind) in unit.catalogue.ticket_type.items() if kind.policy == "provisional")


def _check_cap(unit: Unit, lines: tuple[Line, ...], limits: Limits) -> None:
    requested: Counter[str] = Counter()
    for order in unit.card.orders.rows.values():
        if order.status == "requested" and order.issuer == unit.identity.device:
            requested.update(unit.card.tickets.rows[each].quota for each in order.tickets)
    for hold in unit.card.open_holds.rows.values():
        requested.update({each.quota: each.quantity for each in hold.items if each.epoch == rules.NO_STOCK})
    for quota, number in per_quota(lines).items():
        limit = unit.catalogue.quota[quota].quota.limit
        rules.check_cap(limits, quota, limit, number, requested=requested[quota], own=0)


def confirm(unit: Unit, hold_id: str, limits: Limits) -> str:
    """Turn a hold into an order, one that was requested into a request unless stock came meanwhile."""
    hold = unit.card.holds.get(hold_id)
    if hold is None or hold.order is not None or hold.items[0].epoch != rules.NO_STOCK:
        return till.confirm(unit, hold_id)
    next_hold(hold.state, "confirm")
    lines = tuple(Line(f"t-{item.quota}", item.quota, item.quantity) for item in hold.items)
    till._require_not_frozen(unit)
    if hold.state == "open" and left_ms(hold.boot_id, hold.expires_boot_ms, hold.life_ms, unit.now) > 0:
        hold = hold._replace(state=next_hold("open", "confirm"))
    else:
        till.end_hold(unit, hold, "expire")
        hold = unit.card.holds.rows[hold_id]
        _check_cap(unit, lines, limits)
    unit.put_hold(hold)
    try:
        epochs = {quota: shelf.epoch for quota, shelf in till.claim(unit, lines).items()}
    except Refusal:
        return _record(unit, hold, lines)
    return till._record_sale(unit, hold, lines, epochs, held=False)


def _record(unit: Unit, hold: Hold, lines: tuple[Line, ...]) -> str:
    order_id, me = unit.secret(), unit.identity.device
    tickets = [
        Ticket(unit.secret(), order_id, me, line.quota, rules.NO_STOCK, f"s-{line.quota}")
        for line in lines
        for _ in range(line.quantity)
    ]
    for each in tickets:
        unit.card.tickets.put(each.id, each)
    unit.card.orders.put(order_id, Order(order_id, me, "requested", tuple(each.id for each in tickets)))
    unit.put_hold(hold._replace(order=order_id))
    facts = tuple(till._fact(each) for each in tickets)
    unit.emit(OrderRequested(order_id, order_id[:8], "promised", facts, unit.now.wall_ms))
    return order_id


def cancel(unit: Unit, order_id: str) -> None:
    """Take a request back, or cancel as ever."""
    order = unit.card.orders.get(order_id)
    if order is None or order.status != "requested" or order.issuer != unit.identity.device:
        till.cancel(unit, order_id)
        return
    _set_status(unit, order, "withdraw")
    till._void(unit, till._tickets(unit, order))
    unit.emit(RequestWithdrawn(order_id))


def apply_message(unit: Unit, content: Content, private: Private | None) -> None:
    """Apply one downlink message, those about requests first."""
    body, origin = content.body, content.origin
    match body:
        case OrderConfirmed() if origin == CLOUD:
            if not superseded(content.inc, unit.card.row.generation):
                _on_confirmed(unit, body)
        case OrderConfirmed():
            order = unit.card.orders.get(body.order)
            till.apply_message(unit, content, private)
            if order is not None and order.status == "requested" and origin != unit.identity.device:
                _set_status(unit, unit.card.orders.rows[body.order], "confirm")
        case OrderRefused():
            _end(unit, body.order, "turn_down")
        case OrderRequested():
            if origin != unit.identity.device and unit.card.orders.get(body.order) is None:
                for fact in body.tickets:
                    till._take_in(unit, body.order, origin, fact, "requested")
        case RequestWithdrawn():
            _end(unit, body.order, "withdraw", of=origin)
        case VenueRetold():
            _on_retold(unit, body)
        case _:
            till.apply_message(unit, content, private)


def _on_confirmed(unit: Unit, message: OrderConfirmed) -> None:
    """The cloud met a request of ours, perhaps one that an older copy of this card forgot."""
    for count in message.stock:
        _count(unit, count)
    order = unit.card.orders.get(message.order)
    if order is None:
        order = _rebuild(unit, message)
    if not _sign(unit, order, message):
        return
    pairs = sorted({(each.quota, each.epoch) for each in message.tickets})
    stock = tuple(unit.card.shelves.rows[pair].count for pair in pairs)
    unit.emit(OrderConfirmed(order.id, order.id[:8], "promised", message.tickets, stock, message.confirmed_at_ms))
    unit.issued += till._tickets(unit, order)
    if order.status != "requested":
        _give_back(unit, order.id)


def _end(unit: Unit, order_id: str, event: str, of: str = "") -> None:
    order = unit.card.orders.get(order_id)
    if order is not None and order.status == "requested" and of in {"", order.issuer}:
        _set_status(unit, order, event)


def _on_retold(unit: Unit, message: VenueRetold) -> None:
    """Of what a card forgot only this is looked at: that a request of its own was met."""
    mine = (each.body for each in message.told if each.origin == unit.identity.device)
    for sale in (each for each in mine if isinstance(each, OrderConfirmed)):
        order = unit.card.orders.get(sale.order)
        if order is not None and _sign(unit, order, sale) and order.status != "requested":
            _give_back(unit, order.id)


def _sign(unit: Unit, order: Order, message: OrderConfirmed) -> bool:
    tickets = till._tickets(unit, order)
    if any(each.epoch != rules.NO_STOCK for each in tickets):
        return False
    _set_status(unit, order, "confirm")
    epochs = {each.ticket: each.epoch for each in message.tickets}
    for each in tickets:
        unit.card.tickets.put(each.id, each._replace(epoch=epochs[each.id], voided=False))
    return True


def _count(unit: Unit, count: StockCount) -> None:
    pair = (count.quota, count.epoch)
    if unit.card.shelves.get(pair) is None:
        unit.put_shelf(Shelf(count.quota, count.epoch, type(count.totals)(), 0, current=False))
    unit.change_shelf(*pair, partial(Shelf.hear_confirmed, confirmed=count.totals.confirmed))


def _rebuild(unit: Unit, message: OrderConfirmed) -> Order:
    me = unit.identity.device
    for fact in message.tickets:
        till._take_in(unit, message.order, me, _unmet(fact), "requested")
    return unit.card.orders.rows[message.order]


def _unmet(fact: TicketFact) -> TicketFact:
    return msgspec.structs.replace(fact, epoch=rules.NO_STOCK)


def _give_back(unit: Unit, order_id: str) -> None:
    """Nobody wants these tickets any more: the rule of cancelling."""
    tickets = [each for each in till._tickets(unit, unit.card.orders.rows[order_id]) if not each.voided]
    here = [each for each in tickets if till._decides(unit, each)]
    elsewhere = [each for each in tickets if each not in here]
    _set_status(unit, unit.card.orders.rows[order_id], "request_cancel" if elsewhere else "cancel")
    if here:
        till._void_and_count(unit, order_id, here)
    if elsewhere:
        unit.emit(CancelRequested(order_id, tuple(till._fact(each) for each in elsewhere)))


def _set_status(unit: Unit, order: Order, event: str) -> None:
    unit.card.orders.put(order.id, order._replace(status=next_order(order.status, event)))
