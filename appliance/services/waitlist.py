"""join -> look -> leave: a guest waits for tickets of one quota, all or none. Promotion is in ``services.turns``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from appliance.domain import limits, sale
from appliance.domain.client import Client
from appliance.domain.clock import HOUR_MS
from appliance.domain.errors import Invalid, LimitReached, NotFound
from appliance.domain.inventory import Line
from appliance.domain.people import clean
from appliance.services import booking, clients, rates, show, turns
from appliance.services.box import Unit
from appliance.services.stock import end_hold, free_lapsed, require_on_sale, sale_window, visible_shelves
from appliance.services.views import EntryView, HoldLine
from appliance.store import records, waiting
from mqtt_bridge.protocol.catalogue import EventSession
from mqtt_bridge.protocol.messages import WaitlistEntrusted, WaitlistJoined, WaitlistLeft, Wish
from mqtt_bridge.protocol.waitlist import MOST_PER_QUOTA, OPEN

# A crowd behind one address may fill a quarter of a list; one phone that pretends to be many gets no further either.
MOST_PER_ADDRESS = MOST_PER_QUOTA // 4
JOINS_PER_HOUR = 6


def join(unit: Unit, client: Client, items: Iterable[booking.Item], contact: str = "") -> EntryView:
    """Wait for tickets of one quota at the end of its line.

    Raises ``Invalid`` where they are on sale right now, or could never be had together; ``SaleClosed``, and ``LimitReached`` for
    a second open entry of the same phone and quota, a phone that joins again and again, or a full list.
    """
    lines = booking.lines_of(unit, items)
    contact = clean(contact, "contact")
    quota, at = _what(unit, lines)
    require_on_sale(unit, [at])
    clients.admit(unit, client)
    free_lapsed(unit)
    quantity = sum(each.quantity for each in lines)
    _refuse_on_sale(unit, at, lines)
    _check(unit, client, quota, lines)
    rates.count(unit, "waitlist_joins", client.id, HOUR_MS)
    entry = unit.secret()
    wishes = tuple(Wish(each.ticket_type, each.quantity) for each in lines)
    values = {
        "entry": entry,
        "quota": quota,
        "quantity": quantity,
        "client": client.id,
        "address": client.address,
        "contact": contact,
        "told_inc": unit.inc,
        "joined_at_ms": unit.now.wall_ms,
    }
    number = waiting.add(unit.db, values, wishes)
    unit.emit(WaitlistJoined(entry, quota, number, wishes, unit.now.wall_ms))
    unit.at_end(turns.serve)
    return look(unit, entry)


def _what(unit: Unit, lines: tuple[Line, ...]) -> tuple[str, EventSession]:
    if len({each.quota for each in lines}) > 1:
        msg = "One place on the waitlist is for tickets of one kind of place. Join once for each."
        raise Invalid(msg, field="items")
    _event, at, quota = unit.catalogue.quota[lines[0].quota]
    most = quota.limit + quota.extra
    if sum(each.quantity for each in lines) > most:
        msg = f"There are only {most} such tickets in all. Choose fewer."
        raise Invalid(msg, field="items", most=most)
    return quota.id, at


def _refuse_on_sale(unit: Unit, at: EventSession, lines: tuple[Line, ...]) -> None:
    window = sale_window(unit, at, records.switches(unit.db))
    shelf = visible_shelves(unit).get(lines[0].quota)
    if shelf is not None and sale.state(window, shelf) == "on_sale":
        number = f"{shelf.available} are" if shelf.available > 1 else "one is"
        msg = f"These tickets are on sale right now: {number} free. Book instead of waiting."
        raise Invalid(msg, field="items", available=shelf.available)


def _check(unit: Unit, client: Client, quota: str, lines: tuple[Line, ...]) -> None:
    """Refuse what would give one guest more than their share of a line; staff are exempt from what is about one phone."""
    rules = unit.catalogue.limits
    limits.check_quantity(rules, sum(each.quantity for each in lines), staff=client.is_staff)
    taken = waiting.open_by_address(unit.db, quota)
    if taken.total() >= MOST_PER_QUOTA:
        msg = "The waitlist is full. Look again later, or ask at the desk."
        raise LimitReached(msg, "waitlist_per_quota")
    if client.is_staff:
        return
    if any(row.quota == quota for row in waiting.open_of(unit.db, client.id)):
        msg = "You are on this waitlist already. Leave it first if you want something else."
        raise LimitReached(msg, "waitlist_per_client")
    if taken[client.address] >= MOST_PER_ADDRESS:
        msg = "Very many on this waitlist come from your network. Ask at the desk."
        raise LimitReached(msg, "waitlist_per_address")
    words = "You joined waitlists very often. Please wait a while, or ask at the desk."
    rates.check(unit, "waitlist_joins", client.id, JOINS_PER_HOUR, HOUR_MS, words)
    clients.check_orders(unit, clients.usage(unit, client.id), lines)


def look(unit: Unit, entry: str) -> EntryView:
    """Return an entry as it is now; ``NotFound`` if there is none."""
    row = _row(unit, entry)
    hold = show.hold_view(unit, row.hold) if row.hold is not None else None
    state = row.state
    if state == "offered" and hold is not None and hold.state in {"expired", "released"}:
        state = "lapsed"  # its time is over, and nobody has tidied up yet
    position, of = _position(unit, row) if state == "waiting" else (None, _length(unit, row.quota))
    items = tuple(_item(unit, each) for each in waiting.wishes(unit.db, row.number))
    return EntryView(
        id=row.entry,
        state=state,
        items=items,
        position=position,
        of=of,
        as_of_ms=unit.now.wall_ms if unit.device.link_up else unit.device.state_as_of_ms or unit.now.wall_ms,
        complete=unit.device.link_up,
        joined_at_ms=row.joined_at_ms,
        hold=hold if state in {"offered", "taken"} else None,
        order=hold.order if hold is not None else None,
    )


def _item(unit: Unit, each: Wish) -> HoldLine:
    event, at, kind = show.where_and_what(unit, each.ticket_type, "")
    return HoldLine(type=kind, event=event, at=at, quantity=each.quantity)


def _position(unit: Unit, row: Row[Any]) -> tuple[int, int]:
    """Return the place in line, from 1, and how many stand in it."""
    queue = turns.queues(unit, [row.quota])[row.quota]
    told = waiting.told(unit.db, [row.quota]).get(row.quota, waiting.Told())
    place = next(index for index, each in enumerate(queue, 1) if each.id == row.entry)
    # Who is not in the part of the line that was told stands behind all of it.
    behind = 0 if any(each.number == row.number for each in told.line) else told.longer
    return place + behind, len(queue) + told.longer


def _length(unit: Unit, quota: str) -> int:
    longer = waiting.told(unit.db, [quota]).get(quota, waiting.Told()).longer
    return len(turns.queues(unit, [quota]).get(quota, ())) + longer


def leave(unit: Unit, entry: str) -> None:
    """Leave the line, or give an offer back; doing it twice changes nothing. Tickets that were taken are an order's to cancel."""
    row = _row(unit, entry)
    if row.state == "waiting":
        turns.end(unit, row, "leave")
    elif row.state == "offered":
        end_hold(unit, row.hold, "release")
    elif row.state == "taken":
        msg = "These tickets are booked already. Cancel the order instead."
        raise Invalid(msg, field="entry")


