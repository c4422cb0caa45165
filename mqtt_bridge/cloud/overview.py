"""The inventory as an operator sees it: read from one snapshot, sorted for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.alarm_list import Alarm, alarms
from mqtt_bridge.cloud.books import Book, all_books
from mqtt_bridge.cloud.catalogue import current_catalogue
from mqtt_bridge.cloud.closed_epochs import closed
from mqtt_bridge.cloud.contradictions import open_count
from mqtt_bridge.cloud.records import Device
from mqtt_bridge.cloud.request_view import open_number, tickets_asked
from mqtt_bridge.cloud.restoring import waiting
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.verification_view import number_pending
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.mailbox.tables import outbox
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Venue
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.protocol.waitlist import OPEN


@dataclass(frozen=True)
class Share:
    """One device's part of a quota: totals over all its epochs, and what of it is of closed ones (``in_doubt``)."""

    device: Device
    totals: Totals
    held: int
    in_doubt: int

    @property
    def free(self) -> int:
        """Tickets the device can sell now."""
        return max(0, self.totals.unsold - self.in_doubt - self.held)


@dataclass(frozen=True)
class Waitlist:
    """Who is in the line of a quota: ``entries`` that wait for ``tickets``, and ``offers`` being made right now."""

    entries: int = 0
    tickets: int = 0
    offers: int = 0


@dataclass(frozen=True)
class QuotaView:
    """A quota with all its shares; ``event`` and ``at`` are None when the catalogue no longer names it.

    ``requested`` tickets are waited for by orders on request.
    """

    id: str
    name: str
    event: Event | None
    at: EventSession | None
    venue: Venue | None
    ticket_types: tuple[str, ...]
    limit: int
    extra: int
    target: int | None
    pool: int
    frozen: str
    released: int
    shares: tuple[Share, ...]
    waitlist: Waitlist
    requested: int = 0

    @property
    def oversold(self) -> int:
        """Tickets sold beyond the limit on purpose: how much of ``extra`` is in use."""
        return min(self.extra, max(0, self.sold - self.limit))

    @property
    def capacity(self) -> int:
        """Tickets there can be."""
        return self.limit + self.extra

    @property
    def sold(self) -> int:
        """Valid tickets the cloud has heard of."""
        return sum(each.totals.valid for each in self.shares)

    @property
    def held(self) -> int:
        """Tickets in open holds."""
        return sum(each.held for each in self.shares)

    @property
    def free(self) -> int:
        """Tickets devices can sell now, the pool not included."""
        return sum(each.free for each in self.shares)

    @property
    def in_doubt(self) -> int:
        """Unsold stock of lives that ended: it comes back by recovery or an operator's word."""
        return sum(each.in_doubt for each in self.shares)


@dataclass(frozen=True)
class Overview:
    """Everything at one moment; ``keys`` counts public keys by device, ``frozen`` is why nothing is granted, or empty.

    ``undecided`` counts the contradictions that wait for a person, ``requests`` the orders that wait for an answer,
    ``to_verify`` those that wait to be verified.
    ``missing``: after a backup was put back, the devices that have to be heard or sealed before it grants again, else None.
    """

    as_of_ms: int
    frozen: str
    missing: tuple[str, ...] | None
    catalogue_version: int
    quotas: tuple[QuotaView, ...]
    devices: tuple[Device, ...]
    waiting: dict[str, int]
    keys: dict[str, tuple[str, ...]]
    alarms: tuple[Alarm, ...]
    undecided: int = 0
    requests: int = 0
    to_verify: int = 0

    @property
    def sessions(self) -> list[list[QuotaView]]:
        """The quotas by event session, next first."""
        return [list(group) for _, group in groupby(self.quotas, key=lambda each: each.at.id if each.at else "")]


