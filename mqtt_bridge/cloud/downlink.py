"""Send outbox rows to the devices that can be reached, until each acknowledged its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mqtt_bridge.cloud.rows import Rows, Store
from mqtt_bridge.mailbox.pump import Pump
from mqtt_bridge.mailbox.rows import Outgoing
from mqtt_bridge.protocol import topics

Publish = Callable[[str, bytes], bool]


class Downlinks:
    """One pump per device; what is sent and acknowledged is in the outbox, so any process may do it."""

    def __init__(self, store: Store, publish: Publish, org: str) -> None:
        self._store = store
        self._publish = publish
        self._org = org
        self._pumps: dict[str, Pump] = {}

    def restart(self, devices: Iterable[str] | None = None) -> None:
        """What was under way is lost: to these devices, or to all."""
        for name in list(self._pumps) if devices is None else devices:
            self._pumps.pop(name, None)

    def pump(self, now_ms: int, mine: Callable[[str], bool]) -> None:
        """Send what is due to our devices; ``now_ms`` is of a clock that only grows."""

        def due(rows: Rows) -> list[tuple[Pump, Outgoing]]:
            waiting = [name for name in rows.waiting() if mine(name)]
            for name in self._pumps.keys() - set(waiting):
                del self._pumps[name]  # nothing is under way
            pumps = [self._pumps.setdefault(name, Pump(name)) for name in waiting]
            return [(pump, row) for pump in pumps for row in pump.due(rows.mail, now_ms)]

        for pump, row in self._store.look(due):
            if not self._publish(topics.down(self._org, pump.peer, "msg"), row.envelope):
                return
            pump.sent([row], now_ms)
