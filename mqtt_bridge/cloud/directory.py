"""Who belongs to us: registered devices, their doors, lives and keys."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.fleet import Entry
from mqtt_bridge.cloud.fleet_log import FleetLog
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.database import Database
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.topics import CLOUD


class DirectoryRefused(Exception):
    """A registration that cannot be; the sentence says why."""


def checked_name(name: str) -> str:
    """Return ``name`` if a device may have it; raises ``DirectoryRefused``."""
    try:
        topics.checked(name, "device")
    except ValueError as error:
        raise DirectoryRefused(str(error)) from error
    if name == CLOUD:
        raise DirectoryRefused(f"{CLOUD!r} is the cloud's own name; choose another for the device")
    return name


def register_device(database: Database, name: str, venue: str, wall_ms: int, log: FleetLog | None = None) -> bool:
    """Let ``name`` speak for ``venue``; returns whether it is new.

    The first device of a venue is its door. The device's key is pinned when it first says hello. Registering it again
    changes nothing; raises ``DirectoryRefused`` for another venue or a name that cannot be a topic.
    ``log`` keeps it outside the database too.
    """
    checked_name(name)

    def register(db: Connection) -> bool:
        lock(db)
        known = db.execute(sa.select(t.device.c.venue).where(t.device.c.name == name)).scalar()
        if known is not None:
            if known != venue:
                raise DirectoryRefused(f"device {name!r} belongs to venue {known!r}; seal it there before it moves")
            if log is not None and not any(each.device == name for each in log.entries()):
                its = db.execute(sa.select(t.device.c.door).where(t.device.c.name == name)).scalar_one()
                log.append(Entry("provisioned", wall_ms, device=name, venue=venue, door=its))
            return False
        door = t.device.c.door & (t.device.c.venue == venue)
        row = {"name": name, "venue": venue, "status": "registered", "registered_at_ms": wall_ms}
        first = db.execute(sa.select(sa.func.count()).where(door)).scalar_one() == 0
        db.execute(sa.insert(t.device).values(**row, door=first))
        audit(db, wall_ms, "operator", "device registered", name, venue)
        if first:
            _open_door(db, venue)
        if log is not None:
            log.append(Entry("provisioned", wall_ms, device=name, venue=venue, door=first))
        return True

    return database.run(register)


def _open_door(db: Connection, venue: str) -> None:
    """What waited for a venue's first device is for that one."""
    work = Work(SqlRows(db))
    Forwarder(work, lambda _: venue).open_door(venue)
    work.write()


def lock(db: Connection) -> None:
    """Lock the cloud's row: one operator's change at a time, in whichever process. Devices' messages do not wait for it."""
    db.execute(sa.select(t.cloud.c.id).with_for_update()).one()


def audit(db: Connection, wall_ms: int, who: str, action: str, subject: str = "", detail: str = "") -> None:
    """Write down who did what."""
    db.execute(sa.insert(t.audit).values(at_ms=wall_ms, who=who, action=action, subject=subject, detail=detail))


def keys_changed(db: Connection) -> None:
    """Have the directory published again."""
    db.execute(sa.update(t.cloud).values(keys_revision=t.cloud.c.keys_revision + 1))
