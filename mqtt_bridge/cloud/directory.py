"""Who belongs to us: registered devices, their doors, lives and keys."""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.database import Database
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.codec import key_id
from mqtt_bridge.protocol.messages import DeviceKey, KeyDirectory

CLOUD = "cloud"
# A device says something every two seconds; after this it counts as away even before the broker noticed.
SILENT_MS = 10_000
# Epochs are signed into every receipt: a small number keeps its code small.
EPOCH_BITS = 16


class DirectoryRefused(Exception):
    """A registration that cannot be; the sentence says why."""


@dataclass
class Device:
    """One row of the directory, see ``tables.device``."""

    name: str
    venue: str
    status: str
    door: bool
    registered_at_ms: int
    inc: str | None
    epoch: int
    told_to_stop: str | None
    link_up: bool
    last_seen_ms: int | None
    status_sent_ms: int
    unsynced: int
    oldest_unsynced_ms: int
    clock_trusted: bool
    hardware: str
    state_revision: int
    state_urgent: str
    state_digest: str
    state_at_ms: int

    @property
    def stopped(self) -> bool:
        """Whether its present life may not go on."""
        return self.inc is not None and self.inc == self.told_to_stop

    def present(self, wall_ms: int) -> bool:
        """Whether it can be talked to right now."""
        return self.link_up and self.last_seen_ms is not None and wall_ms - self.last_seen_ms < SILENT_MS

    def live(self, wall_ms: int) -> bool:
        """Whether stock may be granted to it now."""
        return self.status == "live" and not self.stopped and self.present(wall_ms)

    def hardware_states(self) -> dict[str, str]:
        """State by hardware name, as told last."""
        states: dict[str, str] = json.loads(self.hardware)
        return states


class Devices(dict[str, Device]):
    """All devices of one transaction by name; ``write`` stores those that changed."""

    def __init__(self, db: Connection) -> None:
        rows = db.execute(sa.select(t.device).order_by(t.device.c.name))
        super().__init__({row.name: Device(**row._mapping) for row in rows})
        self._db = db
        self._stored = {name: asdict(each) for name, each in self.items()}

    @property
    def doors(self) -> dict[str, str]:
        """The door device of each venue that has one."""
        return {each.venue: each.name for each in self.values() if each.door}

    def write(self) -> None:
        """Store changed rows."""
        for name, each in self.items():
            values = asdict(each)
            if values != self._stored[name]:
                self._db.execute(sa.update(t.device).where(t.device.c.name == name).values(**values))
                self._stored[name] = values


def register_device(database: Database, name: str, venue: str, wall_ms: int) -> bool:
    """Let ``name`` speak for ``venue``; returns whether it is new.

    The first device of a venue is its door. The device's key is pinned when it first says hello. Registering it again
    changes nothing; raises ``DirectoryRefused`` for another venue or a name that cannot be a topic.
    """
    try:
        topics.checked(name, "device")
    except ValueError as error:
        raise DirectoryRefused(str(error)) from error
    if name == CLOUD:
        raise DirectoryRefused(f"{CLOUD!r} is the cloud's own name; choose another for the device")

    def register(db: Connection) -> bool:
        lock(db)
        known = db.execute(sa.select(t.device.c.venue).where(t.device.c.name == name)).scalar()
        if known is not None:
            if known != venue:
                raise DirectoryRefused(f"device {name!r} belongs to venue {known!r}; seal it there before it moves")
            return False
        door = t.device.c.door & (t.device.c.venue == venue)
        row = {"name": name, "venue": venue, "status": "registered", "registered_at_ms": wall_ms}
        first = db.execute(sa.select(sa.func.count()).where(door)).scalar_one() == 0
        db.execute(sa.insert(t.device).values(**row, door=first))
        audit(db, wall_ms, "operator", "device registered", name, venue)
        return True

    return database.run(register)


class Cloud(NamedTuple):
    """The cloud's row, see ``tables.cloud``."""

    generation: int
    inc: str
    catalogue_version: int
    keys_revision: int
    frozen: str


