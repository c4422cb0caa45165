"""What a device and the cloud told each other, message by message, in words and as it was signed. Personal data is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.mailbox.tables import outbox
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol import messages as m
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.errors import ProtocolError

Direction = Literal["up", "down"]


@dataclass(frozen=True)
class Entry:
    """One message: its number within its stream, when the cloud applied or wrote it, in words, and its JSON if kept."""

    inc: str
    seq: int
    kind: str
    at_ms: int
    words: str
    body: str
    acked: bool = True


def streams(db: Connection, device: str, direction: Direction) -> tuple[str, ...]:
    """Return the incarnations with messages in this direction, newest first."""
    if direction == "up":
        lives = t.incarnation.c
        query = sa.select(lives.inc).where(lives.device == device).order_by(lives.since_ms.desc(), lives.epoch.desc())
    else:
        c = outbox.c
        query = sa.select(c.inc).where(c.peer == device).group_by(c.inc).order_by(sa.func.max(c.created_at_ms).desc())
    return tuple(db.execute(query).scalars())


def read(db: Connection, device: str, direction: Direction, inc: str, before: int | None, limit: int) -> list[Entry]:
    """Return at most ``limit`` messages of a stream, newest first, with numbers below ``before`` if it is given."""
    return _up(db, device, inc, before, limit) if direction == "up" else _down(db, device, inc, before, limit)


def _up(db: Connection, device: str, inc: str, before: int | None, limit: int) -> list[Entry]:
    c = t.applied.c
    rows = sa.select(c.seq, c.kind, c.at_ms, c.content).where(c.device == device, c.inc == inc)
    if before is not None:
        rows = rows.where(c.seq < before)
    return [
        Entry(inc, row.seq, row.kind, row.at_ms, *_told(row.kind, row.content))
        for row in db.execute(rows.order_by(c.seq.desc()).limit(limit))
    ]


def _down(db: Connection, device: str, inc: str, before: int | None, limit: int) -> list[Entry]:
    c = outbox.c
    rows = sa.select(c.seq, c.kind, c.created_at_ms, c.envelope, c.acked_at_ms).where(c.peer == device, c.inc == inc)
    if before is not None:
        rows = rows.where(c.seq < before)
    entries = []
    for row in db.execute(rows.order_by(c.seq.desc()).limit(limit)):
        content = decode(row.envelope, m.Envelope).content.encode()
        told = _told(row.kind, content)
        entries.append(Entry(inc, row.seq, row.kind, row.created_at_ms, *told, acked=row.acked_at_ms is not None))
    return entries


def _told(kind: str, content: bytes | None) -> tuple[str, str]:
    """Return a message in words and as indented JSON; what this version cannot read is shown by its kind alone."""
    if content is None:
        return _spaced(kind), ""
    shown = json.dumps(json.loads(content), indent=1, ensure_ascii=False)
    try:
        return words(decode(content, m.Content).body), shown
    except ProtocolError:
        return _spaced(kind), shown


def words(body: msgspec.Struct) -> str:
    """Say what a message says in one short line."""
    name = _spaced(type(body).__name__)
    detail = _DETAILS.get(type(body))
    return f"{name}: {detail(body)}" if detail is not None else name


def _spaced(kind: str) -> str:
    return "".join(f" {each.lower()}" if each.isupper() else each for each in kind).strip().capitalize()


def _tickets(number: int) -> str:
    return "1 ticket" if number == 1 else f"{number} tickets"


def _stock(body: Any) -> str:
    return ", ".join(f"{each.totals.returned} returned in all" for each in body.stock)


_DETAILS: dict[type, Callable[[Any], str]] = {
    m.OrderConfirmed: lambda body: f"{ids.shown(body.code)}, {_tickets(len(body.tickets))}, {body.payment}",
    m.OrderPending: lambda body: (
        f"{ids.shown(body.code)}, {_tickets(len(body.tickets))}, {body.verify} by {body.channel}"
    ),
    m.OrderVerified: lambda body: f"by {body.by}",
    m.VerificationMoved: lambda body: f"waits for {body.waits_for}" + (f", {body.news}" if body.news else ""),
    m.OrderRequested: lambda body: f"{ids.shown(body.code)}, {_tickets(len(body.tickets))}",
    m.OrderRefused: lambda body: body.reason.replace("_", " "),
    m.PaymentTaken: lambda body: f"{body.amount_minor} {body.currency} in minor units by {body.method}",
    m.CancelRequested: lambda body: _tickets(len(body.tickets)) + (", unpaid" if body.unpaid else ""),
    m.TicketsVoided: lambda body: _tickets(len(body.tickets)),
    m.CancelRefused: lambda body: f"{_tickets(len(body.tickets))} already admitted, or paid",
    m.OrderCancelled: lambda body: _tickets(len(body.tickets)),
    m.CheckedIn: lambda body: body.verdict.replace("_", " ") + (f", {body.reason}" if body.reason else ""),
    m.Exited: lambda body: body.verdict + (f", {body.reason.replace('_', ' ')}" if body.reason else ""),
    m.AllocationReturned: _stock,
    m.DeviceClosed: _stock,
    m.VenueRetold: lambda body: f"part {body.part} of {body.parts}",
    m.ReturnAllocation: lambda body: f"until {body.returned} are returned in all",
    m.WaitlistJoined: lambda body: _tickets(sum(each.quantity for each in body.wishes)),
    m.WaitlistLeft: lambda body: body.why,
    m.WaitlistEntrusted: lambda body: _tickets(sum(each.quantity for each in body.wishes)),
    m.KeyPublished: lambda body: body.kid,
}
