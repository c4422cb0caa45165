"""The shelves of this device within a transaction: freeing what lapsed, claiming, and what screens may show."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from appliance.domain import sale
from appliance.domain.booking import next_hold
from appliance.domain.inventory import Line, Shelf, per_quota, require, shortages
from appliance.services import turns
from appliance.services.box import Unit
from appliance.store import allocations, holds, records
from mqtt_bridge.protocol.catalogue import EventSession
from mqtt_bridge.protocol.messages import StockCount


def free_lapsed(unit: Unit) -> int:
    """Expire every hold whose life is over and give its stock back; return how many.

    Boot-time starts anew with each boot, so holds of an earlier boot get their full life again first.
    """
    holds.adopt(unit.db, unit.now)
    lapsed = holds.lapsed(unit.db, unit.now)
    for hold_id in lapsed:
        end_hold(unit, hold_id, "expire")
    return len(lapsed)


def end_hold(unit: Unit, hold_id: str, event: str) -> None:
    """End an open hold by ``release`` or ``expire``; its stock is free again, once, however often it is ended.

    The waitlist is served with it at the end of the transaction; a waitlist offer ends its entry.
    """
    ended = holds.end(unit.db, hold_id, next_hold("open", event))
    if ended is None:
        return
    for item in holds.items(unit.db, hold_id):
        allocations.change(unit.db, item.quota, item.epoch, partial(Shelf.end, quantity=item.quantity))
    if ended.entry is not None:
        turns.offer_over(unit, ended.entry, "leave" if event == "release" else "lapse")
    unit.at_end(turns.serve)


def claim(unit: Unit, lines: Iterable[Line]) -> dict[str, Shelf]:
    """Return the shelves (as they were before) that can meet all lines; raises ``SoldOut`` or ``SoldOutHere``.

    The caller writes what it takes in the same transaction.
    """
    lines = tuple(lines)
    wanted = per_quota(lines)
    shelves = shelves_of(unit, wanted)
    if shortages(shelves, lines) and free_lapsed(unit):
        shelves = shelves_of(unit, wanted)
    require(shelves, lines)
    turns.walked_past(unit, wanted, shelves)
    return shelves


def shelves_of(unit: Unit, quotas: Iterable[str]) -> dict[str, Shelf]:
    """Return the current shelves of these quotas as anybody but the waitlist finds them."""
    return turns.kept(unit, allocations.shelves(unit.db, quotas))


def visible_shelves(unit: Unit) -> dict[str, Shelf]:
    """Return the shelves as they would be if lapsed holds had been freed already; for read-only views."""
    lapsed = holds.lapsed_stock(unit.db, unit.now)
    shelves = {
        quota: replace(shelf, held=shelf.held - lapsed.get((quota, shelf.epoch), 0))
        for quota, shelf in allocations.shelves(unit.db).items()
    }
    return turns.kept(unit, shelves)


def counts(unit: Unit, pairs: Iterable[tuple[str, int]]) -> tuple[StockCount, ...]:
    """Return the totals of these (quota, epoch) pairs as messages carry them."""
    found = (allocations.count(unit.db, quota, epoch) for quota, epoch in sorted(set(pairs)))
    return tuple(each for each in found if each is not None)


def sale_window(unit: Unit, at: EventSession, switches: dict[str, str]) -> sale.Window:
    """Return whether tickets of this session may be sold now."""
    return sale.window(at, unit.now, switches.get(f"sale:{at.id}"), frozen=unit.device.frozen)


def require_on_sale(unit: Unit, sessions: Iterable[EventSession]) -> None:
    """Raise ``SaleClosed`` unless all these sessions are on sale."""
    switches = records.switches(unit.db)
    for at in sessions:
        window = sale_window(unit, at, switches)
        sale.require_open(window, frozen=unit.device.frozen, sealed=unit.device.sealed)