def lock(db: Connection) -> Cloud:
    """Lock and return the cloud's row: one change at a time, in whichever process."""
    columns = [t.cloud.c[name] for name in Cloud._fields]
    return Cloud(*db.execute(sa.select(*columns).with_for_update()).one())


def audit(db: Connection, wall_ms: int, who: str, action: str, subject: str = "", detail: str = "") -> None:
    """Write down who did what."""
    db.execute(sa.insert(t.audit).values(at_ms=wall_ms, who=who, action=action, subject=subject, detail=detail))


def begin_life(db: Connection, device: Device, inc: str, generation: int, wall_ms: int) -> None:
    """Give a device's new incarnation its own epoch; stock of earlier epochs stays where it was, in doubt."""
    device.epoch = max(device.epoch, generation << EPOCH_BITS) + 1
    device.inc = inc
    device.told_to_stop = None
    life = {"device": device.name, "inc": inc, "epoch": device.epoch, "since_ms": wall_ms}
    db.execute(sa.insert(t.incarnation).values(**life))


def lives(db: Connection, device: str) -> dict[str, int]:
    """Epoch by incarnation of a device, past ones included."""
    rows = db.execute(sa.select(t.incarnation.c.inc, t.incarnation.c.epoch).where(t.incarnation.c.device == device))
    return {row.inc: row.epoch for row in rows}


def keys_of(db: Connection, device: str) -> dict[str, str]:
    """Public key (hex) by key id of a device, revoked ones left out."""
    own = (t.device_key.c.device == device, t.device_key.c.revoked.is_(False))
    rows = db.execute(sa.select(t.device_key.c.kid, t.device_key.c.public).where(*own))
    return {row.kid: row.public for row in rows}


def pin_key(db: Connection, device: str, kid: str, public: str, wall_ms: int) -> bool:
    """Add a public key; returns False, changing nothing, if the key id does not fit or is another device's."""
    try:
        raw = bytes.fromhex(public)
    except ValueError:
        return False
    if len(raw) != 32 or not hmac.compare_digest(key_id(raw), kid):
        return False
    owner = db.execute(sa.select(t.device_key.c.device).where(t.device_key.c.kid == kid)).scalar()
    if owner is not None:
        return bool(owner == device)
    db.execute(sa.insert(t.device_key).values(kid=kid, device=device, public=public.lower(), added_at_ms=wall_ms))
    keys_changed(db)
    return True


def retire_key(db: Connection, device: str, kid: str) -> None:
    """A replaced key signs nothing new; what it signed stays good."""
    own = (t.device_key.c.device == device, t.device_key.c.kid == kid)
    db.execute(sa.update(t.device_key).where(*own).values(retired=True))


def keys_changed(db: Connection) -> None:
    """Have the directory published again."""
    db.execute(sa.update(t.cloud).values(keys_revision=t.cloud.c.keys_revision + 1))


def key_directory(db: Connection) -> KeyDirectory:
    """Everything a device needs to verify another device's tickets."""
    k, d = t.device_key.c, t.device.c
    columns = (k.device, d.venue, d.door, k.kid, k.public, k.revoked)
    rows = db.execute(sa.select(*columns).where(d.name == k.device).order_by(k.device, k.added_at_ms, k.kid))
    revision = db.execute(sa.select(t.cloud.c.keys_revision)).scalar_one()
    return KeyDirectory(revision, tuple(DeviceKey(*row) for row in rows))


def forget_keys(database: Database, name: str, wall_ms: int) -> None:
    """Let a replaced card or board of a registered device in: its keys are revoked and the next hello pins a new one."""

    def forget(db: Connection) -> None:
        lock(db)
        if db.execute(sa.select(t.device.c.name).where(t.device.c.name == name)).scalar() is None:
            raise DirectoryRefused(f"no device {name!r} is registered")
        db.execute(sa.update(t.device_key).where(t.device_key.c.device == name).values(revoked=True, retired=True))
        keys_changed(db)
        audit(db, wall_ms, "operator", "device keys revoked", name)

    database.run(forget)
