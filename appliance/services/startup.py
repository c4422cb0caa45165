"""What a process does once before it serves: the device row exists and belongs to this board and card."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from appliance.services.box import Identity
from appliance.store import device
from mqtt_bridge.database import Database
from mqtt_bridge.protocol import ids


class WrongDatabase(RuntimeError):
    """The database belongs to another device; the sentence says which."""


def prepare(database: Database, identity: Identity, random: Callable[[int], bytes], bound_to: str = "") -> None:
    """Make the device row of a fresh database; a copy found on another board or card starts a new, frozen incarnation.

    ``bound_to`` is the fingerprint of board and card. Raises ``WrongDatabase`` if the rows are another device's.
    """

    def work(db: Connection) -> None:
        row = device.find(db)
        inc = ids.secret(random(ids.SECRET_BYTES))
        if row is None:
            device.create(db, org=identity.org, venue=identity.venue, name=identity.device, inc=inc, bound_to=bound_to)
            return
        if (row.org, row.device) != (identity.org, identity.device):
            msg = f"this database belongs to device {row.device!r} of {row.org!r}; name another data folder"
            raise WrongDatabase(msg)
        if row.venue != identity.venue:
            device.change(db, venue=identity.venue)
        if row.bound_to != bound_to:
            device.begin_incarnation(db, inc, bound_to)

    database.run(work)
