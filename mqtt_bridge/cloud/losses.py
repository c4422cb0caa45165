"""What an operator does about lost devices and a lost cloud: one transaction each, audited, and logged outside the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection

from mqtt_bridge.cloud import answering, restoring, sealing
from mqtt_bridge.cloud.answering import Waiting
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.directory import DirectoryRefused, audit, checked_name, lock
from mqtt_bridge.cloud.doubt import ReleaseRefused
from mqtt_bridge.cloud.fleet import Entry
from mqtt_bridge.cloud.fleet_log import FleetLog
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.records import Device, Line
from mqtt_bridge.cloud.restoring import RestoreRefused
from mqtt_bridge.cloud.retelling import retell
from mqtt_bridge.cloud.sealing import ReleasePrice, SealPrice, SealRefused
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.messages import StockCount

__all__ = [
    "ReleasePrice",
    "Replaced",
    "RestoreRefused",
    "SealPrice",
    "SealRefused",
    "answer_cancels",
    "begin_restored",
    "confirm_restored",
    "price_of_release",
    "price_of_seal",
    "release_stock",
    "replace_device",
    "seal_device",
    "still_missing",
    "waiting_cancels",
]
T = TypeVar("T")
LONGEST_REASON = 200


def price_of_seal(database: Database, name: str, wall_ms: int) -> SealPrice:
    """Return what sealing a device would cost; raises ``SealRefused``."""
    return _look(database, lambda work: sealing.seal_price(work, name, wall_ms))


def seal_device(
    database: Database, name: str, who: str, reason: str, wall_ms: int, *, stolen: bool = False, log: FleetLog | None
) -> SealPrice:
    """Close a device for good; see ``sealing.seal``."""

    def change(db: Connection, work: Work) -> SealPrice:
        return _seal(db, work, name, who, reason, wall_ms, stolen=stolen, answered_by="", log=log)

    return _run(database, change)


def price_of_release(database: Database, quota: str, number: int) -> ReleasePrice:
    """Return what releasing in-doubt stock would cost; ``quota`` is an id, or a name that only one quota has."""
    return _look(database, lambda work: sealing.release_price(work, sealing.quota_named(work, quota), number))


def release_stock(
    database: Database, quota: str, number: int, who: str, wall_ms: int, *, shown: int | None = None
) -> ReleasePrice:
    """Put in-doubt stock on sale again; raises ``SealRefused`` or ``ReleaseRefused``, also where it costs more than was ``shown``.

    ``shown`` is how many tickets the operator was told could be sold twice.
    """

    def change(db: Connection, work: Work) -> ReleasePrice:
        price = sealing.release(work, sealing.quota_named(work, quota), number)
        if shown is not None and price.could_oversell > shown:
            raise ReleaseRefused(f"meanwhile up to {price.could_oversell} could be sold twice, not {shown}; look again")
        audit(db, wall_ms, who, "stock released", price.quota, f"{number}; up to {price.could_oversell} sold twice")
        return price

    return _run(database, change)


@dataclass(frozen=True)
class Replaced:
    """What replacing a device did: the price of the seal, and in how many parts its venue's past is told."""

    price: SealPrice
    parts: int


def replace_device(
    database: Database, new: str, venue: str, old: str, who: str, reason: str, wall_ms: int, *, log: FleetLog | None
) -> Replaced:
    """Seal ``old`` and let ``new`` answer for it: as the door if it was one, and for the orders it sold.

    ``new`` is registered unless it is. Raises ``SealRefused`` or ``DirectoryRefused``.
    """
    checked_name(new)
    if new == old:
        raise DirectoryRefused("a device cannot replace itself: choose another name, a sealed one never sells again")

    def change(db: Connection, work: Work) -> Replaced:
        devices = work.of(Device)
        before, known = devices.get(old), devices.get(new)
        if before is not None and before.venue != venue:
            raise DirectoryRefused(f"device {old!r} belongs to venue {before.venue!r}, not {venue!r}")
        if known is not None and (known.venue != venue or known.status == "sealed"):
            raise DirectoryRefused(f"device {new!r} is sealed or belongs to another venue; choose another name")
        price = _seal(db, work, old, who, reason, wall_ms, stolen=False, answered_by=new, log=log)
        heir = devices.get(new) or devices.add(Device(new, venue, "registered", door=False, registered_at_ms=wall_ms))
        if price.door:
            devices.change(heir, door=True, state_at_ms=0 if heir.inc else heir.state_at_ms)
        _log(log, Entry("provisioned", wall_ms, device=new, venue=venue, door=price.door or heir.door))
        audit(db, wall_ms, who, "device replaced", old, new)
        parts = retell(work, Catalogues().of(work), new)
        Forwarder(work, lambda _: venue).open_door(venue)
        return Replaced(price, parts)

    return _run(database, change)


