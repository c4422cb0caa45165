"""The connection: it comes back, notices silence, never blocks and survives what happens in paho's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from mqtt_bridge import transport as module
from mqtt_bridge.transport import Link, Message, Transport, Will
from tests.mqtt_bridge.brokers import Broker, Mosquitto
from tests.mqtt_bridge.peers import until
from tests.mqtt_bridge.wire import Wire
from tests.support.ports import free_port
from tests.support.programs import program

Connect = Callable[..., Transport]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Start transports that are stopped at the end."""
    with ExitStack() as stack:

        def make(url: str, name: str, *filters: str, wait: bool = True, **options: object) -> Transport:
            made = Transport(url, name, filters, **options)  # type: ignore[arg-type]
            made.start()
            stack.callback(made.stop)
            if wait:
                until(lambda: made.connected)
                assert made.get(1) == Link(up=True)
            return made

        yield make


@pytest.fixture
def wire(broker: Broker) -> Iterator[Wire]:
    made = Wire(int(broker.url.rsplit(":", 1)[1]))
    yield made
    made.close()


def next_message(transport: Transport) -> Message:
    """The next message, whatever links did before it."""
    while True:
        event = until(lambda: transport.get(0.2))
        if isinstance(event, Message):
            return event


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


@pytest.mark.parametrize("url", ["", "localhost:1883", "http://x", "mqtt://", "mqtt://host/path", "mqtt://host:x"])
def test_an_address_that_is_none_says_what_one_looks_like(url: str) -> None:
    with pytest.raises(ValueError, match=r"mqtt://host:1883|Port could not"):
        Transport(url, "x")


def test_a_dead_broker_never_blocks(connect: Connect) -> None:
    """Start, publish, subscribe, get and stop return at once; the reason can be read."""
    with at_most(2):
        transport = connect(f"mqtt://127.0.0.1:{free_port()}", "lonely", "a", wait=False)
        assert not transport.publish("a", b"x")
        transport.subscribe("b")
        assert transport.get(0.05) is None
    until(lambda: "refused" in transport.error)
    with at_most(2):
        transport.stop()


def test_a_machine_that_swallows_everything_never_blocks(connect: Connect, wire: Wire) -> None:
    """Connected on TCP, then silence before CONNACK: publish still returns at once."""
    wire.silence()
    transport = connect(wire.url, "swallowed", "a", wait=False)
    with at_most(1):
        assert not transport.publish("a", b"x")


def test_retained_states_and_live_messages_can_be_told_apart(broker: Broker, connect: Connect) -> None:
    """A large retained payload too, as pictures are."""
    sender = connect(broker.url, "sender")
    picture = bytes(500_000)
    assert sender.publish("all/asset/1", picture, retain=True)
    until(lambda: sender._connection is not None and not sender._connection._unanswered)
    reader = connect(broker.url, "reader", "all/asset/1", "live")
    assert next_message(reader) == Message("all/asset/1", picture, retained=True)
    assert sender.publish("live", b"now", retain=True)
    assert next_message(reader) == Message("live", b"now", retained=False)


def test_topics_can_be_added_and_left(broker: Broker, connect: Connect) -> None:
    sender = connect(broker.url, "sender")
    reader = connect(broker.url, "reader", "one")
    sender.publish("two", b"2", retain=True)
    reader.subscribe("two")
    assert next_message(reader).payload == b"2"
    reader.unsubscribe("two")
    until(
        lambda: (
            (sender.publish("two", b"more"), sender.publish("one", b"1"), reader.get(0.2))[2] == ("one", b"1", False)
        )
    )


def test_links_and_messages_come_in_order_over_a_restart(broker: Broker, connect: Connect) -> None:
    """Up, down, up; what was published meanwhile was refused, what comes after arrives."""
    reader = connect(broker.url, "reader", "a")
    broker.kill()
    event = until(lambda: reader.get(0.2))
    assert isinstance(event, Link)
    assert not event.up
    assert event.reason
    assert not reader.publish("a", b"lost")
    broker.start()
    assert until(lambda: reader.get(0.2)) == Link(up=True)
    until(lambda: reader.publish("a", b"found"))
    assert next_message(reader).payload == b"found"


