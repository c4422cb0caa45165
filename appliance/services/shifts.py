"""Shifts: a person at the till from an opening float to a counted drawer. What is closed stays; corrections are new entries."""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import Row

from appliance.domain import cashup
from appliance.domain.cashup import ENTRY_KINDS, EntryKind, Takings
from appliance.domain.clock import DAY_MS
from appliance.domain.errors import Invalid, NotFound
from appliance.domain.people import clean
from appliance.domain.printing import NoSale, ReportLine, ShiftNote, ShiftReport
from appliance.services.box import Unit
from appliance.services.staff_views import EntryLine, EveningRow, ShiftView
from appliance.store import shifts

# Written to payments that moved while nobody had opened a shift; those of other devices have none at all.
NO_SHIFT = 0
LATEST = 20
EVENINGS_MS = 8 * DAY_MS


def shift_now(unit: Unit, staff: str) -> int:
    """Return the number of the shift that a payment taken now by ``staff`` belongs to, ``NO_SHIFT`` without one."""
    row = shifts.open_of(unit.db, staff)
    return NO_SHIFT if row is None else int(row.number)


def open_shift(unit: Unit, staff: str, float_minor: int) -> ShiftView:
    """Open a shift with so much cash in the drawer; ``Invalid`` if that person has one open."""
    if shifts.open_of(unit.db, staff) is not None:
        msg = "Your shift is open already. Close it first."
        raise Invalid(msg, field="shift")
    number = shifts.add(
        unit.db,
        {
            "badge": staff,
            "currency": currency(unit),
            "float_minor": float_minor,
            "opened_at_ms": unit.now.wall_ms,
        },
    )
    unit.audit(staff, "shift_open", str(number), f"float {float_minor} {currency(unit)}")
    return view(unit, number)


def enter(unit: Unit, staff: str, kind: EntryKind, minor: int, note: str) -> ShiftView:
    """Note in one's open shift that the drawer was opened without a sale, or cash was put in or taken out.

    ``Invalid`` without an open shift, for an amount that does not fit the kind, or cash moved without saying why.
    """
    row = shifts.open_of(unit.db, staff)
    note = clean(note, "note")
    if row is None:
        msg = "Open a shift first."
        raise Invalid(msg, field="shift")
    if kind not in ENTRY_KINDS:
        msg = f"The kind must be one of {', '.join(ENTRY_KINDS)}."
        raise Invalid(msg, field="kind")
    if (kind == "no_sale") != (minor == 0) or minor < 0:
        msg = "Cash that is put in or taken out needs an amount; opening the drawer has none."
        raise Invalid(msg, field="amount")
    if minor and not note:
        msg = "Say what the cash was for."
        raise Invalid(msg, field="note")
    _add(unit, row.number, staff, kind, minor, note)
    if kind == "no_sale":
        unit.print("no_sale", NoSale(venue_name(unit), zone(unit), unit.now.wall_ms, staff, note))
    return view(unit, row.number)


def close_shift(unit: Unit, number: int, staff: str, counted_minor: int, note: str) -> ShiftView:
    """Close a shift with the cash that was counted, and print its report; what was expected is written down with it.

    A colleague may close a forgotten one. ``Invalid`` if it is closed already, or differs without a word of explanation.
    """
    found = view(unit, number)
    note = clean(note, "note")
    if found.closed_at_ms is not None:
        msg = "This shift is closed already. Enter a correction instead."
        raise Invalid(msg, field="shift")
    expected_minor = found.till.expected_minor
    if counted_minor != expected_minor and not note:
        msg = "The counted cash differs from what was expected. Count again, or say why."
        raise Invalid(msg, field="note")
    values = {
        "closed_at_ms": unit.now.wall_ms,
        "closed_by": staff,
        "expected_minor": expected_minor,
        "counted_minor": counted_minor,
        "note": note,
    }
    shifts.close(unit.db, number, values)
    detail = f"expected {expected_minor} counted {counted_minor} {found.currency}"
    unit.audit(staff, "shift_close", str(number), detail)
    print_report(unit, number)
    return view(unit, number)


def correct(unit: Unit, number: int, staff: str, minor: int, note: str) -> ShiftView:
    """Add a correction to a closed shift: an amount (negative: there was less) and why. The figures of its close stay."""
    found = view(unit, number)
    note = clean(note, "note")
    if found.closed_at_ms is None:
        msg = "This shift is still open. Enter cash put in or taken out instead."
        raise Invalid(msg, field="shift")
    if not minor or not note:
        msg = "A correction needs an amount and a word why."
        raise Invalid(msg, field="note")
    _add(unit, number, staff, "correction", minor, note)
    return view(unit, number)


