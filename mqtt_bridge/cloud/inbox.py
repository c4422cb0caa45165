"""Messages on their way into the reconciler's transactions: gathered into batches, in the order in which they came."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mqtt_bridge.cloud.incoming import Incoming, incoming
from mqtt_bridge.transport import Link, Message

LARGEST_BATCH = 500
# A batch costs as much as some dozens of messages, however few it holds. So after one of so many messages what has come until then is
# not applied at once but with what arrives so much later, unless it is enough for itself.
MANY, ENOUGH = 32, LARGEST_BATCH // 2
GATHERING_MS = 25


class Stop(Protocol):
    """What waiting needs of a ``threading.Event``."""

    def wait(self, timeout: float | None = None) -> bool: ...  # noqa: D102


class Inbox:
    """``batch`` is what is to be applied; ``ahead`` is the batch after that, whose signatures may be looked at meanwhile.

    ``get`` waits for the next event, so many seconds at most; ``ticks_ms`` returns ms of a clock that only grows.
    """

    def __init__(self, get: Callable[[float], Message | Link | None], org: str, ticks_ms: Callable[[], int]) -> None:
        self.batch: list[Incoming] = []
        self.ahead: list[Incoming] = []
        self._get, self._org, self._ticks_ms = get, org, ticks_ms
        self._held: Link | None = None  # a change of the link, told after the messages that came before it
        self._many_at_ms: int | None = None  # when a batch of many messages was last applied

    def fill(self, wait_s: float, stop: Stop) -> Link | None:
        """Have a batch, if anything comes within ``wait_s``; a change of the link that came first is returned."""
        if not self.batch:
            self.batch, self.ahead = self.ahead, []
        if self.batch:
            return None
        held, self._held = self._held, None
        event = held or self._get(wait_s)
        if isinstance(event, Link):
            return event
        if event is not None:
            self._take(event)
            self.batch += self._more(LARGEST_BATCH - len(self.batch))
            if self._gathers():
                stop.wait(GATHERING_MS / 1000)
                self.batch += self._more(LARGEST_BATCH - len(self.batch))
        return None

    def look_further(self) -> list[Incoming]:
        """Take the batch after this one, if none is taken yet; returns what is new in it."""
        if not self.batch or self.ahead or self._held is not None:
            return []
        self.ahead = self._more(LARGEST_BATCH)
        return self.ahead

    def wait_out(self, ms: int) -> None:
        """Add everything that comes within so many ms to the batch; what the link does meanwhile is not told."""
        end = self._ticks_ms() + ms
        while (event := self._get(max(0, end - self._ticks_ms()) / 1000)) is not None:
            if isinstance(event, Message):
                self._take(event)

    def applied(self, messages: int) -> None:
        """The batch is done with; it had so many messages."""
        self.batch = []
        self._many_at_ms = self._ticks_ms() if messages >= MANY else None

    def _take(self, message: Message) -> None:
        self.batch += incoming(message.topic, message.payload, self._org)

    def _gathers(self) -> bool:
        """Whether it pays to wait for more: a moment ago there was much, and now there is little."""
        if self._held is not None or len(self.batch) >= ENOUGH or self._many_at_ms is None:
            return False
        return self._ticks_ms() - self._many_at_ms <= GATHERING_MS and all(each.leaf == "msg" for each in self.batch)

    def _more(self, most: int) -> list[Incoming]:
        """Take what else has arrived, up to about ``most`` messages or a change of the link, which is kept for later."""
        found: list[Incoming] = []
        while len(found) < most and (event := self._get(0.0)) is not None:
            if isinstance(event, Link):
                self._held = event
                break
            found += incoming(event.topic, event.payload, self._org)
        return found
