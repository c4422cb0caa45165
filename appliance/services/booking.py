"""place_hold -> confirm | release | expire: a guest books, or staff book for one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from appliance.domain import verifying as rules
from appliance.domain.booking import first_payment, next_hold
from appliance.domain.client import Client
from appliance.domain.errors import DiskFull, HoldExpired, Invalid, LimitReached, SoldOut, SoldOutHere
from appliance.domain.inventory import Line, backs, per_quota
from appliance.domain.limits import STAFF_PER_HOLD, hold_life_ms
from appliance.domain.people import clean
from appliance.domain.requests import NO_STOCK
from appliance.services import cancelling, clients, conversion, requesting, show, turns, verifying
from appliance.services.box import Unit
from appliance.services.rows import hold_row
from appliance.services.selling import Pledge, Sale, record_sale
from appliance.services.stock import claim, end_hold, free_lapsed, require_on_sale
from appliance.services.views import HoldView, OrderView
from appliance.store import allocations, holds, orders, verifications, waiting

MOST_TYPES = 20


@dataclass(frozen=True, slots=True)
class Item:
    """``quantity`` tickets of one type, as asked for."""

    ticket_type: str
    quantity: int


def place_hold(unit: Unit, client: Client, items: Iterable[Item], channel: str = "phone") -> HoldView:
    """Claim stock for some minutes, all items or none.

    Where stock is short, the cloud was asked (``unit.asked``) and all that is short is provisional, the hold is a request: it
    claims nothing and becomes an order that the cloud answers. Raises ``Invalid``, ``SaleClosed``, ``LimitReached``, ``SoldOutHere`` or ``SoldOut``; then nothing is claimed.
    """
    if not unit.box.has_room():
        msg = "The disk of this box office is full: nothing new can be held. What you hold or booked stays yours."
        raise DiskFull(msg, retry_after_s=60)
    lines = lines_of(unit, items)
    _require_sale(unit, lines)
    clients.admit(unit, client)
    free_lapsed(unit)
    clients.make_room(unit, client, lines)
    clients.check(unit, client, lines)
    # Whoever stands at the desk wants tickets, not a maybe.
    shelves = claim(unit, lines) if channel == "desk" else requesting.claim_or_request(unit, client.id, lines)
    hold_id = unit.secret()
    life_ms = hold_life_ms(unit.catalogue.limits, list((shelves or {}).values()))
    row = {
        "id": hold_id,
        "code": unit.code(),
        "client": client.id,
        "boot_id": unit.now.boot_id,
        "placed_boot_ms": unit.now.boot_ms,
        "expires_boot_ms": unit.now.boot_ms + life_ms,
        "life_ms": life_ms,
        "placed_at_ms": unit.now.wall_ms,
        "expires_at_ms": unit.now.wall_ms + life_ms,
        "channel": channel,
    }
    epochs = {quota: shelves[quota].epoch if shelves else NO_STOCK for quota in per_quota(lines)}
    holds.add(unit.db, row, lines, epochs)
    if shelves:
        for quota, wanted in per_quota(lines).items():
            allocations.put(unit.db, shelves[quota].hold(wanted))
    conversion.held(unit, client, hold_id, (unit.catalogue.ticket_type[line.ticket_type][0].slug for line in lines))
    return show.hold_view(unit, hold_id)


def find_hold(unit: Unit, hold_id: str) -> HoldView:
    """Return a hold; ``NotFound`` if there is none."""
    return show.hold_view(unit, hold_id)


def open_holds(unit: Unit, client: Client) -> tuple[HoldView, ...]:
    """Return what a client holds now, newest first, so that a guest who lost the page finds it again."""
    found = (show.hold_view(unit, each) for each in holds.open_ids_of(unit.db, client.id))
    return tuple(each for each in found if each.state == "open")


def release_hold(unit: Unit, hold_id: str) -> None:
    """Give a hold back; doing it twice changes nothing. A hold that became an order is refused (``Invalid``)."""
    row = hold_row(unit, hold_id)
    if orders.find_by_hold(unit.db, hold_id) is not None:
        next_hold("confirmed", "release")
    if row.state == "open":
        end_hold(unit, hold_id, "release")
    elif (after := next_hold(row.state, "release")) != row.state:
        holds.set_state(unit.db, hold_id, after)


def confirm(
    unit: Unit,
    hold_id: str,
    *,
    name: str = "",
    contact: str = "",
    member: str = "",
    language: str = "en",
    client: Client | None = None,
    staff: str = "",
) -> OrderView:
    """Turn a hold into an order with tickets and receipts; the same hold again returns the first order.

    An expired hold claims its stock anew if it remains, else ``SoldOutHere`` or ``SoldOut``. A requested one becomes an order
    in status ``requested``, or a confirmed one if stock is here by now. Where a ticket has to be verified, the order is ``pending``,
    unless staff sell it who see the person. Raises ``HoldExpired`` for a released one and for a waitlist offer whose time is over, ``SaleClosed`` and ``LimitReached`` as a new hold would.
    """
    row = hold_row(unit, hold_id)
    first = orders.find_by_hold(unit.db, hold_id)
    if first is not None:
        return show.order_view(unit, first)
    name, contact = clean(name, "name"), clean(contact, "contact")
    next_hold(row.state, "confirm")
    lines, epochs = _held_lines(unit, hold_id)
    if row.entry is not None:
        contact = _of_live_offer(unit, row, epochs, contact)
    _check_orders(unit, row, client, lines)
    by_staff = row.channel == "desk" or (client is not None and client.is_staff)
    pledge = None if by_staff else _pledge(unit, lines, contact, member, language)
    epochs, held = _stock_for(unit, row, lines, epochs)
    total_minor = sum(unit.catalogue.ticket_type[line.ticket_type][2].price_minor * line.quantity for line in lines)
    sale = Sale(
        hold=hold_id,
        code=row.code,
        client=row.client,
        lines=lines,
        epochs=epochs,
        held=held,
        payment=first_payment(total_minor),
        total_minor=total_minor,
        name=name,
        contact=contact,
        sold_by=staff,
    )
    order_id = record_sale(unit, sale, pledge) if epochs else requesting.record_request(unit, sale)
    if pledge is not None and epochs:
        verifications.add(unit.db, order_id, verify=pledge.verify, channel=pledge.channel, member=pledge.member)
    elif epochs:
        conversion.reached(unit, hold_id, "confirmed")
    if row.entry is not None:
        turns.offer_over(unit, row.entry, "take")
    return show.order_view(unit, order_id)


def _pledge(unit: Unit, lines: tuple[Line, ...], contact: str, member: str, language: str) -> Pledge | None:
    """Return what these tickets have to prove before they admit; ``Invalid`` where nobody can be reached to prove it."""
    verify = rules.needed(unit.catalogue.ticket_type[line.ticket_type][2].verify for line in lines)
    return None if verify is None else verifying.pledge(unit, verify, contact, member, language)


def _stock_for(
    unit: Unit, row: Row[Any], lines: tuple[Line, ...], epochs: dict[str, int]
) -> tuple[dict[str, int], bool]:
    """Return the epochs an order of this hold is sold in, and whether the hold still has its stock.

    Stock that it has not is claimed now; no epochs where it was placed as a request and stays one.
    """
    requested = NO_STOCK in epochs.values()
    good = _lives(unit, row) if requested else _still_holds(unit, row, epochs)
    if good:
        holds.set_state(unit.db, row.id, next_hold("open", "confirm"))
    elif row.state == "open":
        end_hold(unit, row.id, "expire")
    _require_sale(unit, lines, promised=good)
    if not requested:
        return (epochs, True) if good else (_claim_anew(unit, lines), False)
    if not good:  # one that lives was counted when it was placed
        requesting.check_cap(unit, row.client, lines)
    try:
        return _claim_anew(unit, lines), False
    except (SoldOut, SoldOutHere):
        return {}, False


def _claim_anew(unit: Unit, lines: tuple[Line, ...]) -> dict[str, int]:
    return {quota: shelf.epoch for quota, shelf in claim(unit, lines).items()}


def cancel(unit: Unit, order_id: str, by: str = "guest") -> OrderView:
    """Cancel an order, or withdraw what was only requested; raises as ``cancelling.cancel`` does."""
    row = orders.find(unit.db, order_id)
    if row is None or row.status != "requested" or row.issuer != unit.identity.device:
        return cancelling.cancel(unit, order_id, by)
    requesting.withdraw(unit, row)
    unit.audit(by, "withdraw", order_id)
    return show.order_view(unit, order_id)


def find_order(unit: Unit, order_id: str) -> OrderView:
    """Return an order; ``NotFound`` if there is none."""
    return show.order_view(unit, order_id)


def find_by_code(unit: Unit, code: str) -> OrderView:
    """Return the order with this readable code, or with a ticket of this code; for staff only.

    ``NotFound`` if there is none, or if several tickets share the code by chance.
    """
    return show.order_view(unit, cancelling.order_of_code(unit, code))


def lines_of(unit: Unit, items: Iterable[Item]) -> tuple[Line, ...]:
    """Return what is wanted, one line per type; raises ``Invalid`` for what cannot be meant."""
    wanted: dict[str, int] = {}
    for item in items:
        if item.quantity < 1:
            msg = "Choose at least one ticket."
            raise Invalid(msg, field="quantity")
        if item.ticket_type not in unit.catalogue.ticket_type:
            msg = "This ticket type does not exist (any more). Reload the page."
            raise Invalid(msg, field="ticket_type")
        wanted[item.ticket_type] = wanted.get(item.ticket_type, 0) + item.quantity
    if not wanted or len(wanted) > MOST_TYPES:
        msg = f"Choose between one and {MOST_TYPES} ticket types." if wanted else "Choose at least one ticket."
        raise Invalid(msg, field="items")
    if sum(wanted.values()) > STAFF_PER_HOLD:
        msg = f"At most {STAFF_PER_HOLD} tickets can be booked at once."
        raise LimitReached(msg, "per_hold", most=STAFF_PER_HOLD)
    found = {each: unit.catalogue.ticket_type[each][2] for each in wanted}
    if len({kind.currency for kind in found.values()}) > 1:
        msg = "Tickets in different currencies need one order each."
        raise Invalid(msg, field="items")
    return tuple(Line(each, found[each].quota, wanted[each]) for each in sorted(wanted))


def _held_lines(unit: Unit, hold_id: str) -> tuple[tuple[Line, ...], dict[str, int]]:
    items = holds.items(unit.db, hold_id)
    if any(item.ticket_type not in unit.catalogue.ticket_type for item in items):
        msg = "A ticket type of this hold is not sold any more. Choose again."
        raise Invalid(msg, field="hold")
    lines = tuple(Line(item.ticket_type, item.quota, item.quantity) for item in items)
    return lines, {item.quota: item.epoch for item in items}


def _of_live_offer(unit: Unit, row: Row[Any], epochs: dict[str, int], contact: str) -> str:
    """Return how to reach who takes this offer: as given now, or when joining. ``HoldExpired`` if its time is over.

    A dead offer is never revived: whoever is next in line may have its tickets by now.
    """
    if not _still_holds(unit, row, epochs):
        msg = "This offer is over, and its tickets went to the next in line. Join the waitlist again if you still want some."
        raise HoldExpired(msg)
    entry = waiting.find(unit.db, row.entry)
    return contact or (entry.contact if entry is not None else "")


def _still_holds(unit: Unit, row: Row[Any], epochs: dict[str, int]) -> bool:
    """Return whether the hold still owns its stock: open, alive, and in the current epoch of each quota."""
    return _lives(unit, row) and backs(allocations.shelves(unit.db, epochs), epochs)


def _lives(unit: Unit, row: Row[Any]) -> bool:
    return row.state == "open" and show.remaining_ms(unit, row) > 0


def _check_orders(unit: Unit, row: Row[Any], client: Client | None, lines: tuple[Line, ...]) -> None:
    if row.channel != "desk" and not (client is not None and client.is_staff):
        clients.check_orders(unit, clients.usage(unit, row.client), lines)


def _require_sale(unit: Unit, lines: tuple[Line, ...], *, promised: bool = False) -> None:
    """Refuse what is not on sale; a live hold is a promise that only a cancelled date or a frozen device breaks."""
    sessions = {unit.catalogue.ticket_type[line.ticket_type][1].id for line in lines}
    found = [unit.catalogue.event_session[each][1] for each in sorted(sessions)]
    if promised and not unit.device.frozen:
        found = [at for at in found if at.cancelled]
    require_on_sale(unit, found)
