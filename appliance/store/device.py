"""The one row about this device and its link."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, update

from appliance.store.allocations import forget_current
from appliance.store.tables import catalogue, device
from mqtt_bridge.prepared import Prepared
from mqtt_bridge.protocol.messages import Began


class NotProvisioned(RuntimeError):
    """The database has no device row yet; ``services.startup.prepare`` makes it."""


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """Facts about this device as of the transaction's snapshot; ``catalogue_version`` is 0 without a catalogue."""

    org: str
    venue: str
    device: str
    inc: str
    bound_to: str
    frozen: bool
    door: bool
    state_revision: int
    state_as_of_ms: int
    link_up: bool
    link_changed_at_ms: int
    generation: int
    sealed: bool
    retold_part: int
    retold_parts: int
    began: Began
    catalogue_version: int


_QUERY = Prepared(
    select(
        *(column for column in device.c if column.name != "id"), catalogue.c.version.label("catalogue_version")
    ).select_from(device.outerjoin(catalogue, catalogue.c.id == device.c.id))
)


def load(db: Connection) -> DeviceRow:
    """Return the device row; raises ``NotProvisioned`` in a database that was never prepared."""
    row = find(db)
    if row is None:
        msg = "this database was never prepared for a device"
        raise NotProvisioned(msg)
    return row


def find(db: Connection) -> DeviceRow | None:
    """Return the device row, or None in an empty database."""
    row = _QUERY.first(db)
    if row is None:
        return None
    facts = row._asdict()
    return DeviceRow(**facts | {"catalogue_version": facts["catalogue_version"] or 0})


def create(db: Connection, *, org: str, venue: str, name: str, inc: str, bound_to: str) -> None:
    """Insert the device row of a fresh database."""
    db.execute(device.insert().values(id=1, org=org, venue=venue, device=name, inc=inc, bound_to=bound_to))


def change(db: Connection, **values: Any) -> None:
    """Set columns of the device row."""
    db.execute(update(device).where(device.c.id == 1).values(**values))


def begin_incarnation(db: Connection, inc: str, bound_to: str, began: Began) -> None:
    """Start a new life and say why: frozen, with no allocation, until the cloud grants to ``inc``."""
    change(db, inc=inc, bound_to=bound_to, frozen=True, state_revision=0, began=began)
    forget_current(db)
