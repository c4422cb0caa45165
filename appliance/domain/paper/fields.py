"""The facts of each kind of print job, as the texts that a template may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from appliance.domain.printing import (
    Badge,
    DoorList,
    DoorRow,
    NoSale,
    Printable,
    PrintedTicket,
    SalesReceipt,
    ShiftReport,
    StaffBadge,
    Stub,
)
from mqtt_bridge.protocol.ids import shown
from mqtt_bridge.protocol.money import from_minor

_TICKET = frozenset(
    {"event", "venue", "starts", "date", "time", "ticket_type", "price", "receipt", "code"},
)

FIELDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "stub": _TICKET | {"admitted", "lane"},
        "receipt": frozenset({"venue", "order", "at", "total", "paid", "due", "method", "staff"}),
        "badge": _TICKET | {"name"},
        "door_list": frozenset({"event", "venue", "starts", "at", "tickets", "inside", "part"}),
        "shift_report": frozenset(
            {
                "venue",
                "number",
                "staff",
                "opened",
                "closed",
                "closed_by",
                "no_sales",
                "float",
                "expected",
                "counted",
                "difference",
                "note",
            }
        ),
        "no_sale": frozenset({"venue", "at", "staff", "note"}),
        "staff_badge": frozenset({"venue", "name", "badge", "text"}),
    }
)
"""What the templates of each kind may name."""

LISTS: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "stub": {},
        "receipt": {"tickets": _TICKET},
        "badge": {},
        "door_list": {"rows": frozenset({"box", "name", "code", "ticket_type", "note"})},
        "shift_report": {
            "lines": frozenset({"name", "count", "amount"}),
            "corrections": frozenset({"at", "by", "amount", "note"}),
        },
        "no_sale": {},
        "staff_badge": {},
    }
)
"""What the items of each kind's lists add to that."""

KINDS: tuple[str, ...] = tuple(FIELDS)

_METHODS = {"cash": "Paid in cash", "terminal": "Paid by card terminal", "comp": "Complimentary"}


@dataclass(frozen=True, slots=True)
class Facts:
    """``values`` by name, the items of each list by its name, and which photo belongs to it."""

    kind: str
    values: Mapping[str, str]
    lists: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    photo: str = ""


def facts_of(job: Printable) -> Facts:
    """Return a job's facts."""
    match job:
        case Stub():
            admitted = _clock(job.admitted_at_ms, job.ticket.timezone)
            return Facts("stub", {**_ticket(job.ticket), "admitted": admitted, "lane": job.lane})
        case SalesReceipt():
            return Facts("receipt", _receipt(job), {"tickets": tuple(_ticket(each) for each in job.tickets)})
        case Badge():
            return Facts("badge", {**_ticket(job.ticket), "name": job.name}, photo=job.photo)
        case DoorList():
            return Facts("door_list", _door_list(job), {"rows": tuple(_row(each) for each in job.rows)})
        case ShiftReport():
            return Facts("shift_report", _shift(job), _shift_lists(job))
        case StaffBadge():
            values = {"venue": job.venue, "name": job.name, "badge": job.badge, "text": job.text}
            return Facts("staff_badge", values)
        case NoSale():
            at = _moment(job.at_ms, job.timezone)
            return Facts("no_sale", {"venue": job.venue, "at": at, "staff": job.staff, "note": job.note})


def _ticket(ticket: PrintedTicket) -> dict[str, str]:
    at = _local(ticket.starts_at_ms, ticket.timezone)
    return {
        "event": ticket.event,
        "venue": ticket.venue,
        "starts": _moment(ticket.starts_at_ms, ticket.timezone),
        "date": at.strftime("%d %b %Y"),
        "time": at.strftime("%H:%M"),
        "ticket_type": ticket.ticket_type,
        "price": _price(ticket.price_minor, ticket.currency),
        "receipt": ticket.receipt,
        "code": shown(ticket.code),
    }


def _receipt(job: SalesReceipt) -> dict[str, str]:
    zone = job.tickets[0].timezone if job.tickets else "UTC"
    due_minor = max(0, job.total_minor - job.paid_minor)
    return {
        "venue": job.venue,
        "order": shown(job.order_code),
        "at": _moment(job.at_ms, zone),
        "total": _price(job.total_minor, job.currency),
        "paid": _price(job.paid_minor, job.currency) if job.paid_minor else "",
        "due": _price(due_minor, job.currency) if due_minor else "",
        "method": _METHODS.get(job.method, ""),
        "staff": job.staff,
    }


def _door_list(job: DoorList) -> dict[str, str]:
    return {
        "event": job.event,
        "venue": job.venue,
        "starts": _moment(job.starts_at_ms, job.timezone),
        "at": _clock(job.at_ms, job.timezone),
        "tickets": str(job.tickets),
        "inside": str(job.inside),
        "part": f"{job.part}/{job.parts}" if job.parts > 1 else "",
    }


def _row(row: DoorRow) -> dict[str, str]:
    return {
        "box": "[x]" if row.inside else "[ ]",
        "name": row.name,
        "code": shown(row.code),
        "ticket_type": row.ticket_type,
        "note": row.note,
    }


def _shift(job: ShiftReport) -> dict[str, str]:
    difference_minor = job.counted_minor - job.expected_minor
    return {
        "venue": job.venue,
        "number": str(job.number),
        "staff": job.staff,
        "opened": _moment(job.opened_at_ms, job.timezone),
        "closed": _moment(job.closed_at_ms, job.timezone),
        "closed_by": job.closed_by if job.closed_by != job.staff else "",
        "no_sales": str(job.no_sales) if job.no_sales else "",
        "float": _amount(job.float_minor, job.currency),
        "expected": _amount(job.expected_minor, job.currency),
        "counted": _amount(job.counted_minor, job.currency),
        "difference": _amount(difference_minor, job.currency, signed=True),
        "note": job.note,
    }


def _shift_lists(job: ShiftReport) -> dict[str, tuple[Mapping[str, str], ...]]:
    lines = tuple(
        {"name": each.name, "count": str(each.count), "amount": _amount(each.minor, job.currency)}
        for each in job.lines
        if each.count
    )
    corrections = tuple(
        {
            "at": _moment(each.at_ms, job.timezone),
            "by": each.staff,
            "amount": _amount(each.minor, job.currency, signed=True),
            "note": each.note,
        }
        for each in job.corrections
    )
    return {"lines": lines, "corrections": corrections}


def _amount(minor: int, currency: str, *, signed: bool = False) -> str:
    money = from_minor(minor, currency)
    return f"{'+' if signed and minor > 0 else ''}{money.amount} {money.currency}"


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