def open_entries(unit: Unit, client: Client) -> tuple[EntryView, ...]:
    """Return where a client waits, newest first, so that a guest who lost the page finds it again."""
    return tuple(look(unit, row.entry) for row in waiting.open_of(unit.db, client.id))


def on_entrusted(unit: Unit, message: WaitlistEntrusted) -> None:
    """Answer for an entry that another device, or an earlier life of this one, took in; an end known here is told again.

    A card that went back may have given its number again: then it gets the next one, and the cloud hears of that.
    """
    row = waiting.find(unit.db, message.entry)
    if row is None:
        free = not waiting.numbered(unit.db, message.number)
        values = ({"number": message.number} if free else {}) | {
            "entry": message.entry,
            "quota": message.quota,
            "quantity": sum(each.quantity for each in message.wishes),
            "client": clients.of_no_phone("entry", message.entry),
            "address": "",
            "told_inc": "",
            "joined_at_ms": message.joined_at_ms,
        }
        waiting.add(unit.db, values, message.wishes)
        tidy(unit)
    elif row.state not in OPEN:
        unit.emit(WaitlistLeft(row.entry, row.quota, row.state, ()))
    elif row.told_inc == unit.inc:
        _tell(unit, row)


def _tell(unit: Unit, row: Row[Any]) -> None:
    wishes = waiting.wishes(unit.db, row.number)
    unit.emit(WaitlistJoined(row.entry, row.quota, row.number, wishes, row.joined_at_ms))
    waiting.change(unit.db, row.number, told_inc=unit.inc)


def tidy(unit: Unit) -> None:
    """Close entries whose session is over, cancelled or gone, and tell a new life's cloud who waits; run every few seconds."""
    if unit.device.sealed:
        return
    for row in waiting.rows_open(unit.db):
        if _over(unit, row.quota):
            turns.end(unit, row, "close")
            if row.hold is not None:
                end_hold(unit, row.hold, "expire")
        elif row.told_inc != unit.inc:
            _tell(unit, row)
    unit.at_end(turns.serve)


def _over(unit: Unit, quota: str) -> bool:
    known = unit.catalogue.quota.get(quota)
    if known is None:
        return unit.catalogue.version > 0  # a fresh device may answer for entries before it has a catalogue
    at = known.at
    return at.cancelled or (unit.now.trusted and unit.now.wall_ms >= at.ends_at_ms)


def _row(unit: Unit, entry: str) -> Row[Any]:
    row = waiting.find(unit.db, entry)
    if row is None:
        msg = "This place on the waitlist does not exist."
        raise NotFound(msg)
    return row
