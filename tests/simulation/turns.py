"""The waitlist at a simulated device: the product's rules over a card. Mirrors ``services.turns`` and ``services.waitlist``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec.structs import replace

from appliance.domain.errors import Invalid, SaleClosed
from appliance.domain.inventory import Shelf
from appliance.store.waiting import FRESH_MS
from mqtt_bridge.protocol import waitlist
from mqtt_bridge.protocol.messages import (
    InLine,
    OfferMade,
    OfferWithdrawn,
    StockCount,
    WaitlistEntrusted,
    WaitlistJoined,
    WaitlistLeft,
    Wish,
)
from mqtt_bridge.protocol.waitlist import OPEN, Served, Waiting, next_state
from tests.simulation import till
from tests.simulation.card import Hold, Item, ToldLine, Waiter

if TYPE_CHECKING:
    from tests.simulation.unit import Unit

End = Literal["take", "lapse", "leave"]


class Step(NamedTuple):
    """Something that happened to an entry, for the truth. ``hold`` is the offer that was made or is over."""

    what: Literal["join", "offer", "withdraw", "take", "lapse", "leave"]
    waiter: Waiter
    hold: str | None


# --- services/turns


def queues(unit: Unit, quotas: Collection[str] | None = None) -> dict[str, list[Waiting]]:
    """The line of each quota somebody waits for: the cloud's, and behind it what the cloud does not know yet."""
    own: dict[str, dict[int, Waiting]] = {}
    for row in unit.card.open_waiters.rows.values():
        if row.state == "waiting" and (quotas is None or row.quota in quotas):
            entry = Waiting(row.id, row.quantity, rounds=row.rounds, passed=row.passed)
            own.setdefault(row.quota, {})[row.number] = entry
    told = {quota: row for quota, row in unit.card.lines.rows.items() if quotas is None or quota in quotas}
    return {quota: _merged(unit, own.get(quota, {}), told.get(quota)) for quota in sorted({*own, *told})}


def _merged(unit: Unit, own: dict[int, Waiting], told: ToldLine | None) -> list[Waiting]:
    linked = unit.card.row.link_up and told is not None and fresh(unit, told)
    return waitlist.merged(own, () if told is None else told.line, linked=linked)


def fresh(unit: Unit, told: ToldLine) -> bool:
    """Whether a line was heard a moment ago, in this boot."""
    return told.boot_id == unit.now.boot_id and unit.now.boot_ms - told.boot_ms < FRESH_MS


def kept(unit: Unit, shelves: dict[str, Shelf]) -> dict[str, Shelf]:
    """The shelves as people outside the line find them."""
    if unit.card.open_waiters.rows or unit.card.lines.rows:
        for quota, queue in queues(unit, [each for each in shelves if shelves[each].free]).items():
            spare = waitlist.serve(queue, shelves[quota].free).spare
            shelves[quota] = replace(shelves[quota], kept=shelves[quota].free - spare, waited_for=True)
        waited_for = {row.quota for row in unit.card.open_waiters.rows.values() if row.state == "waiting"}
        for quota in (waited_for | unit.card.lines.rows.keys()) & shelves.keys():
            if not shelves[quota].free:
                shelves[quota] = replace(shelves[quota], waited_for=True)
    return shelves


def walked_past(unit: Unit, taken: Mapping[str, int], shelves: Mapping[str, Shelf]) -> None:
    """Count what people outside the line take past those here who cannot be served yet."""
    waited_for = [quota for quota in taken if shelves[quota].waited_for]
    for quota, queue in queues(unit, waited_for).items() if waited_for else ():
        unmet = waitlist.gone_by(queue, waitlist.serve(queue, shelves[quota].free))
        _write(unit, waitlist.walked_past(unmet, taken[quota]))


def serve(unit: Unit) -> None:
    """Offer what is free to those who are due; ends offers whose stock is lost, and saves for groups."""
    for row in _offers_without_stock(unit):
        withdraw(unit, row)
    rows = {row.id: row for row in unit.card.open_waiters.rows.values() if row.state == "waiting"}
    if not rows or unit.card.row.frozen:
        return
    shelves = till.current(unit)
    saved_for = {row.quota for row in rows.values() if row.saving_boot_id is not None}
    for quota, queue in queues(
        unit, {each for each in _wanted(rows, shelves) if shelves[each].free or each in saved_for}
    ).items():
        _serve(unit, shelves[quota], queue, rows)


