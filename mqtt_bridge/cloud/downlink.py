"""Send outbox rows to the devices that can be reached, until each acknowledged its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mqtt_bridge.cloud.rows import Rows, Store, Want
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

        def due(rows: Rows) -> list[tuple[str, Outgoing]]:
            streams: dict[str, dict[str, int]] = {}
            for peer, inc, seq, _ in rows.outboxes.heads():
                streams.setdefault(peer, {})[inc] = seq - 1
            waiting = {name: found for name, found in streams.items() if mine(name)}
            for name in self._pumps.keys() - waiting.keys():
                del self._pumps[name]  # nothing is under way
            wants = [
                Want(name, *each)
                for name, found in waiting.items()
                for each in self._pumps.setdefault(name, Pump(name)).wanted(found, now_ms)
            ]
            return rows.outboxes.unacked(wants)

        for peer, row in self._store.look(due):
            if not self._publish(topics.down(self._org, peer, "msg"), row.envelope):
                return
            self._pumps[peer].sent([row], now_ms)
