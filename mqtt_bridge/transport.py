"""One MQTT v5 connection that comes back by itself; the only module that knows paho.

Every connection is a new client with a clean start: neither paho's queue in memory nor the broker's holds anything that an
outbox does not hold better. Nothing is done in paho's thread, where an exception would end it: it only fills a bounded queue
that one worker reads with ``get``. A PUBACK proves that the connection lives, nothing more.
"""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from mqtt_bridge import peers

log = structlog.get_logger("marquee.transport")

KEEPALIVE_S = 10
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 10.0
MIN_WAIT_S, MAX_WAIT_S = 0.2, 5.0
MAX_WAITING = 2_000
FULL_PATIENCE_S = 2.0
MAX_UNSENT = 1_000
QOS = 1
NOT_YET = "not connected yet"


class Message(NamedTuple):
    """What was published to us; ``retained`` means the broker repeated an old state when we subscribed."""

    topic: str
    payload: bytes
    retained: bool


class Link(NamedTuple):
    """The connection is usable (connected and subscribed), or no longer, and why."""

    up: bool
    reason: str = ""


@dataclass(frozen=True)
class Will:
    """What the broker publishes, retained, when our connection breaks."""

    topic: str
    payload: bytes


@dataclass(frozen=True)
class Tls:
    """Files of the authority that signed the broker's certificate and, optionally, of our own certificate and key.

    All are read at each connection. ``earliest_ms`` returns None where the clock is right, else the earliest that it can be now
    (ms since the epoch): then a certificate is never too early, and over only if it ended before.
    """

    ca: str
    certificate: str | None = None
    key: str | None = None
    earliest_ms: Callable[[], int | None] = lambda: None


class Transport:
    """Publishes and subscribes at ``url`` (``mqtt://host:1883`` or ``mqtts://host:8883``) from ``start`` to ``stop``.

    Where a connection ended, the next one goes to the next of ``before``, older addresses of the same broker, and then to ``url`` again: an
    address that nobody answers at, or where nobody understands us, keeps no device from the others.

    ``publish`` never waits; ``get`` is for one worker. ``connected`` is true between the two ``Link`` events; ``error`` says why
    it is not. ``subscriptions`` are made at each connection before it counts as up.
    """

    def __init__(
        self,
        url: str,
        client_id: str,
        subscriptions: Iterable[str] = (),
        *,
        before: Iterable[str] = (),
        tls: Tls | None = None,
        username: str | None = None,
        password: str | None = None,
        will: Will | None = None,
    ) -> None:
        self._addresses = deque(_address(each) for each in dict.fromkeys((url, *before)))
        self._client_id = client_id
        self._filters = list(subscriptions)
        self._tls = tls
        self._login = (username, password)
        self._will = will
        self._incoming: deque[Message | Link] = deque()
        self._changed = threading.Condition()
        self._woken = False
        self._stopping = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name=f"mqtt {client_id}", daemon=True)
        self._connection: _Connection | None = None
        self.connected = False
        self.error = NOT_YET
        self.refused = 0

    def start(self) -> None:
        """Begin to connect, and keep trying."""
        self._supervisor.start()

    def stop(self) -> None:
        """Disconnect after what was published had a second to leave."""
        connection = self._connection
        if connection is not None and self.connected:
            connection.finish()
        self._stopping.set()
        self.drop("stopped")
        if self._supervisor.is_alive():
            self._supervisor.join(CONNECT_TIMEOUT_S + 2)

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> bool:
        """Hand a message over and tell whether that worked; False while there is no connection or its queue is full."""
        connection = self._connection
        return self.connected and connection is not None and connection.publish(topic, payload, retain)

    def subscribe(self, topic_filter: str) -> None:
        """Also receive ``topic_filter``, now and after every reconnect."""
        self._filters = [*self._filters, topic_filter]
        if (connection := self._connection) is not None and self.connected:
            connection.subscribe([topic_filter])

    def unsubscribe(self, topic_filter: str) -> None:
        """No longer receive ``topic_filter``."""
        self._filters = [each for each in self._filters if each != topic_filter]
        if (connection := self._connection) is not None and self.connected:
            connection.unsubscribe(topic_filter)

    def get(self, timeout_s: float) -> Message | Link | None:
        """Return the next event, None after ``timeout_s`` or ``wake``; events come in the order they happened."""
        with self._changed:
            if not self._incoming and not self._woken:
                self._changed.wait(timeout_s)
            self._woken = False
            if not self._incoming:
                return None
            event = self._incoming.popleft()
            self._changed.notify_all()
            return event

    def wake(self) -> None:
        """Let ``get`` return at once; any thread may call it."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def drop(self, reason: str) -> None:
        """Give the connection up, for instance because nobody answers; another one follows."""
        if (connection := self._connection) is not None:
            connection.close(reason)

    def _supervise(self) -> None:
        wait_s = MIN_WAIT_S
        while not self._stopping.is_set():
            began = time.monotonic()
            self._set_link(up=False, reason=self._connect_once())
            self._addresses.rotate(-1)
            wait_s = MIN_WAIT_S if time.monotonic() - began > MAX_WAIT_S else min(wait_s * 2, MAX_WAIT_S)
            self._stopping.wait(wait_s * random.uniform(0.5, 1.0))  # not all devices at once after an outage

    def _connect_once(self) -> str:
        """Live through one connection and return why it ended; nothing may end the thread that reconnects."""
        connection: _Connection | None = None
        try:
            connection = self._connection = _Connection(self)
            connection.live()
        except (OSError, ValueError) as error:  # ValueError: TLS files that do not fit, a host name that cannot be
            reason = f"{type(error).__name__}: {error}"
        except Exception as error:  # noqa: BLE001
            reason = f"{type(error).__name__}: {error}"
            log.error("transport.crashed", reason=reason)
        else:
            reason = connection.reason
        return connection.reason or reason if connection is not None else reason

    def _set_link(self, *, up: bool, reason: str = "") -> None:
        with self._changed:
            if not up and reason != self.error:
                log.warning("transport.down", reason=reason)
            self.error = reason
            if up != self.connected:
                self.connected = up
                self._incoming.append(Link(up, reason))
                self._changed.notify_all()

    def _arrived(self, message: Message) -> bool:
        """Queue a message; False if the worker makes no room for it."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._incoming) < MAX_WAITING, FULL_PATIENCE_S):
                return False
            self._incoming.append(message)
            self._changed.notify_all()
            return True