def print_report(unit: Unit, number: int) -> int:
    """Queue the report of a closed shift; ``Invalid`` while it is open."""
    found = view(unit, number)
    if found.closed_at_ms is None:
        msg = "The report is printed when the shift is closed."
        raise Invalid(msg, field="shift")
    return unit.print("shift_report", _report(unit, found))


def mine(unit: Unit, staff: str) -> ShiftView | None:
    """Return somebody's open shift."""
    row = shifts.open_of(unit.db, staff)
    return None if row is None else _view(unit, row)


def view(unit: Unit, number: int) -> ShiftView:
    """Return a shift with what it moved; ``NotFound`` if there is none."""
    row = shifts.find(unit.db, number)
    if row is None:
        msg = "This shift does not exist."
        raise NotFound(msg)
    return _view(unit, row)


def latest(unit: Unit) -> tuple[ShiftView, ...]:
    """Return the latest shifts, open ones first."""
    return tuple(_view(unit, row) for row in shifts.latest(unit.db, LATEST))


def evenings(unit: Unit) -> tuple[EveningRow, ...]:
    """Return what each person moved here on each evening of the last week, newest first, shift or none."""
    where = zone(unit)
    moves: dict[tuple[date, str], list[Row[Any]]] = {}
    for row in shifts.moves_since(unit.db, unit.now.wall_ms - EVENINGS_MS):
        moves.setdefault((cashup.evening_of(row.taken_at_ms, where), row.staff), []).append(row)
    return tuple(
        EveningRow(
            evening=evening.isoformat(),
            staff=staff,
            takings=cashup.takings((row.method, row.amount_minor) for row in rows),
            without_shift=sum(row.shift == NO_SHIFT for row in rows),
        )
        for (evening, staff), rows in sorted(moves.items(), key=lambda each: (-each[0][0].toordinal(), each[0][1]))
    )


def currency(unit: Unit) -> str:
    """Return the one currency of the catalogue; ``Invalid`` while nothing is sold here at all."""
    for _event, _at, kind in unit.catalogue.ticket_type.values():
        return kind.currency
    msg = "There is no catalogue yet, so there is no currency to count in."
    raise Invalid(msg, field="shift")


def zone(unit: Unit) -> str:
    """Return the time zone of this venue's sessions, else of any, else UTC."""
    sessions = [at for event in unit.catalogue.events for at in event.sessions]
    ordered = sorted(sessions, key=lambda at: at.venue != unit.identity.venue)
    return ordered[0].timezone if ordered else "UTC"


def venue_name(unit: Unit) -> str:
    """Return what this venue is called."""
    venue = unit.catalogue.venue.get(unit.identity.venue)
    return venue.name if venue else unit.identity.venue


def _add(unit: Unit, number: int, staff: str, kind: EntryKind, minor: int, note: str) -> None:
    values = {"shift": number, "kind": kind, "amount_minor": minor, "note": note, "staff": staff}
    shifts.add_entry(unit.db, values | {"at_ms": unit.now.wall_ms})
    unit.audit(staff, f"shift_{kind}", str(number), str(minor))


def _view(unit: Unit, row: Row[Any]) -> ShiftView:
    entries = shifts.entries(unit.db, row.number)
    moved = [(each.kind, each.amount_minor) for each in entries]
    return ShiftView(
        number=row.number,
        staff=row.badge,
        currency=row.currency,
        opened_at_ms=row.opened_at_ms,
        closed_at_ms=row.closed_at_ms,
        closed_by=row.closed_by,
        till=cashup.till(row.float_minor, shifts.moves(unit.db, row.number), moved),
        expected_minor=row.expected_minor,
        counted_minor=row.counted_minor,
        note=row.note,
        entries=tuple(EntryLine(e.kind, e.amount_minor, e.note, e.staff, e.at_ms) for e in entries),
        timezone=zone(unit),
    )


def _report(unit: Unit, found: ShiftView) -> ShiftReport:
    taken: Takings = found.till.takings
    lines = (
        ("Cash", taken.cash),
        ("Card terminal", taken.terminal),
        ("Given away", taken.comp),
        ("Paid back in cash", taken.cash_back),
        ("Paid back by terminal", taken.terminal_back),
        ("Cash put in", found.till.paid_in),
        ("Cash taken out", found.till.paid_out),
    )
    return ShiftReport(
        number=found.number,
        venue=venue_name(unit),
        timezone=found.timezone,
        staff=found.staff,
        opened_at_ms=found.opened_at_ms,
        closed_at_ms=found.closed_at_ms or 0,
        closed_by=found.closed_by,
        currency=found.currency,
        float_minor=found.till.float_minor,
        lines=tuple(ReportLine(name, each.count, each.minor) for name, each in lines),
        no_sales=found.till.no_sales,
        expected_minor=found.expected_minor,
        counted_minor=found.counted_minor,
        note=found.note,
        corrections=tuple(ShiftNote(each.at_ms, each.staff, each.minor, each.note) for each in found.corrections),
    )
