"""The waitlist at work: who is due gets an offer in the very transaction that frees the stock, offline too.

Whatever frees stock says ``unit.at_end(turns.serve)``; whoever sells to others sees shelves through ``kept``, so what is due to
somebody in line is never theirs, in whichever order a transaction does things.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Literal

from msgspec.structs import replace
from sqlalchemy import Row

from appliance.domain import sale
from appliance.domain.clock import MINUTE_MS
from appliance.domain.inventory import Line, Shelf
from appliance.services.box import Unit
from appliance.store import allocations, holds, records, waiting
from mqtt_bridge.protocol import waitlist
from mqtt_bridge.protocol.messages import OfferMade, OfferWithdrawn, StockCount, WaitlistLeft
from mqtt_bridge.protocol.waitlist import Served, State, Waiting, next_state


def queues(unit: Unit, quotas: Iterable[str] | None = None) -> dict[str, list[Waiting]]:
    """Return the line of each quota somebody waits for: the cloud's, and behind it what the cloud does not know yet."""
    own: dict[str, dict[int, Waiting]] = {}
    wanted = None if quotas is None else list(quotas)
    for row in waiting.rows_waiting(unit.db, wanted):
        own.setdefault(row.quota, {})[row.number] = waiting.entry_of(row)
    told = waiting.told(unit.db, wanted)
    return {
        quota: _merged(unit, own.get(quota, {}), told.get(quota, waiting.Told())) for quota in sorted({*own, *told})
    }


def _merged(unit: Unit, own: dict[int, Waiting], told: waiting.Told) -> list[Waiting]:
    # A cloud that fell silent would not fetch what is kept for people elsewhere, whatever the link says.
    return waitlist.merged(own, told.line, linked=unit.device.link_up and told.fresh(unit.now))


def kept(unit: Unit, shelves: dict[str, Shelf]) -> dict[str, Shelf]:
    """Return the shelves as people outside the line find them: what is due to somebody in it is kept."""
    for quota, queue in queues(unit, shelves).items():
        shelf = shelves[quota]
        shelves[quota] = replace(shelf, kept=shelf.free - waitlist.serve(queue, shelf.free).spare, waited_for=True)
    return shelves


def walked_past(unit: Unit, taken: Mapping[str, int], shelves: Mapping[str, Shelf]) -> None:
    """Count what people outside the line take (per quota) past those here who cannot be served yet."""
    waited_for = [quota for quota in taken if shelves[quota].waited_for]
    for quota, queue in queues(unit, waited_for).items() if waited_for else ():
        unmet = waitlist.gone_by(queue, waitlist.serve(queue, shelves[quota].free))
        _write(unit, waitlist.walked_past(unmet, taken[quota]))


def serve(unit: Unit) -> None:
    """Offer what is free to those who are due; ends offers whose stock is lost, and saves for groups."""
    for row in waiting.offers_without_stock(unit.db):
        withdraw(unit, row)
    rows = {row.entry: row for row in waiting.rows_waiting(unit.db)}
    quotas = {row.quota for row in rows.values()}
    if not quotas:
        return
    switches = records.switches(unit.db)
    shelves = allocations.shelves(unit.db, quotas)
    for quota, queue in queues(unit, quotas).items():
        if quota in shelves and _on_sale(unit, quota, switches):
            _serve(unit, shelves[quota], queue, rows)


def _on_sale(unit: Unit, quota: str, switches: dict[str, str]) -> bool:
    known = unit.catalogue.quota.get(quota)
    if known is None:
        return False
    at = known.at
    return sale.window(at, unit.now, switches.get(f"sale:{at.id}"), frozen=unit.device.frozen) == "open"


def _serve(unit: Unit, shelf: Shelf, queue: list[Waiting], rows: dict[str, Row[Any]]) -> None:
    served = waitlist.serve(queue, shelf.free)
    if _saved_in_vain(unit, served, rows):
        # Those behind are offered what was saved; a group that fits now was not unmet.
        begun = {each.id: each for each in waitlist.next_round(served.unmet)}
        queue = [begun.get(each.id, each) if each.here else each for each in queue]
        served = waitlist.serve(queue, shelf.free)
    _write(unit, waitlist.gone_by(queue, served))
    _save(unit, served, rows)
    for each in served.offers:
        _offer(unit, rows[each.id], shelf)


