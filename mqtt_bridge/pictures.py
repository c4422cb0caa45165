"""The catalogue's pictures that a device lacks: asked for by subscribing to each, kept if it is what its name says."""

from __future__ import annotations

import hashlib
from typing import Generic, Protocol

from mqtt_bridge.edge import EdgeHandlers, InUnit, U
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.transport import Message


class Subscriber(Protocol):
    """What pictures need of a ``transport.Transport``."""

    def subscribe(self, topic_filter: str) -> None: ...  # noqa: D102
    def unsubscribe(self, topic_filter: str) -> None: ...  # noqa: D102


class Pictures(Generic[U]):
    """The subscriptions to what is missing; each ends when its picture is stored."""

    def __init__(
        self, transport: Subscriber, org: str, in_unit: InUnit[U], in_view: InUnit[U], handlers: EdgeHandlers[U]
    ) -> None:
        self._transport, self._org, self._handlers = transport, org, handlers
        self._run: InUnit[U] = in_unit
        self._look: InUnit[U] = in_view
        self._topics: set[str] = set()

    def ask(self) -> None:
        """Subscribe to the pictures we lack, one by one: all of them at every reconnect would fill a thin link."""
        wanted = {topics.everyone(self._org, f"asset/{sha}") for sha in self._look(self._handlers.missing_assets)}
        for topic in self._topics - wanted:
            self._transport.unsubscribe(topic)
        for topic in sorted(wanted - self._topics):
            self._transport.subscribe(topic)
        self._topics = wanted

    def take(self, sha256: str, message: Message) -> None:
        """Store a picture; raises ``ProtocolError`` for another one than its name says."""
        media_type, _, body = message.payload.partition(b"\n")
        if hashlib.sha256(body).hexdigest() != sha256:
            msg = f"asset {sha256} has other content than its name says"
            raise ProtocolError(msg)
        self._run(lambda unit: self._handlers.apply_asset(unit, sha256, media_type.decode("ascii", "replace"), body))
        self._topics.discard(message.topic)
        self._transport.unsubscribe(message.topic)
