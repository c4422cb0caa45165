"""A broker and the lines to it, which lose, repeat, overtake, delay, break, and break without anybody noticing."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterable
from functools import cache, partial

from mqtt_bridge.transport import Link, Message, Will
from tests.simulation.clock import Time

RETRY_MS = 2_000
KEEPALIVE_MS = 15_000
USUAL_MS = (3, 25)
REORDERED_MS = (3, 4_000)


class Port:
    """One client's side: what ``transport.Transport`` offers. ``wake`` lets its owner run."""

    def __init__(self, network: Network, client_id: str, filters: Iterable[str], will: Will | None = None) -> None:
        self.client_id = client_id
        self.filters = set(filters)
        self.will = will
        self.connected = False
        self.error = "not connected yet"
        self.refused = 0
        self.on = False
        self.cut = False
        self.deaf = False  # half open: both ends believe in the connection, nothing passes
        self.at_once = False  # what the broker retained is there as soon as the connection is
        self.incoming: deque[Message | Link] = deque()
        self.wake_owner: Callable[[int], None] = lambda _wait_ms: None
        self.after_publish: Callable[[], None] = lambda: None
        self.free_at_ms = 0
        self._network = network

    def start(self) -> None:
        self.on = True
        self._network.connect(self)

    def stop(self) -> None:
        self.on = False
        self._network.disconnect(self, "stopped", told=True)

    def power_off(self) -> None:
        """The owner is gone without a word; whoever waits for it finds out later."""
        self.on = False
        self._network.disconnect(self, "power", told=False)
        self.incoming.clear()

    def wake(self) -> None:
        self.wake_owner(1)

    def drop(self, reason: str) -> None:
        self._network.disconnect(self, reason, told=False)

    def get(self, timeout_s: float) -> Message | Link | None:
        return self.incoming.popleft() if self.incoming else None

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        if not self.connected:
            return False
        self._network.publish(self, topic, payload, retain)
        self.after_publish()
        return True

    def subscribe(self, topic_filter: str) -> None:
        self.filters.add(topic_filter)
        self._network.subscribed(self, topic_filter)

    def unsubscribe(self, topic_filter: str) -> None:
        self.filters.discard(topic_filter)
        self._network.changed()

    def take(self, event: Message | Link) -> None:
        """Something arrived."""
        self.incoming.append(event)
        self.wake_owner(2)


