"""The door list: every ticket of a date on paper, for when nothing works but paper."""

from __future__ import annotations

import unicodedata

from appliance.domain.errors import Invalid, NotFound
from appliance.domain.printing import DoorList, DoorRow
from appliance.services.box import Unit
from appliance.store import orders

ROWS_PER_PART = 80
MOST_ROWS = 2000


def print_door_list(unit: Unit, event_session: str, staff: str) -> int:
    """Queue the list of a date's standing tickets, by name, in parts that a roll survives; return how many parts.

    Tickets without a name come last, by code. Raises ``NotFound``, and ``Invalid`` where there is nothing to list or far too much.
    """
    found = unit.catalogue.event_session.get(event_session)
    if found is None:
        msg = "This date does not exist (any more)."
        raise NotFound(msg)
    event, at = found
    rows = sorted((_row(unit, each) for each in orders.door_rows(unit.db, event_session)), key=_by_name)
    if not rows:
        msg = "This device knows no ticket for this date yet."
        raise Invalid(msg, field="event_session")
    if len(rows) > MOST_ROWS:
        msg = f"{len(rows)} tickets are too many for paper; a list has at most {MOST_ROWS}."
        raise Invalid(msg, field="event_session")
    parts = [tuple(rows[start : start + ROWS_PER_PART]) for start in range(0, len(rows), ROWS_PER_PART)]
    venue = unit.catalogue.venue.get(at.venue)
    for number, part in enumerate(parts, 1):
        document = DoorList(
            event=event.title,
            starts_at_ms=at.starts_at_ms,
            timezone=at.timezone,
            venue=venue.name if venue else at.venue,
            at_ms=unit.now.wall_ms,
            tickets=len(rows),
            inside=sum(each.inside for each in rows),
            part=number,
            parts=len(parts),
            rows=part,
        )
        unit.print("door_list", document)
    unit.audit(staff, "door_list", event_session, f"{len(rows)} tickets")
    return len(parts)


def _row(unit: Unit, row: orders.DoorRowFound) -> DoorRow:
    known = unit.catalogue.ticket_type.get(row.ticket_type)
    due = "" if row.payment == "paid" or not row.price_minor else "to pay"
    note = due if row.note is None else " - ".join(filter(None, ("guest list", row.note, due)))
    return DoorRow(row.name, row.code, known.kind.name if known else "", inside=row.inside, note=note)


def _by_name(row: DoorRow) -> tuple[bool, str, str]:
    """Order by name whatever its accents and case, nameless ones last."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", row.name) if not unicodedata.combining(char))
    return not row.name, bare.casefold(), row.code
