"""What is to be printed, as facts; ``domain/paper`` lays them out for the paper there is.

Paper gets lost: names stand only on badges and door lists, which exist to show them. Times in ms since the epoch.
"""

from __future__ import annotations

import msgspec


class PrintedTicket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ticket on paper; ``receipt`` is the signed text for its QR code."""

    event: str
    starts_at_ms: int
    timezone: str
    venue: str
    ticket_type: str
    code: str
    receipt: str
    price_minor: int
    currency: str


class Stub(msgspec.Struct, frozen=True, tag="stub", forbid_unknown_fields=True):
    """The stub of an admission."""

    ticket: PrintedTicket
    admitted_at_ms: int
    lane: str
    check_in: str


class SalesReceipt(msgspec.Struct, frozen=True, tag="receipt", forbid_unknown_fields=True):
    """A sale or payment at the desk, with the tickets of the order; ``method`` is empty while nothing was paid."""

    order_code: str
    venue: str
    tickets: tuple[PrintedTicket, ...]
    total_minor: int
    paid_minor: int
    currency: str
    method: str
    staff: str
    at_ms: int


class Badge(msgspec.Struct, frozen=True, tag="badge", forbid_unknown_fields=True):
    """A badge to wear: the holder's name, and ``photo`` (the id of a picture taken with consent) where there is one."""

    ticket: PrintedTicket
    name: str
    photo: str = ""


class DoorRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ticket on a door list; ``inside`` when it came in before the list was made."""

    name: str
    code: str
    ticket_type: str
    inside: bool
    note: str = ""


class DoorList(msgspec.Struct, frozen=True, tag="door_list", forbid_unknown_fields=True):
    """A part of the list of tickets of a session, for when nothing works but paper; ``part`` counts from 1."""

    event: str
    starts_at_ms: int
    timezone: str
    venue: str
    at_ms: int
    tickets: int
    inside: int
    part: int
    parts: int
    rows: tuple[DoorRow, ...]


class ReportLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A line of a report: so many moves, worth so much in all."""

    name: str
    count: int
    minor: int


class ShiftNote(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A correction made after a shift was closed."""

    at_ms: int
    staff: str
    minor: int
    note: str


class ShiftReport(msgspec.Struct, frozen=True, tag="shift_report", forbid_unknown_fields=True):
    """The cash-up of a closed shift; ``staff`` and ``closed_by`` are badges."""

    number: int
    venue: str
    timezone: str
    staff: str
    opened_at_ms: int
    closed_at_ms: int
    closed_by: str
    currency: str
    float_minor: int
    lines: tuple[ReportLine, ...]
    no_sales: int
    expected_minor: int
    counted_minor: int
    note: str
    corrections: tuple[ShiftNote, ...] = ()


class NoSale(msgspec.Struct, frozen=True, tag="no_sale", forbid_unknown_fields=True):
    """The cash drawer was opened without a sale: the slip opens it."""

    venue: str
    timezone: str
    at_ms: int
    staff: str
    note: str


class StaffBadge(msgspec.Struct, frozen=True, tag="staff_badge", forbid_unknown_fields=True):
    """A badge of a member of staff, to cut out and wear; ``text`` is the signed text for its QR code."""

    venue: str
    name: str
    badge: str
    text: str


Printable = Stub | SalesReceipt | Badge | DoorList | ShiftReport | NoSale | StaffBadge
# Made at import: msgspec (0.22) crashes when two threads describe the same structs at once.
_DECODER: msgspec.json.Decoder[Printable] = msgspec.json.Decoder(Printable)


def encode(document: Printable) -> bytes:
    """Return the JSON stored in a print job."""
    return msgspec.json.encode(document)


def decode(data: bytes) -> Printable:
    """Return the document of a print job."""
    return _DECODER.decode(data)
