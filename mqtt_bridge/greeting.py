"""Whether the cloud answered a device's Hello on this connection, and when the next one is due. No I/O, no clock."""

from __future__ import annotations

from mqtt_bridge.protocol.messages import Hello

WAITS_MS = (1_000, 2_000, 4_000, 8_000, 15_000, 30_000)


class Greeting:
    """One connection after the other: hello is said, after growing waits, until it is ``answered``; ``said`` is the last one."""

    def __init__(self) -> None:
        self.said: Hello | None = None
        self.answered = False
        self._count = 0
        self._due_ms = 0

    def anew(self) -> None:
        """Nothing was said yet: the connection is new."""
        self.said = None
        self.again()

    def again(self) -> None:
        """What was answered holds no more: the next hello is due at once."""
        self.answered, self._count, self._due_ms = False, 0, 0

    def due(self, now_ms: int) -> bool:
        """Return whether to say hello now; having said so, it does again only after the next wait."""
        if self.answered or now_ms < self._due_ms:
            return False
        self._due_ms = now_ms + WAITS_MS[min(self._count, len(WAITS_MS) - 1)]
        return True

    def spoken(self, hello: Hello) -> None:
        """Note what was handed to the network."""
        self.said = hello
        self._count += 1
