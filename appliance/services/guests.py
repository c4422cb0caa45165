"""Guest lists: each guest becomes a comp order that draws from the allocation like any sale, once however often it is listed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from appliance.domain import guestlist
from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import DiskFull, Invalid, NotFound, SoldOut, SoldOutHere
from appliance.domain.guestlist import Guest, GuestList, Problem
from appliance.domain.inventory import Line, Shelf
from appliance.domain.texts import translatable
from appliance.services import asking, booking, payments
from appliance.services.box import Box, Unit
from appliance.services.staff_views import GuestPlan, GuestsAdded, PlannedGuest
from appliance.services.stock import claim, end_hold, require_on_sale, visible_shelves
from appliance.store import allocations, guests, holds
from mqtt_bridge.protocol.catalogue import EventSession

# A guest's sale signs several times; the door must not wait for a whole list.
AT_ONCE = 10
HOLD_LIFE_MS = 10 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class _Due:
    """``tickets`` more for a guest, whose key then has ``upto`` in all."""

    guest: Guest
    key: str
    tickets: int
    upto: int


@dataclass(frozen=True, slots=True)
class _Held:
    due: _Due
    hold: str


def plan(unit: Unit, event_session: str, text: str, default: str) -> GuestPlan:
    """Say what importing a list would do, changing nothing; ``default`` is the ticket type of rows that name none."""
    at = _session(unit, event_session)
    found = _read(at, text, default)
    due = {each.guest.line: each for each in _due(unit, at, found.guests)}
    names = {kind.id: kind.name for kind in at.ticket_types}
    wanted = Counter[str]()
    for each in due.values():
        wanted[_quota(at, each.guest)] += each.tickets
    shelves = visible_shelves(unit)
    short = {quota: number - (shelves[quota].available if quota in shelves else 0) for quota, number in wanted.items()}
    known = guests.listed(unit.db, event_session)
    return GuestPlan(
        at=at,
        rows=tuple(
            PlannedGuest(each.line, each.name, each.tickets, names[each.ticket_type], each.note, _add(due, each))
            for each in found.guests
        ),
        problems=found.problems,
        ignored=found.ignored,
        fewer=_fewer(at, found.guests, known),
        wanted=sum(wanted.values()),
        short=sum(number for number in short.values() if number > 0),
    )


def add(box: Box, event_session: str, text: str, default: str, staff: str, *, only_good: bool = False) -> GuestsAdded:
    """Import a list: its stock is held in one transaction or not at all, then its orders are made a few at a time.

    Whatever happens in between, importing the same file again does the rest and nothing twice. Raises ``Invalid`` where a row
    is wrong, ``SoldOutHere`` or ``SoldOut`` where not all fit, and then imports nobody. With ``only_good`` wrong rows and
    those that do not fit are left out and named. Takes the box, because a whole list must not hold up everybody's writes.
    """
    held, left_out = asking.run(box, lambda unit: _hold_all(unit, event_session, text, default, staff, only_good))
    tickets = 0
    for start in range(0, len(held), AT_ONCE):
        part = held[start : start + AT_ONCE]
        tickets += box.run(partial(_sell_all, part=part, staff=staff, event_session=event_session))
    added = GuestsAdded(len(held), tickets, tuple(left_out))
    box.run(lambda unit: unit.audit(staff, "guest_list", event_session, f"{len(held)} guests {tickets} tickets"))
    return added


def _hold_all(
    unit: Unit, event_session: str, text: str, default: str, staff: str, only_good: bool
) -> tuple[list[_Held], list[Problem]]:
    if not unit.box.has_room():
        raise DiskFull("The disk of this box office is full: nothing new can be held.", retry_after_s=60)
    at = _session(unit, event_session)
    found = _read(at, text, default)
    if found.problems and not only_good:
        msg = f"{len(found.problems)} rows are wrong. Correct them, or import the good rows alone."
        raise Invalid(msg, field="file")
    if at.cancelled or unit.device.frozen or unit.device.sealed:
        require_on_sale(unit, [at])
    left_out = list(found.problems)
    due = list(_due(unit, at, found.guests))
    if not only_good:
        _require(unit, at, due)
    held = []
    for each in due:
        try:
            held.append(_Held(each, _hold(unit, at, each, staff)))
        except (SoldOut, SoldOutHere):
            words = translatable("Not imported: there is no ticket left here for “%(about)s”.")
            left_out.append(Problem(each.guest.line, words, each.guest.name))
    return held, left_out


def _require(unit: Unit, at: EventSession, due: Iterable[_Due]) -> None:
    """Raise for all that is short at once, so that the cloud is asked for all of it."""
    wanted = Counter[str]()
    for each in due:
        wanted[each.guest.ticket_type] += each.tickets
    quotas = {kind.id: kind.quota for kind in at.ticket_types}
    if wanted:
        claim(unit, [Line(kind, quotas[kind], number) for kind, number in sorted(wanted.items())])


def _hold(unit: Unit, at: EventSession, due: _Due, staff: str) -> str:
    """Claim what one guest needs, whether the sale is open or not: guests are invited, not sold to."""
    line = Line(due.guest.ticket_type, _quota(at, due.guest), due.tickets)
    shelf: Shelf = claim(unit, [line])[line.quota]
    hold = unit.secret()
    row = {
        "id": hold,
        "code": unit.code(),
        "client": f"staff:{staff}",
        "boot_id": unit.now.boot_id,
        "placed_boot_ms": unit.now.boot_ms,
        "expires_boot_ms": unit.now.boot_ms + HOLD_LIFE_MS,
        "life_ms": HOLD_LIFE_MS,
        "placed_at_ms": unit.now.wall_ms,
        "expires_at_ms": unit.now.wall_ms + HOLD_LIFE_MS,
        "channel": "desk",
    }
    holds.add(unit.db, row, [line], {line.quota: shelf.epoch})
    allocations.put(unit.db, shelf.hold(line.quantity))
    return hold


def _sell_all(unit: Unit, part: Sequence[_Held], staff: str, event_session: str) -> int:
    return sum(_sell(unit, each, staff, event_session) for each in part)


def _sell(unit: Unit, held: _Held, staff: str, event_session: str) -> int:
    """Make the order of one guest, as a comp and without paper; 0 where somebody else imported them meanwhile."""
    due = held.due
    if guests.tickets_of(unit.db, due.key) >= due.upto:
        end_hold(unit, held.hold, "release")
        return 0
    order = booking.confirm(unit, held.hold, name=due.guest.name, staff=staff)
    if order.due_minor:
        payments.take_payment(unit, order.id, staff, "comp", order.due_minor, paper=False)
    row = {"order": order.id, "event_session": event_session, "key": due.key, "tickets": due.tickets}
    guests.add(unit.db, row | {"note": due.guest.note, "added_at_ms": unit.now.wall_ms, "added_by": staff})
    return due.tickets


def _due(unit: Unit, at: EventSession, rows: Iterable[Guest]) -> Iterator[_Due]:
    """Yield what each row still needs: who is listed twice gets the tickets of both rows, who was imported before nothing."""
    known = guests.listed(unit.db, at.id)
    asked = Counter[str]()
    for each in rows:
        key = guestlist.key_of(each, at.id)
        before = max(asked[key], known.get(key, 0))
        asked[key] += each.tickets
        if asked[key] > before:
            yield _Due(each, key, asked[key] - before, asked[key])


def _fewer(at: EventSession, rows: Iterable[Guest], known: dict[str, int]) -> tuple[str, ...]:
    """Return who is listed with fewer tickets than before: those are not taken away."""
    asked = Counter[str]()
    names: dict[str, str] = {}
    for each in rows:
        key = guestlist.key_of(each, at.id)
        asked[key] += each.tickets
        names[key] = each.name
    return tuple(names[key] for key, number in asked.items() if number < known.get(key, 0))


def _add(due: dict[int, _Due], guest: Guest) -> int:
    return due[guest.line].tickets if guest.line in due else 0


def _read(at: EventSession, text: str, default: str) -> GuestList:
    types = {kind.name: kind.id for kind in at.ticket_types}
    return guestlist.read(text, types, default if default in types.values() else "")


def _quota(at: EventSession, guest: Guest) -> str:
    return next(kind.quota for kind in at.ticket_types if kind.id == guest.ticket_type)


def _session(unit: Unit, event_session: str) -> EventSession:
    found = unit.catalogue.event_session.get(event_session)
    if found is None:
        msg = "This date does not exist (any more)."
        raise NotFound(msg)
    return found.at
