"""Send outbox rows to the devices that can be reached, until each acknowledged its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlalchemy as sa

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox.pump import Pump
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.mailbox.tables import outbox
from mqtt_bridge.protocol import topics

Publish = Callable[[str, bytes], bool]


class Downlinks:
    """One pump per device; what is sent and acknowledged is in the outbox, so any process may do it."""

    def __init__(self, database: Database, publish: Publish, org: str) -> None:
        self._database = database
        self._publish = publish
        self._org = org
        self._pumps: dict[str, Pump] = {}

    def restart(self, devices: Iterable[str] | None = None) -> None:
        """What was under way is lost: to these devices, or to all."""
        for name in list(self._pumps) if devices is None else devices:
            self._pumps.pop(name, None)

    def pump(self, now_ms: int) -> None:
        """Send what is due; ``now_ms`` is of a clock that only grows."""
        waiting = (outbox.c.acked_at_ms.is_(None), t.device.c.link_up)
        joined = outbox.join(t.device, t.device.c.name == outbox.c.peer)
        with self._database.read() as db:
            peers = db.execute(sa.select(outbox.c.peer).select_from(joined).where(*waiting).distinct()).scalars().all()
            pumps = [self._of(name) for name in sorted(peers)]
            rows = [(pump, row) for pump in pumps for row in pump.due(SqlMail(db), now_ms)]
        for pump, row in rows:
            if not self._publish(topics.down(self._org, pump.peer, "msg"), row.envelope):
                return
            pump.sent(row, now_ms)

    def _of(self, name: str) -> Pump:
        return self._pumps.setdefault(name, Pump(name))