class Network:
    """The broker. Chances are between 0 and 1 and hold for every message while a fault lasts."""

    def __init__(self, time: Time, rng: random.Random) -> None:
        self.time = time
        self.up = True
        self.loss = 0.0
        self.repeats = 0.0
        self.reorders = 0.0
        self.extra_ms = 0
        self.lost = 0
        self.repeated = 0
        self.overtaken = 0
        self.messages = 0
        self.retained: dict[str, bytes] = {}
        self._rng = rng
        self._clients: dict[str, Port] = {}
        self._routes: dict[str, list[Port]] = {}

    # --- connections

    def connect(self, port: Port) -> None:
        """Connect now, or try again until it works."""
        if not port.on or port.connected:
            return
        if not self.up or port.cut:
            self.time.after(RETRY_MS, lambda: self.connect(port))
            return
        other = self._clients.get(port.client_id)
        if other is not None and other is not port:
            self.disconnect(other, "another client took over", told=False)
        self._clients[port.client_id] = port
        port.connected, port.error, port.deaf = True, "", False
        self.changed()
        port.take(Link(up=True))
        for topic_filter in sorted(port.filters):
            self._repeat_retained(port, topic_filter)

    def disconnect(self, port: Port, reason: str, *, told: bool) -> None:
        """End a connection; the will goes out unless the client said goodbye."""
        if port.connected:
            port.connected, port.error = False, reason
            if self._clients.get(port.client_id) is port:
                del self._clients[port.client_id]
                if port.will is not None and not told:
                    self._arrive(port.will.topic, port.will.payload, retain=True)
            self.changed()
            if port.on:
                port.take(Link(up=False, reason=reason))
        if port.on:
            self.time.after(self._rng.randint(200, RETRY_MS), lambda: self.connect(port))

    def cut(self, port: Port) -> None:
        """Pull the cable: both ends notice."""
        port.cut = True
        self.disconnect(port, "no network", told=False)

    def deafen(self, port: Port) -> None:
        """Break the line so that nobody notices before the keepalive does."""
        port.deaf = True
        self.time.after(KEEPALIVE_MS, lambda: self._notice(port))

    def _notice(self, port: Port) -> None:
        if port.deaf and port.connected:
            self.disconnect(port, "no answer", told=False)
        port.deaf = False

    def restart(self, *, forgets: bool, down_ms: int) -> None:
        """Kill the broker; it comes back, with or without what it retained."""
        self.up = False
        for port in list(self._clients.values()):
            port.will, will = None, port.will
            self.disconnect(port, "the broker is gone", told=False)
            port.will = will
        if forgets:
            self.retained.clear()

        def back() -> None:
            self.up = True

        self.time.after(down_ms, back)

    # --- messages

    def publish(self, port: Port, topic: str, payload: bytes, retain: bool) -> None:
        """Carry a message to the broker and to whoever subscribed, or not."""
        self.messages += 1
        if port.deaf or self._lost():
            self.lost += 1
            return
        for _ in range(2 if self._rng.random() < self.repeats else 1):
            self.time.at(self._arrival_ms(port), lambda: self._arrive(topic, payload, retain=retain))

    def _lost(self) -> bool:
        return bool(self.loss) and self._rng.random() < self.loss

    def _arrival_ms(self, port: Port) -> int:
        """When a message arrives: after those sent before it on this line, unless the line is in disorder."""
        if self.reorders and self._rng.random() < self.reorders:
            self.overtaken += 1
            return self.time.now_ms + self._rng.randint(*REORDERED_MS)
        at_ms = max(port.free_at_ms, self.time.now_ms + self._rng.randint(*USUAL_MS) + self.extra_ms)
        port.free_at_ms = at_ms
        return at_ms

    def _arrive(self, topic: str, payload: bytes, *, retain: bool) -> None:
        if not self.up:
            self.lost += 1
            return
        if retain:
            self.retained[topic] = payload
        for port in self._subscribers(topic):
            if port.deaf or self._lost():
                self.lost += 1
                continue
            port.take(Message(topic, payload, retained=False))
            if self.repeats and self._rng.random() < self.repeats:
                self.repeated += 1
                port.take(Message(topic, payload, retained=False))

    # --- subscriptions

    def changed(self) -> None:
        """Forget who gets what."""
        self._routes.clear()

    def subscribed(self, port: Port, topic_filter: str) -> None:
        """A connected client wants more."""
        self.changed()
        if port.connected:
            self._repeat_retained(port, topic_filter)

    def _subscribers(self, topic: str) -> list[Port]:
        found = self._routes.get(topic)
        if found is None:
            found = [
                each
                for each in self._clients.values()
                if topic in each.filters or any(matches(one, topic) for one in each.filters if "+" in one)
            ]
            self._routes[topic] = found
        return found

    def _repeat_retained(self, port: Port, topic_filter: str) -> None:
        for topic in sorted(each for each in self.retained if matches(topic_filter, each)):
            message = Message(topic, self.retained[topic], retained=True)
            if port.at_once:
                port.take(message)
            else:
                self.time.after(self._rng.randint(*USUAL_MS), partial(self._repeat, port, message))

    @staticmethod
    def _repeat(port: Port, message: Message) -> None:
        if port.connected and not port.deaf:
            port.take(message)


@cache
def matches(topic_filter: str, topic: str) -> bool:
    """Tell whether a filter with ``+`` and ``#`` takes a topic."""
    wanted, parts = topic_filter.split("/"), topic.split("/")
    if wanted[-1] == "#":
        return len(parts) >= len(wanted) - 1 and _fit(wanted[:-1], parts)
    return len(wanted) == len(parts) and _fit(wanted, parts)


def _fit(wanted: list[str], parts: list[str]) -> bool:
    return all(each in {"+", part} for each, part in zip(wanted, parts, strict=False))