def _wanted(rows: Mapping[str, Waiter], shelves: Mapping[str, Shelf]) -> set[str]:
    return {row.quota for row in rows.values()} & shelves.keys()


def _offers_without_stock(unit: Unit) -> list[Waiter]:
    offered = [row for row in unit.card.open_waiters.rows.values() if row.state == "offered"]
    return sorted((row for row in offered if not _backed(unit, row)), key=lambda row: row.number)


def _backed(unit: Unit, row: Waiter) -> bool:
    items = unit.card.holds.rows[row.hold or ""].items
    shelves = (unit.card.shelves.get((each.quota, each.epoch)) for each in items)
    return any(shelf is not None and shelf.current for shelf in shelves)


def _serve(unit: Unit, shelf: Shelf, queue: list[Waiting], rows: dict[str, Waiter]) -> None:
    served = waitlist.serve(queue, shelf.free)
    if _saved_in_vain(unit, served, rows):
        begun = {each.id: each for each in waitlist.next_round(served.unmet)}
        queue = [begun.get(each.id, each) if each.here else each for each in queue]
        served = waitlist.serve(queue, shelf.free)
    _write(unit, waitlist.gone_by(queue, served))
    _save(unit, served, rows)
    for each in served.offers:
        _offer(unit, unit.card.open_waiters.rows[each.id], shelf.epoch)


def _saved_in_vain(unit: Unit, served: Served, rows: dict[str, Waiter]) -> bool:
    if not served.saved or not served.unmet[0].here:
        return False
    first = served.unmet[0]
    row = rows[first.id]
    if row.saving_boot_id != unit.now.boot_id:
        return False
    return unit.now.boot_ms - row.saving_boot_ms >= waitlist.saving_ms(first.rounds)


def _save(unit: Unit, served: Served, rows: dict[str, Waiter]) -> None:
    first = served.unmet[0].id if served.saved and served.unmet[0].here else ""
    for each in [one for one in served.unmet if one.here]:
        row = rows[each.id]
        if each.id != first:
            if row.saving_boot_id is not None:
                _change(unit, row.id, saving_boot_id=None)
        elif row.saving_boot_id != unit.now.boot_id or row.rounds != each.rounds:
            _change(unit, row.id, saving_boot_id=unit.now.boot_id, saving_boot_ms=unit.now.boot_ms)


def _write(unit: Unit, entries: Iterable[Waiting]) -> None:
    for each in entries:
        row = unit.card.open_waiters.get(each.id) if each.here else None
        if row is not None and (row.rounds, row.passed) != (each.rounds, each.passed):
            _change(unit, row.id, rounds=each.rounds, passed=each.passed)


def _change(unit: Unit, entry: str, **values: object) -> Waiter:
    row = unit.card.waiters.rows[entry]._replace(**values)  # type: ignore[arg-type]  # names are the row's
    unit.card.put_waiter(row)
    return row


def _offer(unit: Unit, row: Waiter, epoch: int) -> None:
    life_ms = round(unit.catalogue.limits.offer_minutes * 60_000)
    expires_ms = unit.now.boot_ms + life_ms
    items = (Item(row.quota, epoch, row.quantity),)
    hold = Hold(unit.secret(), items, "open", unit.now.boot_id, expires_ms, life_ms, entry=row.id)
    unit.put_hold(hold)
    unit.change_shelf(row.quota, epoch, partial(Shelf.hold, quantity=row.quantity))
    row = _change(unit, row.id, state=next_state(row.state, "offer"), hold=hold.id, saving_boot_id=None)
    unit.emit(OfferMade(row.id, row.quota, _stock(unit, row.quota)))
    unit.steps.append(Step("offer", row, hold.id))


def withdraw(unit: Unit, row: Waiter) -> None:
    """Let an entry wait again at its place: this device lost the stock behind its offer. The dead hold stays dead."""
    hold = unit.card.holds.rows[row.hold or ""]
    unit.steps.append(Step("withdraw", row, hold.id))
    _change(unit, row.id, state=next_state(row.state, "withdraw"), hold=None)
    if hold.state == "open":
        unit.put_hold(hold._replace(state="expired"))
        for item in hold.items:
            unit.change_shelf(item.quota, item.epoch, partial(Shelf.end, quantity=item.quantity))
    unit.emit(OfferWithdrawn(row.id, row.quota))


