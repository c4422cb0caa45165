"""What is to be printed, as facts; the desk lays them out for the paper it has. No names: paper gets lost."""

from __future__ import annotations

import msgspec


class PrintedTicket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One ticket on paper; times in ms since the epoch, ``receipt`` the signed text for its QR code."""

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


Printable = Stub | SalesReceipt
# Made at import: msgspec (0.22) crashes when two threads describe the same structs at once.
_DECODER: msgspec.json.Decoder[Printable] = msgspec.json.Decoder(Printable)


def encode(document: Printable) -> bytes:
    """Return the JSON stored in a print job."""
    return msgspec.json.encode(document)


def decode(data: bytes) -> Printable:
    """Return the document of a print job."""
    return _DECODER.decode(data)
