"""What a box has to say to the cloud."""

from __future__ import annotations

from sqlalchemy import select

from mqtt_bridge.mailbox.tables import outbox
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Content, Downlink, Envelope, Uplink
from tests.support.box import TestBox


def bodies(box: TestBox) -> list[Uplink | Downlink]:
    """Return the bodies in the outbox, oldest first."""
    with box.database.read() as db:
        rows = db.execute(
            select(outbox.c.envelope).order_by(outbox.c.inc == box.look(lambda unit: unit.inc), outbox.c.seq)
        )
        return [decode(decode(each, Envelope).content, Content).body for each in rows.scalars()]
