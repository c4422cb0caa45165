"""Whether messages keep coming and none of them follows the last one we have. No I/O, no clock.

The cloud then believes that we have what we have not, because a copy of this card or its earlier state said so.
"""

from __future__ import annotations

from mqtt_bridge.protocol.messages import Ack

PATIENCE_MS = 10_000


class Gap:
    """What is acknowledged, and since when it has been no more than that."""

    def __init__(self) -> None:
        self._applied: Ack | None = None
        self._idle_since_ms: int | None = None

    def shows(self, ack: Ack, now_ms: int) -> bool:
        """Note the ack of a message that came; tells, once per ``PATIENCE_MS``, that it has stood still for so long."""
        if ack != self._applied:
            self._applied, self._idle_since_ms = ack, None
        elif self._idle_since_ms is None:
            self._idle_since_ms = now_ms
        elif now_ms - self._idle_since_ms >= PATIENCE_MS:
            self._idle_since_ms = None
            return True
        return False
