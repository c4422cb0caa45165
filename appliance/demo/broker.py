"""The embedded broker as a child of the demo, to be watched like the others."""

from __future__ import annotations

from mqtt_bridge.broker import EmbeddedBroker


class BrokerChild:
    """See ``children.Child``; a broker that died forgets what it retained, and the cloud says it again."""

    venue = "cloud"
    process = "broker"
    stops_by_itself = False

    def __init__(self, port: int) -> None:
        self.port = port
        self._broker = EmbeddedBroker(port)

    @property
    def pid(self) -> int | None:
        """See ``children.Child.pid``."""
        return self._broker.pid

    def start(self) -> None:
        """See ``children.Child.start``."""
        self._broker.stop()
        self._broker.start()

    def ask_to_stop(self) -> None:
        """See ``children.Child.ask_to_stop``; the others say goodbye through it, so it goes last, by ``kill``."""

    def kill(self) -> None:
        """See ``children.Child.kill``."""
        self._broker.stop()
