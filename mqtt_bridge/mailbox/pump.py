"""Which rows of one peer's outbox to publish now: at most a window per incarnation, again when nobody acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mqtt_bridge.mailbox.machine import Window
from mqtt_bridge.mailbox.rows import Mail, Outgoing
from mqtt_bridge.protocol.messages import Ack


class Pump:
    """The sending side of one peer, for one connection after the other. Times are ms of a clock that only grows.

    Acks are read from the rows, so it does not matter which process committed them.
    """

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self._windows: dict[str, Window] = {}
        self._reached: dict[str, int] = {}

    @property
    def repeats(self) -> int:
        """How often in a row patience ran out without any progress."""
        return max((window.repeats for window in self._windows.values()), default=0)

    def restart(self) -> None:
        """Forget what was under way: the connection is new."""
        self._windows.clear()
        self._reached.clear()

    def believed(self, ack: Ack) -> Ack:
        """Return what an ack without a digest says about what was sent over this connection.

        A sender whose database went back in time must not take the ack of a message it forgot for that of a new one with the
        same number: it sends each unacked number once more, and the receiver compares.
        """
        return ack if ack.digest else Ack(ack.inc, min(ack.upto, self._reached.get(ack.inc, 0)))

    def due(self, mail: Mail, now_ms: int) -> list[Outgoing]:
        """Return the rows to publish now, in order; tell each that worked to ``sent``."""
        wanted = self.wanted(mail.streams(self.peer), now_ms)
        return [row for inc, after, room in wanted for row in mail.unacked(self.peer, inc, after, room)]

    def wanted(self, streams: Mapping[str, int], now_ms: int) -> list[tuple[str, int, int]]:
        """Return (incarnation, number, room): of each the first ``room`` rows after that number are to be published now.

        ``streams`` are those with something unacked, with the number before it, the oldest first.
        """
        wanted: list[tuple[str, int, int]] = []
        windows: dict[str, Window] = {}
        for inc, acked in streams.items():
            window = self._windows.get(inc)
            if window is None or acked < window.acked:
                window = Window().starting(acked, now_ms)
            window = window.acknowledged(acked, now_ms).ticking(now_ms)
            windows[inc] = window
            if window.room:
                wanted.append((inc, window.sent, window.room))
        self._windows = windows
        return wanted

    def sent(self, rows: Iterable[Outgoing], now_ms: int) -> None:
        """Note that rows, in order, were handed to the network."""
        for inc, seq in {row.inc: row.seq for row in rows}.items():
            self._reached[inc] = max(seq, self._reached.get(inc, 0))
            self._windows[inc] = self._windows[inc].sending(seq, now_ms)
