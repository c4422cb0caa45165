"""The facts of each kind of print job, as the texts that a template may name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from appliance.domain.printing import Badge, DoorList, DoorRow, Printable, PrintedTicket, SalesReceipt, Stub
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
    }
)
"""What the templates of each kind may name."""

LISTS: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "stub": {},
        "receipt": {"tickets": _TICKET},
        "badge": {},
        "door_list": {"rows": frozenset({"box", "name", "code", "ticket_type", "note"})},
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