def waiting_cancels(database: Database, venue: str) -> Waiting:
    """Return the cancels that wait for a sealed door; raises ``SealRefused`` if there is none, or another door."""
    return _look(database, lambda work: answering.waiting(work, venue, Catalogues().of(work).venue_of))


def answer_cancels(database: Database, venue: str, who: str, wall_ms: int) -> Waiting:
    """Answer them in the place of the sealed door."""

    def change(db: Connection, work: Work) -> Waiting:
        found = answering.answer(work, venue, Catalogues().of(work).venue_of, wall_ms)
        audit(db, wall_ms, who, "cancels answered", venue, f"{len(found.cancels)} for {found.door}")
        return found

    return _run(database, change)


def begin_restored(database: Database, log: FleetLog, suffix: str, wall_ms: int) -> list[str]:
    """Make a database that was put back from a backup a new generation; returns the devices that have to be heard."""
    entries = log.entries()

    def change(db: Connection, work: Work) -> list[str]:
        generation = restoring.next_generation(work, entries)
        log.append(Entry("restored", wall_ms, generation=generation))
        missing = restoring.begin(work, entries, generation, suffix)
        audit(db, wall_ms, "operator", "cloud restored", str(generation))
        return [each.name for each in missing]

    return _run(database, change)


def still_missing(database: Database) -> list[str]:
    """Return the devices that were not heard since a backup was put back; empty also when none was."""
    return _look(database, lambda work: [each.name for each in restoring.waiting(work)])


def confirm_restored(database: Database, who: str, wall_ms: int) -> list[str]:
    """Grant again after a restore; returns what stays frozen and why. Raises ``RestoreRefused`` while a device is missing."""

    def change(db: Connection, work: Work) -> list[str]:
        left = restoring.confirm(work)
        audit(db, wall_ms, who, "restore confirmed", "", "; ".join(left)[:2000])
        return left

    return _run(database, change)


def _seal(
    db: Connection,
    work: Work,
    name: str,
    who: str,
    reason: str,
    wall_ms: int,
    *,
    stolen: bool,
    answered_by: str,
    log: FleetLog | None,
) -> SealPrice:
    price = sealing.seal(work, name, stolen=stolen, answered_by=answered_by, wall_ms=wall_ms)
    stock = tuple(StockCount(each.quota, each.epoch, each.totals) for each in work.of(Line).where("device", name))
    entry = Entry(
        "sealed",
        wall_ms,
        device=name,
        venue=price.venue,
        door=price.door,
        answered_by=answered_by,
        stolen=stolen,
        stock=stock,
    )
    _log(log, entry)
    detail = f"{price.in_doubt} in doubt, {price.held} held; {reason[:LONGEST_REASON]}"
    audit(db, wall_ms, who, "stolen device sealed" if stolen else "device sealed", name, detail)
    return price


def _log(log: FleetLog | None, entry: Entry) -> None:
    if log is not None:
        log.append(entry)


def _run(database: Database, change: Callable[[Connection, Work], T]) -> T:
    def run(db: Connection) -> T:
        lock(db)
        work = Work(SqlRows(db))
        answer = change(db, work)
        work.write()
        return answer

    return database.run(run)


def _look(database: Database, query: Callable[[Work], T]) -> T:
    with database.read() as db:
        return query(Work(SqlRows(db)))