class _Connection:
    """One paho client from connect to disconnect; never reused."""

    def __init__(self, owner: Transport) -> None:
        self._owner = owner
        self._host, self._port, self._secure = owner._addresses[0]  # noqa: SLF001
        self.reason = ""
        self._over = threading.Event()
        self._unanswered: dict[int, float] = {}
        self._answered: set[int] = set()
        self._lock = threading.Lock()
        self._first_subscription: int | None = None
        self._complaint = ""
        self._earliest_ms: int | None = None
        self._client = self._make_client()

    def live(self) -> None:
        """Connect and stay until the connection ends; raises ``OSError`` if it does not come about."""
        owner, client = self._owner, self._client
        client.connect(self._host, self._port, keepalive=KEEPALIVE_S, clean_start=True)
        if self._earliest_ms is not None and peers.is_over(client.socket(), self._earliest_ms):
            self.close("the broker's certificate has expired")
        began = time.monotonic()
        client.loop_start()
        try:
            while not self._over.wait(0.5):
                silent_s = time.monotonic() - (began if not owner.connected else self._waiting_since())
                if silent_s > ANSWER_TIMEOUT_S:
                    self.close(f"the broker did not answer for {ANSWER_TIMEOUT_S:g} s")
        finally:
            self.close("ended")
            client.loop_stop()

    def publish(self, topic: str, payload: bytes, retain: bool) -> bool:
        # Not under our lock: paho calls on_publish with its own lock held.
        info = self._client.publish(topic, payload, qos=QOS, retain=retain)
        with self._lock:
            if info.mid in self._answered:  # the answer was faster than paho's return
                self._answered.discard(info.mid)
            elif info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
                self._unanswered[info.mid] = time.monotonic()
        return info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def subscribe(self, filters: list[str]) -> int | None:
        _, mid = self._client.subscribe([(each, QOS) for each in filters])
        return mid

    def unsubscribe(self, topic_filter: str) -> None:
        self._client.unsubscribe(topic_filter)

    def finish(self) -> None:
        """Give published messages a second to be answered, then say goodbye."""
        deadline = time.monotonic() + 1.0
        while self._unanswered and not self._over.is_set() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._client.disconnect()
        self._over.wait(0.5)

    def close(self, reason: str) -> None:
        """End the connection from any thread; also one whose other side is silent."""
        self.reason = self.reason or reason
        self._over.set()
        sock = self._client.socket()
        if isinstance(sock, socket.socket):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _waiting_since(self) -> float:
        with self._lock:
            return min(self._unanswered.values(), default=time.monotonic())

    def _make_client(self) -> mqtt.Client:
        owner = self._owner
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            owner._client_id,  # noqa: SLF001
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.max_queued_messages_set(MAX_UNSENT)
        client.suppress_exceptions = True  # second safety net: the callbacks below do nothing that can fail
        username, password = owner._login  # noqa: SLF001
        if username is not None:
            client.username_pw_set(username, password)
        if (will := owner._will) is not None:  # noqa: SLF001
            client.will_set(will.topic, will.payload, qos=QOS, retain=True)
        if self._secure:
            tls = owner._tls or Tls(ca="")  # noqa: SLF001
            self._earliest_ms = tls.earliest_ms()
            client.tls_set_context(_context(tls, self._earliest_ms))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        client.on_log = self._on_log
        return client

    def _on_log(self, _client: Any, _data: Any, level: int, words: str) -> None:
        """Before the connection stands, keep what paho says only here: TLS 1.3 refuses a certificate after the handshake."""
        if level == mqtt.MQTT_LOG_ERR:
            self._complaint = words

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        filters = self._owner._filters  # noqa: SLF001
        self._client.on_log = None  # it is called for every packet
        if code.is_failure:
            self.close(f"the broker refused the connection: {code}")
        elif filters:
            self._first_subscription = self.subscribe(filters)
        else:
            self._owner._set_link(up=True)  # noqa: SLF001

    def _on_subscribe(self, _client: Any, _data: Any, mid: int, codes: list[ReasonCode], _properties: Any) -> None:
        if any(code.is_failure for code in codes):
            self.close(f"the broker refused a subscription: {', '.join(str(code) for code in codes)}")
        elif mid == self._first_subscription:
            self._owner._set_link(up=True)  # noqa: SLF001

    def _on_publish(self, _client: Any, _data: Any, mid: int, code: ReasonCode, _properties: Any) -> None:
        with self._lock:
            if self._unanswered.pop(mid, None) is None:
                self._answered.add(mid)
        if code.is_failure:
            self._owner.refused = total = self._owner.refused + 1
            if total & (total - 1) == 0:  # the first, second, fourth ...: who is shut out is refused all the time
                log.error("transport.refused", reason=str(code), total=total)

    def _on_message(self, _client: Any, _data: Any, message: mqtt.MQTTMessage) -> None:
        if not self._owner._arrived(Message(message.topic, bytes(message.payload), message.retain)):  # noqa: SLF001
            # Dropping single messages would lose retained states for good; a new connection repeats them.
            self.close("messages arrive faster than they are handled")

    def _on_disconnect(self, _client: Any, _data: Any, _flags: Any, code: ReasonCode, _properties: Any) -> None:
        self.close(f"disconnected: {self._complaint or code}")


def _context(tls: Tls, earliest_ms: int | None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca:
        context.load_verify_locations(tls.ca)
    else:
        context.load_default_certs()
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key)
    if earliest_ms is not None:
        peers.without_clock(context)
    return context


def _address(url: str) -> tuple[str, int, bool]:
    """Return (host, port, TLS); raises ``ValueError`` with the right form."""
    parts = urlsplit(url)
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or parts.path not in {"", "/"}:
        msg = f"{url!r} is no broker address; write mqtt://host:1883 or mqtts://host:8883"
        raise ValueError(msg)
    secure = parts.scheme == "mqtts"
    return parts.hostname, parts.port or (8883 if secure else 1883), secure