def _saved_in_vain(unit: Unit, served: Served, rows: dict[str, Row[Any]]) -> bool:
    """Return whether stock has been saved for the first here for so long that another round begins."""
    if not served.saved or not served.unmet[0].here:
        return False
    first = served.unmet[0]
    row = rows[first.id]
    if row.saving_boot_ms is None or row.saving_boot_id != unit.now.boot_id:
        return False
    return bool(unit.now.boot_ms - row.saving_boot_ms >= waitlist.saving_ms(first.rounds))


def _save(unit: Unit, served: Served, rows: dict[str, Row[Any]]) -> None:
    """Note since when (boot-time) stock is saved for the first in line, and that for others none is."""
    first = served.unmet[0].id if served.saved and served.unmet[0].here else ""
    for each in served.unmet:
        if not each.here:
            continue
        row = rows[each.id]
        if each.id != first:
            if row.saving_boot_id is not None:
                waiting.change(unit.db, row.number, saving_boot_id=None, saving_boot_ms=None)
        elif row.saving_boot_id != unit.now.boot_id or row.rounds != each.rounds:
            waiting.change(unit.db, row.number, saving_boot_id=unit.now.boot_id, saving_boot_ms=unit.now.boot_ms)


def _write(unit: Unit, entries: Iterable[Waiting]) -> None:
    for each in entries:
        row = waiting.find(unit.db, each.id) if each.here else None
        if row is not None and (row.rounds, row.passed) != (each.rounds, each.passed):
            waiting.change(unit.db, row.number, rounds=each.rounds, passed=each.passed)


def _offer(unit: Unit, row: Row[Any], shelf: Shelf) -> None:
    """Hold the tickets for an entry, all of them."""
    life_ms = round(unit.catalogue.limits.offer_minutes * MINUTE_MS)
    hold_id = unit.secret()
    values = {
        "id": hold_id,
        "code": unit.code(),
        "client": row.client,
        "boot_id": unit.now.boot_id,
        "placed_boot_ms": unit.now.boot_ms,
        "expires_boot_ms": unit.now.boot_ms + life_ms,
        "life_ms": life_ms,
        "placed_at_ms": unit.now.wall_ms,
        "expires_at_ms": unit.now.wall_ms + life_ms,
        "channel": "phone",
        "entry": row.entry,
    }
    lines = [Line(each.ticket_type, row.quota, each.quantity) for each in waiting.wishes(unit.db, row.number)]
    holds.add(unit.db, values, lines, {row.quota: shelf.epoch})
    allocations.change(unit.db, row.quota, shelf.epoch, partial(Shelf.hold, quantity=row.quantity))
    waiting.change(unit.db, row.number, state=next_state(row.state, "offer"), hold=hold_id, saving_boot_id=None)
    unit.emit(OfferMade(row.entry, row.quota, _stock(unit, row.quota)))


def withdraw(unit: Unit, row: Row[Any]) -> None:
    """Let an entry wait again at its place: this device lost the stock behind its offer. The dead hold stays dead."""
    waiting.change(unit.db, row.number, state=next_state(row.state, "withdraw"), hold=None)
    if holds.end(unit.db, row.hold, "expired") is not None:
        for item in holds.items(unit.db, row.hold):
            allocations.change(unit.db, item.quota, item.epoch, partial(Shelf.end, quantity=item.quantity))
    unit.emit(OfferWithdrawn(row.entry, row.quota))


def withdraw_all(unit: Unit) -> None:
    """Let everybody who has an offer wait again: this device will not sell any more."""
    for row in waiting.rows_open(unit.db):
        if row.state == "offered":
            withdraw(unit, row)


def offer_over(unit: Unit, entry: str, how: Literal["take", "lapse", "leave"]) -> None:
    """Note how an offer ended; one that ended before stays as it is."""
    row = waiting.find(unit.db, entry)
    if row is not None and row.state == "offered":
        end(unit, row, how)


def end(unit: Unit, row: Row[Any], how: Literal["take", "lapse", "leave", "close"]) -> None:
    """End an entry for good; its contact is wiped, and those behind it may be due."""
    after: State = next_state(row.state, how)
    waiting.change(unit.db, row.number, state=after, contact="", ended_at_ms=unit.now.wall_ms, saving_boot_id=None)
    # ``after`` of these four events is one of the four ends.
    unit.emit(WaitlistLeft(row.entry, row.quota, after, _stock(unit, row.quota)))  # type: ignore[arg-type]
    unit.at_end(serve)


def _stock(unit: Unit, quota: str) -> tuple[StockCount, ...]:
    shelf = allocations.shelves(unit.db, [quota]).get(quota)
    count = None if shelf is None else allocations.count(unit.db, quota, shelf.epoch)
    return () if count is None else (count,)
