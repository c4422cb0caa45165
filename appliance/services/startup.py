"""What a process does once before it serves: the device row exists and belongs to this board and card."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from appliance.services.box import Identity
from appliance.store import device
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox import sender
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.codec import Signer
from mqtt_bridge.protocol.topics import CLOUD


class WrongDatabase(RuntimeError):
    """The database belongs to another device; the sentence says which."""


def prepare(
    database: Database,
    identity: Identity,
    random: Callable[[int], bytes],
    signer: Signer,
    *,
    bound_to: str = "",
    wall_ms: int = 0,
) -> None:
    """Make the device row of a fresh database; a copy found on another board or card starts a new, frozen incarnation.

    What such a copy had not told the cloud yet it tells in its new life, because the original may use the same numbers.
    ``bound_to`` is the fingerprint of board and card. Raises ``WrongDatabase`` if the rows are another device's.
    """

    def work(db: Connection) -> None:
        row = device.find(db)
        inc = ids.secret(random(ids.SECRET_BYTES))
        if row is None:
            device.create(db, org=identity.org, venue=identity.venue, name=identity.device, inc=inc, bound_to=bound_to)
            return
        _require_own(row, identity)
        if row.venue != identity.venue:
            device.change(db, venue=identity.venue)
        if row.bound_to != bound_to:
            device.begin_incarnation(db, inc, bound_to, "another_board")
            sender.carry_over(SqlMail(db), CLOUD, row.inc, inc, signer=signer, wall_ms=wall_ms)

    database.run(work)


def forget_since(
    database: Database, identity: Identity, random: Callable[[int], bytes], signer: Signer, *, wall_ms: int
) -> None:
    """Begin a new, frozen incarnation after a backup was put back: what was sold since is known to the cloud at most.

    Raises ``WrongDatabase`` if the backup is another device's.
    """

    def work(db: Connection) -> None:
        row = device.find(db)
        if row is None:
            msg = "this is no backup of a device"
            raise WrongDatabase(msg)
        _require_own(row, identity)
        inc = ids.secret(random(ids.SECRET_BYTES))
        device.begin_incarnation(db, inc, row.bound_to, "went_back")
        sender.carry_over(SqlMail(db), CLOUD, row.inc, inc, signer=signer, wall_ms=wall_ms)

    database.run(work)


def _require_own(row: device.DeviceRow, identity: Identity) -> None:
    if (row.org, row.device) != (identity.org, identity.device):
        msg = f"this database belongs to device {row.device!r} of {row.org!r}; name another data folder"
        raise WrongDatabase(msg)