def offer_over(unit: Unit, entry: str, how: End) -> None:
    """Note how an offer ended; one that ended before stays as it is."""
    row = unit.card.waiters.get(entry)
    if row is not None and row.state == "offered":
        end(unit, row, how)


def end(unit: Unit, row: Waiter, how: End) -> None:
    """End an entry for good; those behind it may be due."""
    if how != "take":  # what was sold is noted where it is sold, whatever the entry says
        unit.steps.append(Step(how, row, row.hold))
    row = _change(unit, row.id, state=next_state(row.state, how), saving_boot_id=None)
    unit.emit(WaitlistLeft(row.id, row.quota, row.state, _stock(unit, row.quota)))  # type: ignore[arg-type]  # an end
    unit.at_end(serve)


def _stock(unit: Unit, quota: str) -> tuple[StockCount, ...]:
    shelf = till.current(unit).get(quota)
    return () if shelf is None else (shelf.count,)


# --- services/waitlist


def join(unit: Unit, quota: str, quantity: int) -> str:
    """Wait for tickets at the end of the line."""
    if unit.card.row.frozen:
        raise SaleClosed("starting anew", state="closed")
    till.free_lapsed(unit)
    shelf = till.shelves_of(unit, [quota]).get(quota)
    if shelf is not None and shelf.available > 0:
        raise Invalid("on sale", field="items")
    number = _next_number(unit)
    row = Waiter(unit.secret(), number, quota, quantity, unit.card.row.inc, unit.now.wall_ms)
    unit.card.put_waiter(row)
    _emit(unit, row)
    unit.steps.append(Step("join", row, None))
    unit.at_end(serve)
    return row.id


def _next_number(unit: Unit) -> int:
    return max(0, *(each.number for each in unit.card.waiters.rows.values()), 0) + 1


def leave(unit: Unit, entry: str) -> None:
    """Leave the line, or give an offer back."""
    row = unit.card.waiters.get(entry)
    if row is None or row.state not in OPEN:
        return
    if row.state == "waiting":
        end(unit, row, "leave")
    else:
        till.end_hold(unit, unit.card.holds.rows[row.hold or ""], "release")


def on_entrusted(unit: Unit, message: WaitlistEntrusted) -> None:
    """Answer for an entry that another device, or an earlier life of this one, took in."""
    row = unit.card.waiters.get(message.entry)
    if row is None:
        taken = any(each.number == message.number for each in unit.card.waiters.rows.values())
        number = _next_number(unit) if taken else message.number
        quantity = sum(each.quantity for each in message.wishes)
        unit.card.put_waiter(Waiter(message.entry, number, message.quota, quantity, "", message.joined_at_ms))
        tidy(unit)
    elif row.state not in OPEN:
        unit.emit(WaitlistLeft(row.id, row.quota, row.state, ()))  # type: ignore[arg-type]  # an end
    elif row.told_inc == unit.card.row.inc:
        _tell(unit, row)


def _tell(unit: Unit, row: Waiter) -> None:
    _emit(unit, row)
    _change(unit, row.id, told_inc=unit.card.row.inc)


def _emit(unit: Unit, row: Waiter) -> None:
    wishes = (Wish(f"t-{row.quota}", row.quantity),)
    unit.emit(WaitlistJoined(row.id, row.quota, row.number, wishes, row.joined_at_ms))


def tidy(unit: Unit) -> None:
    """Tell a new life's cloud who waits; every few seconds."""
    if unit.card.row.sealed:
        return
    for row in sorted(unit.card.open_waiters.rows.values(), key=lambda each: each.number):
        if row.told_inc != unit.card.row.inc:
            _tell(unit, row)
    unit.at_end(serve)


def hear_line(unit: Unit, quota: str, line: tuple[InLine, ...], longer: int) -> None:
    """Write a line as the cloud told it just now."""
    if line or longer:
        unit.card.lines.put(quota, ToldLine(line, longer, unit.now.boot_id, unit.now.boot_ms))
    else:
        unit.card.lines.drop(quota)


def withdraw_all(unit: Unit) -> None:
    """Let everybody who has an offer wait again: this device will not sell any more."""
    for row in sorted(unit.card.open_waiters.rows.values(), key=lambda each: each.number):
        if row.state == "offered":
            withdraw(unit, row)