def overview(db: Connection, wall_ms: int) -> Overview:
    """Read the whole inventory."""
    work = Work(SqlRows(db))
    devices = work.of(Device).fetch_all()
    current = current_catalogue(db)
    cloud = db.execute(sa.select(t.cloud.c.frozen, t.cloud.c.restoring)).one()
    lines, asked = _lines(db), tickets_asked(db)
    quotas = [
        replace(_quota(book, current, devices, lines.get(book.id, Waitlist())), requested=asked.get(book.id, 0))
        for book in all_books(work)
        if _shown(book)
    ]
    return Overview(
        as_of_ms=wall_ms,
        frozen=cloud.frozen,
        missing=tuple(each.name for each in waiting(work)) if cloud.restoring else None,
        catalogue_version=current.version,
        quotas=tuple(sorted(quotas, key=_by_time)),
        devices=tuple(sorted(devices, key=lambda each: (each.venue, each.name))),
        waiting=_waiting(db),
        keys=_keys(db),
        alarms=alarms(db),
        undecided=open_count(db),
        requests=open_number(db),
        to_verify=number_pending(db),
    )


def _shown(book: Book) -> bool:
    """A quota that left the catalogue is shown until all its stock came back."""
    return not book.quota.retired or book.committed > 0


def _by_time(quota: QuotaView) -> tuple[int, str, str]:
    return (quota.at.starts_at_ms if quota.at else 0, quota.at.id if quota.at else "", quota.name)


def _quota(book: Book, current: Catalogue, devices: Iterable[Device], line: Waitlist) -> QuotaView:
    event, at, _ = current.quota.get(book.id, (None, None, None))
    return QuotaView(
        id=book.id,
        name=book.quota.name,
        event=event,
        at=at,
        venue=current.venue.get(at.venue) if at else None,
        ticket_types=tuple(each.id for each in at.ticket_types if each.quota == book.id) if at else (),
        limit=book.quota.limit,
        extra=book.quota.extra,
        target=book.quota.target,
        pool=book.pool,
        frozen=book.quota.frozen,
        released=book.quota.released,
        shares=tuple(_share(book, each) for each in sorted(devices, key=lambda one: (one.venue, one.name))),
        waitlist=line,
    )


def _lines(db: Connection) -> dict[str, Waitlist]:
    """The waitlist of every quota that has one."""
    c = t.waitlist.c
    counted = sa.select(c.quota, c.state, sa.func.count().label("entries"), sa.func.sum(c.quantity).label("tickets"))
    found: dict[str, Waitlist] = {}
    for row in db.execute(counted.where(c.state.in_(OPEN)).group_by(c.quota, c.state)):
        line = found.get(row.quota, Waitlist())
        if row.state == "waiting":
            found[row.quota] = replace(line, entries=row.entries, tickets=int(row.tickets))
        else:
            found[row.quota] = replace(line, offers=row.entries)
    return found


def _share(book: Book, device: Device) -> Share:
    lines = [each for each in book.lines.values() if each.device == device.name]
    sums = {name: sum(getattr(each.totals, name) for each in lines) for name in Totals.__struct_fields__}
    earlier = [each for each in lines if closed(each, {device.name: device})]
    current = book.line(device.name, device.epoch)
    held = current.held if current else 0
    return Share(device, msgspec.convert(sums, Totals), held, sum(max(0, each.totals.unsold) for each in earlier))


def _waiting(db: Connection) -> dict[str, int]:
    """Messages each device has not acknowledged."""
    unacked = sa.select(outbox.c.peer, sa.func.count()).where(outbox.c.acked_at_ms.is_(None)).group_by(outbox.c.peer)
    return {row[0]: row[1] for row in db.execute(unacked)}


def _keys(db: Connection) -> dict[str, tuple[str, ...]]:
    """Key ids in use by device, oldest first."""
    c = t.device_key.c
    found: dict[str, tuple[str, ...]] = {}
    for row in db.execute(sa.select(c.device, c.kid).where(c.revoked.is_(False)).order_by(c.added_at_ms)):
        found[row.device] = (*found.get(row.device, ()), row.kid)
    return found
