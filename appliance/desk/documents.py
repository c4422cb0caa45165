"""Print jobs laid out for paper: what a person at the door needs, largest first, and the receipt as a QR code."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from appliance.domain.printing import Printable, PrintedTicket, SalesReceipt, Stub
from drivers.printer.document import QR, Align, Block, Columns, Cut, Document, Feed, Rule, Text, Title
from mqtt_bridge.protocol.ids import shown
from mqtt_bridge.protocol.money import from_minor

_METHODS = {"cash": "Paid in cash", "terminal": "Paid by card terminal", "comp": "Complimentary"}


def lay_out(printable: Printable, *, reprint: bool) -> Document:
    """Return the document of a job; a reprint says so on top, so that it cannot pass for a second admission."""
    head: list[Block] = [Text("REPRINT", bold=True, size=2, align=Align.CENTER), Rule()] if reprint else []
    body = _stub(printable) if isinstance(printable, Stub) else _receipt(printable)
    return Document.of(head, body, Feed(1), Cut())


def _stub(stub: Stub) -> Iterator[Block]:
    ticket = stub.ticket
    yield Title(ticket.event)
    yield Text(ticket.venue, align=Align.CENTER)
    yield Text(_moment(ticket.starts_at_ms, ticket.timezone), bold=True, align=Align.CENTER)
    yield Rule()
    yield Columns(ticket.ticket_type, _price(ticket.price_minor, ticket.currency), bold=True)
    yield Columns("Admitted", f"{_clock(stub.admitted_at_ms, ticket.timezone)}  {stub.lane}")
    # A code needs its quiet zone on all sides (ISO/IEC 18004).
    yield Feed(1)
    yield QR(ticket.receipt)
    yield Text(shown(ticket.code), bold=True, size=2, align=Align.CENTER)


def _receipt(receipt: SalesReceipt) -> Iterator[Block]:
    zone = receipt.tickets[0].timezone if receipt.tickets else "UTC"
    yield Title(receipt.venue)
    yield Text(f"Order {shown(receipt.order_code)}", align=Align.CENTER)
    yield Text(_moment(receipt.at_ms, zone), align=Align.CENTER)
    yield Rule()
    for ticket in receipt.tickets:
        yield Columns(ticket.ticket_type, _price(ticket.price_minor, ticket.currency))
    yield Rule()
    yield Columns("Total", _price(receipt.total_minor, receipt.currency), bold=True)
    yield Text(_METHODS.get(receipt.method) or _open_amount(receipt))
    for ticket in receipt.tickets:
        yield from _ticket(ticket)


def _ticket(ticket: PrintedTicket) -> Iterator[Block]:
    yield Rule()
    yield Text(ticket.event, bold=True, align=Align.CENTER)
    yield Text(_moment(ticket.starts_at_ms, ticket.timezone), align=Align.CENTER)
    yield Text(f"{ticket.venue} - {ticket.ticket_type}", align=Align.CENTER)
    # A code needs its quiet zone on all sides (ISO/IEC 18004).
    yield Feed(1)
    yield QR(ticket.receipt)
    yield Text(shown(ticket.code), bold=True, size=2, align=Align.CENTER)


def _open_amount(receipt: SalesReceipt) -> str:
    return f"To pay: {_price(max(0, receipt.total_minor - receipt.paid_minor), receipt.currency)}"


def _price(minor: int, currency: str) -> str:
    if minor == 0:
        return "free"
    money = from_minor(minor, currency)
    return f"{money.amount} {money.currency}"


def _moment(at_ms: int, zone: str) -> str:
    return _local(at_ms, zone).strftime("%a %d %b %Y, %H:%M")


def _clock(at_ms: int, zone: str) -> str:
    return _local(at_ms, zone).strftime("%H:%M")


def _local(at_ms: int, zone: str) -> datetime:
    try:
        where = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        return datetime.fromtimestamp(at_ms / 1000, UTC)
    return datetime.fromtimestamp(at_ms / 1000, where)
