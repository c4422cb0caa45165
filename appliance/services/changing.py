"""Changing a booking: other quantities, types or another date of the same event, in one transaction.

The new tickets are had first and the old ones cancelled by the rule of cancelling, or nothing happens: nobody loses what they have for
something they could not get. What an order frees of a quota is its own guest's as far as the new one needs it, before anybody who waits;
only what grows has to be free for everybody. Where a door elsewhere must void the old tickets, all of the new ones have to be free.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from appliance.domain import limits
from appliance.domain.booking import first_payment
from appliance.domain.clock import HOUR_MS
from appliance.domain.errors import DiskFull, Invalid
from appliance.domain.inventory import Line, Shelf, per_quota
from appliance.services import booking, cancelling, clients, rates, show
from appliance.services.answering import decides
from appliance.services.booking import Item
from appliance.services.box import Unit
from appliance.services.rows import order_row
from appliance.services.selling import Sale, record_sale
from appliance.services.stock import claim, require_on_sale, shelves_of
from appliance.services.views import OrderView
from appliance.store import allocations, holds, orders

CHANGES_PER_PHONE = 6


def why_not(unit: Unit, order: OrderView) -> str:
    """Return why an order cannot be changed here: over, paid, admitted, elsewhere; empty if it can."""
    if order.status != "confirmed" or order.called_off or order.refund_minor:
        return "over"
    if any(each.voided or each.replaced_by for each in order.tickets):
        return "over"
    if any(each.admitted_at_ms is not None for each in order.tickets):
        return "admitted"
    if order.paid_minor:
        return "paid"
    if order.issuer != unit.identity.device or not all(each.event.slug for each in order.tickets):
        return "elsewhere"
    return ""


def held_by_quota(unit: Unit, order: OrderView) -> Counter[str]:
    """Return how many tickets of each quota an order would free at once for its own guest."""
    shelves = allocations.shelves(unit.db, {each.type.quota for each in order.tickets})
    return _freed(unit, order, shelves)


def change(unit: Unit, order_id: str, items: Iterable[Item], by: str = "guest") -> OrderView:
    """Give a guest ``items`` instead of an order's tickets, and return the order they are in now.

    The same again returns what it was changed to. Raises ``Invalid`` for an order that cannot be changed or tickets of
    another event, and what placing a hold raises; then nothing changed.
    """
    order = show.order_view(unit, order_id)
    if order.changed_to:
        return show.order_view(unit, order.changed_to)
    reason = why_not(unit, order)
    if reason:
        raise Invalid("This booking cannot be changed here. Ask at the desk.", field=f"order.{reason}")
    lines = booking.lines_of(unit, items)
    before = Counter(each.type.id for each in order.tickets)
    after = Counter({line.ticket_type: line.quantity for line in lines})
    if before == after:
        return order
    _require_same_event(unit, order, lines)
    if any(unit.catalogue.ticket_type[each][2].verify for each in after - before):
        msg = "These tickets are checked before they are good. Book them anew, then give the others back."
        raise Invalid(msg, field="order.verified")
    _check_limits(unit, order, before, lines)
    _require_sale(unit, after if unit.device.frozen or unit.device.sealed else after - before)
    epochs = _take(unit, order, lines)
    cancelling.cancel(unit, order_id, by)
    return _sell(unit, order, lines, epochs)


def _require_sale(unit: Unit, types: Iterable[str]) -> None:
    """Refuse what is not on sale; fewer of what a guest has may be had at any time, unless this device sells nothing at all."""
    if not unit.box.has_room():
        raise DiskFull("The disk of this box office is full: what you booked stays yours as it is.", retry_after_s=60)
    sessions = {unit.catalogue.ticket_type[each][1].id for each in types}
    require_on_sale(unit, (unit.catalogue.event_session[each][1] for each in sorted(sessions)))


def _require_same_event(unit: Unit, order: OrderView, lines: tuple[Line, ...]) -> None:
    events = {each.event.id for each in order.tickets}
    if any(unit.catalogue.ticket_type[line.ticket_type][0].id not in events for line in lines):
        msg = "A booking can be changed to other tickets of the same event. For another event, book anew."
        raise Invalid(msg, field="items")


def _check_limits(unit: Unit, order: OrderView, before: Counter[str], lines: tuple[Line, ...]) -> None:
    """Hold the new order to the limits of one phone, counted without the old one."""
    client = order_row(unit, order.id).client
    words = "You changed bookings several times. Please wait, or ask at the desk."
    rates.take(unit, "changes", client, CHANGES_PER_PHONE, HOUR_MS, words)
    rules, kinds = unit.catalogue.limits, unit.catalogue.ticket_type
    limits.check_quantity(rules, sum(line.quantity for line in lines), staff=False)
    more: Counter[bool] = Counter()
    for line in lines:
        more[kinds[line.ticket_type][2].price_minor == 0] += line.quantity
    for each, number in before.items():
        more[kinds[each][2].price_minor == 0] -= number
    limits.check_orders(rules, clients.usage(unit, client), unpaid=max(0, more[False]), free=max(0, more[True]))


def _freed(unit: Unit, order: OrderView, shelves: dict[str, Shelf]) -> Counter[str]:
    """Count the tickets whose stock is free in this very transaction: decided here, of the life that sells now."""
    rows = orders.tickets(unit.db, order.id)
    if not all(decides(unit, row.event_session) for row in rows):
        return Counter()
    return Counter(row.quota for row in rows if row.quota in shelves and shelves[row.quota].epoch == row.epoch)


def _take(unit: Unit, order: OrderView, lines: tuple[Line, ...]) -> dict[str, int]:
    """Make sure of everything the new tickets need beyond what the old ones free; return the epochs they are sold in."""
    wanted = per_quota(lines)
    current = allocations.shelves(unit.db, {*wanted, *(each.type.quota for each in order.tickets)})
    own = _freed(unit, order, current)
    grown = tuple(Line("", quota, more) for quota in wanted if (more := wanted[quota] - own[quota]) > 0)
    held = holds.held_by(unit.db, order_row(unit, order.id).client)
    shelves = shelves_of(unit, [line.quota for line in grown])
    for line in grown:
        if line.quota in shelves and line.quantity <= shelves[line.quota].available:
            limits.check_share(unit.catalogue.limits, shelves[line.quota], held.get(line.quota, 0), line.quantity)
    claimed = claim(unit, grown) if grown else {}
    return {quota: (claimed.get(quota) or current[quota]).epoch for quota in wanted}


def _sell(unit: Unit, old: OrderView, lines: tuple[Line, ...], epochs: dict[str, int]) -> OrderView:
    """Sell the new tickets under the old order's name; its hold leads to them from now on."""
    client = order_row(unit, old.id).client
    total_minor = sum(unit.catalogue.ticket_type[line.ticket_type][2].price_minor * line.quantity for line in lines)
    orders.change(unit.db, old.id, hold=None)
    sale = Sale(
        hold=old.hold,
        code=unit.code(),
        client=client,
        lines=lines,
        epochs=epochs,
        held=False,
        payment=first_payment(total_minor),
        total_minor=total_minor,
        name=old.name,
        contact=old.contact,
        sold_by="",
    )
    order_id = record_sale(unit, sale)
    orders.change(unit.db, old.id, changed_to=order_id)
    unit.audit("guest", "change", old.id, order_id)
    return show.order_view(unit, order_id)
