"""A broker drops what does not fit into a queue and says success to the sender: its own counter is the only sign."""

from __future__ import annotations

from mqtt_bridge.cloud.alarms import raise_alarm
from mqtt_bridge.cloud.rows import Rows, Store
from mqtt_bridge.cloud.service import Wire
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.transport import Message


class BrokerWatch:
    """Follows Mosquitto's count of dropped messages on ``wire``; what it was before we came is nobody's news."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._last: int | None = None
        self._dropped = 0

    def look(self, store: Store, wall_ms: int, *, tells: bool) -> None:
        """Read the counter; where it grew, and we are the one who ``tells``, list that as an alarm. Raises ``store.failures``."""
        while (event := self._wire.get(0.0)) is not None:
            if isinstance(event, Message):
                self._told(event.payload)
        if self._dropped and tells:
            store.run(lambda rows: self._list(rows, wall_ms))
        self._dropped = 0

    def _told(self, payload: bytes) -> None:
        count = int(payload) if payload.isdigit() else 0
        if self._last is not None:  # a restarted broker counts from zero again
            self._dropped += count - self._last if count >= self._last else count
        self._last = count

    def _list(self, rows: Rows, wall_ms: int) -> None:
        detail = f"{self._dropped} messages fitted into no queue; senders repeat them. Start another reconciler if it goes on."
        work = Work(rows)
        raise_alarm(work, "broker-dropped", "broker", detail, wall_ms)
        work.write()