def test_a_cable_that_went_silent_is_noticed_by_missing_answers(
    wire: Wire, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TCP would wait for minutes; a publication without its answer ends the connection, and a new one follows."""
    monkeypatch.setattr(module, "ANSWER_TIMEOUT_S", 1.0)
    transport = connect(wire.url, "half-open", "a")
    wire.silence()
    assert transport.publish("a", b"into the void")
    event = until(lambda: transport.get(0.2), 8)
    assert isinstance(event, Link)
    assert not event.up
    assert "did not answer" in event.reason
    wire.heal()
    assert until(lambda: transport.get(0.2)) == Link(up=True)


def test_where_nobody_answers_the_addresses_of_before_are_tried_and_then_the_first_again(
    broker: Broker, connect: Connect
) -> None:
    """Whatever a cloud was renamed to, and however wrongly: a device finds it as long as one of its addresses is right."""
    gone, away = (f"mqtt://127.0.0.1:{free_port()}" for _ in range(2))
    for first, *before in ([broker.url, gone], [gone, broker.url], [gone, away, broker.url]):
        transport = connect(first, "renamed", before=before, wait=False)
        assert until(partial(transport.get, 0.2)) == Link(up=True)
        transport.drop("cut")
        assert until(partial(transport.get, 0.2)) == Link(up=False, reason="cut")
        assert until(partial(transport.get, 0.2)) == Link(up=True)
        transport.stop()


def test_the_will_is_published_when_the_cable_is_cut(broker: Broker, wire: Wire, connect: Connect) -> None:
    watcher = connect(broker.url, "watcher", "link")
    connect(wire.url, "device", will=Will("link", b"gone"))
    wire.silence()
    wire.cut()
    assert next_message(watcher).payload == b"gone"


def test_what_was_published_before_stop_leaves_and_the_will_does_not(broker: Broker, connect: Connect) -> None:
    watcher = connect(broker.url, "watcher", "link")
    leaver = connect(broker.url, "device", will=Will("link", b"gone"))
    for number in range(50):
        assert leaver.publish("link", str(number).encode())
    leaver.stop()
    assert [next_message(watcher).payload for _ in range(50)] == [str(number).encode() for number in range(50)]
    assert watcher.get(0.3) is None


@pytest.mark.fault(13)
def test_a_slow_worker_gets_a_new_connection_instead_of_gaps(
    broker: Broker, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropping single messages could lose a retained state for good; a reconnect repeats it."""
    monkeypatch.setattr(module, "MAX_WAITING", 5)
    monkeypatch.setattr(module, "FULL_PATIENCE_S", 0.1)
    sender = connect(broker.url, "sender")
    reader = connect(broker.url, "reader", "state", "flood")
    sender.publish("state", b"kept", retain=True)
    for _ in range(20):
        sender.publish("flood", b"x")
    until(lambda: not reader.connected)
    monkeypatch.setattr(module, "MAX_WAITING", 100)
    events: list[Message | Link | None] = []
    while Message("state", b"kept", retained=True) not in events:
        assert len(events) < 200
        events.append(reader.get(0.2))
    assert any(isinstance(event, Link) and "faster" in event.reason for event in events)


@pytest.mark.fault(28)
def test_an_exception_in_pahos_thread_does_not_end_it(
    broker: Broker, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = connect(broker.url, "reader", "a")
    sender = connect(broker.url, "sender")
    arrived = Transport._arrived
    failed: list[Message] = []

    def fail_once(self: Transport, message: Message) -> bool:
        if not failed:
            failed.append(message)
            raise RuntimeError("a bug")
        return arrived(self, message)

    monkeypatch.setattr(Transport, "_arrived", fail_once)
    until(lambda: sender.publish("a", b"x") and isinstance(reader.get(0.3), Message))
    assert failed


def test_wake_ends_a_wait(broker: Broker, connect: Connect) -> None:
    transport = connect(broker.url, "sleeper")
    transport.wake()
    with at_most(2):
        assert transport.get(10) is None


# Mosquitto's own ways to say no


@pytest.fixture
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A Mosquitto that lets everybody read and write ``ok`` only."""
    acl = tmp_path_factory.mktemp("acl") / "acl"
    acl.write_text("topic readwrite ok\n")
    acl.chmod(0o600)
    made = Mosquitto(program("mosquitto"), f"acl_file {acl}", "user root")
    made.start()
    yield made
    made.stop()


def test_a_refused_publication_is_counted(strict: Mosquitto, connect: Connect) -> None:
    """PUBACK with reason 0x87 is no success, whatever paho's is_published says."""
    transport = connect(strict.url, "writer", "ok")
    assert transport.publish("forbidden", b"x")
    until(lambda: transport.refused == 1)
    assert transport.publish("ok", b"x")
    assert next_message(transport).payload == b"x"
    assert transport.refused == 1


def test_a_broker_that_lets_nobody_in_says_so(connect: Connect) -> None:
    closed = Mosquitto(program("mosquitto"), "allow_anonymous false")
    closed.start()
    try:
        transport = connect(closed.url, "stranger", "ok", wait=False)
        until(lambda: "refused the connection" in transport.error)
        assert not transport.connected
    finally:
        closed.stop()
