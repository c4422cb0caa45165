"""The relay against real brokers and a cloud that uses the real mailbox."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import delete, update

from mqtt_bridge import relay, transport
from mqtt_bridge.keys import KeyFile
from mqtt_bridge.mailbox import tables
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import decode, encode, seal_envelope
from mqtt_bridge.protocol.messages import (
    Ack,
    Content,
    HardwareReport,
    HardwareState,
    Need,
    QuotaNeed,
    StockCount,
)
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.transport import Message, Transport
from tests.mqtt_bridge.brokers import Broker
from tests.mqtt_bridge.peers import DEVICE, GENERATION, INC, ORG, Cloud, Device, applied, fact, names_applied, until
from tests.mqtt_bridge.wire import Wire
from tests.support.ports import free_port

Pair = tuple[Device, Cloud]
# Where the broker's make does not matter, one is enough.
any_broker = pytest.mark.parametrize("broker", ["embedded"], indirect=True)


def numbered(first: int, last: int) -> list[str]:
    return [f"fact {number}" for number in range(first, last + 1)]


def has_more_than(count: int, cloud: Cloud) -> bool:
    return len(names_applied(cloud.database)) > count


def test_everything_in_the_outbox_arrives_once_and_in_order(pair: Pair) -> None:
    """Rows written before and after the start reach the cloud, and leave the backlog at its ack."""
    device, cloud = pair
    device.emit(*numbered(1, 100))
    device.start()
    until(lambda: device.waiting() == 0)
    device.emit(*numbered(101, 150))
    until(lambda: device.waiting() == 0)
    assert names_applied(cloud.database) == numbered(1, 150)


def test_downlink_is_applied_once_and_acknowledged(pair: Pair) -> None:
    """The cloud's messages are applied in order; its outbox empties at the device's own ack."""
    device, cloud = pair
    cloud.emit(*numbered(1, 30))
    device.start()
    until(lambda: cloud.waiting() == 0)
    assert names_applied(device.database) == numbered(1, 30)


@pytest.mark.fault(12)
def test_a_broker_that_dies_in_mid_stream_loses_nothing(pair: Pair, broker: Broker) -> None:
    """Kill -9 of a broker that keeps nothing, twice, while both sides send: everything arrives, once, in order."""
    device, cloud = pair
    device.start()
    for round_ in range(2):
        first = round_ * 400
        device.emit(*numbered(first + 1, first + 200))
        cloud.emit(*numbered(first + 1, first + 200))
        until(partial(has_more_than, first, cloud))
        broker.kill()
        device.emit(*numbered(first + 201, first + 400))
        cloud.emit(*numbered(first + 201, first + 400))
        broker.start()
    until(lambda: device.waiting() == 0 and cloud.waiting() == 0)
    assert names_applied(cloud.database) == numbered(1, 800)
    assert names_applied(device.database) == numbered(1, 800)


@pytest.mark.fault(5)
@any_broker
def test_only_the_clouds_own_ack_empties_the_outbox(pair: Pair) -> None:
    """The broker takes everything and the cloud stores it; without the ack it stays here, is repeated, applied once."""
    device, cloud = pair
    cloud.acknowledging = False
    device.start()
    device.emit("fact 1")
    until(lambda: names_applied(cloud.database) == ["fact 1"])
    until(lambda: len(cloud.received["msg"]) >= 2)
    assert device.waiting() == 1
    cloud.acknowledging = True
    until(lambda: device.waiting() == 0)
    assert names_applied(cloud.database) == ["fact 1"]


@pytest.mark.fault(15)
@any_broker
def test_a_cloud_whose_database_was_swapped_is_sent_what_it_lost(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody says so: its acks stay behind what it had acknowledged, and the next message cannot follow."""
    monkeypatch.setattr(relay, "STALLED_REPEATS", 1)
    device, cloud = pair
    device.start()
    device.emit(*numbered(1, 5))
    until(lambda: device.waiting() == 0)
    with cloud.database.write() as db:
        db.execute(delete(applied).where(applied.c.place > 2))
        db.execute(update(tables.inbox).values(upto=2))
    device.emit(*numbered(6, 7))
    until(lambda: device.waiting() == 0)
    assert names_applied(cloud.database) == numbered(1, 7)


@any_broker
def test_a_new_bridge_process_goes_on_where_the_last_one_stopped(pair: Pair, broker: Broker, tmp_path: Path) -> None:
    device, cloud = pair
    device.start()
    device.emit(*numbered(1, 200))
    until(partial(has_more_than, 0, cloud))
    device.stop()
    again = Device(tmp_path, broker.url, cloud.key.public_hex)
    again.start()
    again.emit(*numbered(201, 250))
    until(lambda: again.waiting() == 0)
    again.stop()
    assert names_applied(cloud.database) == numbered(1, 250)


# What must not be believed


@any_broker
def test_a_downlink_with_a_bad_signature_is_dropped_and_counted(pair: Pair) -> None:
    """Not applied, not acknowledged, and the genuine message of that number still gets through."""
    device, cloud = pair
    device.start()
    until(lambda: device.relay.health.answered)
    stranger = KeyFile(tmp_folder(device) / "stranger.pem")
    forged = Content(1, ORG, "cloud", DEVICE, GENERATION, 1, fact("forged"), 1)
    for envelope in (
        encode(seal_envelope(forged, stranger)),
        encode(seal_envelope(msgspec.structs.replace(forged, org="other"), cloud.key)),
        encode(seal_envelope(msgspec.structs.replace(forged, sender="venue-2"), cloud.key)),
        b"no envelope",
        b"\xff" * 300_000,
    ):
        rejected = device.relay.health.rejected
        assert cloud.down("msg", envelope)
        until(partial(has_rejected_more_than, rejected, device))
    assert "ack" not in cloud.received
    cloud.emit("genuine")
    until(lambda: cloud.waiting() == 0)
    assert names_applied(device.database) == ["genuine"]
    assert device.relay.health.failing == {}


@any_broker
@pytest.mark.parametrize("leaf", ["ack", "state"])
def test_nonsense_on_any_topic_does_not_stop_the_relay(pair: Pair, leaf: str) -> None:
    device, cloud = pair
    device.start()
    until(lambda: device.relay.health.answered)
    for payload in (b"", b"\xff", b"{}", b"[" * 10_000, b'{"inc":"x","upto":-1}'):
        assert cloud.down(leaf, payload)
    device.emit("fact 1")
    until(lambda: device.waiting() == 0)


@any_broker
def test_a_state_of_another_device_is_refused(pair: Pair) -> None:
    device, cloud = pair
    device.start()
    until(lambda: device.relay.health.answered)
    seen = len(device.seen)
    assert cloud.down("state", encode(msgspec.structs.replace(cloud.state(), device="venue-2")))
    until(lambda: device.relay.health.rejected == 1)
    assert len(device.seen) == seen


def test_nothing_is_sent_before_the_cloud_answered_this_hello(pair: Pair, broker: Broker) -> None:
    """A state that the broker kept from earlier is applied, but opens nothing."""
    device, cloud = pair
    until(lambda: cloud.down("state", encode(cloud.state()), retain=True))
    cloud.answering = False
    device.emit("fact 1")
    device.start()
    until(lambda: len(cloud.received.get("hello", [])) >= 2 and device.seen)
    assert "msg" not in cloud.received
    assert device.links == [False]
    cloud.answering = True
    until(lambda: device.waiting() == 0)
    assert device.links == [False, True]


@any_broker
def test_a_device_that_forgot_what_the_cloud_knows_sends_nothing(pair: Pair) -> None:
    """A restored card: its numbers would be taken for repetitions of other messages, and acknowledged away."""
    device, cloud = pair
    cloud.upto = 5
    device.emit("fact 1")
    device.start()
    until(lambda: len(cloud.received.get("hello", [])) >= 2 and device.seen)
    assert "msg" not in cloud.received
    assert device.waiting() == 1
    assert not device.relay.health.answered
    cloud.upto = None
    until(lambda: device.waiting() == 0)


@any_broker
def test_an_ack_of_what_was_not_sent_on_this_connection_is_ignored(pair: Pair) -> None:
    """Acks in advance, from an old life or of a number beyond the end change nothing."""
    device, cloud = pair
    cloud.acknowledging = False
    device.emit("fact 1")
    device.start()
    until(lambda: cloud.received.get("msg"))
    for ack in (Ack(INC, 0), Ack("life-0", 1), Ack(INC, -1)):
        assert cloud.down("ack", encode(ack))
    cloud.down("ack", encode(Ack(INC, 1_000)))
    until(lambda: device.waiting() == 0)
    device.emit("fact 2")
    until(partial(has_more_than, 1, cloud))
    assert device.waiting() == 1
    cloud.acknowledging = True
    until(lambda: device.waiting() == 0)


# Handlers that raise


@pytest.mark.fault(28)
@any_broker
@pytest.mark.parametrize("what", ["message", "state", "catalogue", "hello", "status", "link"])
def test_a_failing_handler_is_seen_and_tried_again(pair: Pair, what: str) -> None:
    """A bug or a full disk in one place: visible by name, the rest goes on, and it is made up for later."""
    device, cloud = pair
    device.failing.add(what)
    topic = topics.everyone(ORG, "catalogue")
    until(lambda: cloud.transport.publish(topic, encode(Catalogue(version=7)), retain=True))
    cloud.emit("fact 1")
    device.emit("fact 1")
    device.start()
    name = "msg" if what == "message" else what
    until(lambda: name in device.relay.health.failing)
    assert "broken for now" in device.relay.health.failing[name]
    assert device._thread.is_alive()
    device.failing.clear()
    until(lambda: device.waiting() == 0 and cloud.waiting() == 0 and device.relay.health.failing == {})
    until(lambda: Catalogue(version=7) in device.seen and device.links[-1:] == [True])
    assert names_applied(device.database) == ["fact 1"]
    assert names_applied(cloud.database) == ["fact 1"]


# What else travels


def test_the_state_of_the_hardware_is_retained_and_said_again_when_it_changes(pair: Pair, broker: Broker) -> None:
    """Whoever connects later reads it too, and a link that came back says it anew."""
    device, _cloud = pair
    device.hardware_states = (HardwareState("printer", "ready", "The printer is ready.", 1),)
    device.start()
    topic = topics.up(ORG, DEVICE, "health")
    late = Transport(broker.url, "late", [topic])
    late.start()
    until(lambda: told(late, topic) == "ready")
    device.hardware_states = (HardwareState("printer", "fault", "No paper.", 2),)
    until(lambda: told(late, topic) == "fault")
    late.stop()
    later = Transport(broker.url, "later", [topic])
    later.start()
    until(lambda: told(later, topic) == "fault")
    later.stop()


def told(transport: Transport, topic: str) -> str | None:
    """The printer's state in the next publication, None if there is none."""
    event = transport.get(0.1)
    if not isinstance(event, Message) or event.topic != topic:
        return None
    return decode(event.payload, HardwareReport).hardware[0].state


def test_the_device_knows_whether_the_cloud_answers(pair: Pair, broker: Broker) -> None:
    """Written down when it changes, also at the end; the broker tells the cloud by birth and will."""
    device, cloud = pair
    device.start()
    until(lambda: device.links == [False, True])
    broker.kill()
    until(lambda: device.links == [False, True, False])
    assert not device.relay.health.connected
    broker.start()
    until(lambda: device.links == [False, True, False, True])
    device.stop()
    assert device.links[-1] is False
    until(lambda: cloud.received["link"][-1] == b'{"up":false}')
    assert b'{"up":true}' in cloud.received["link"]


@any_broker
def test_a_need_reaches_the_cloud_as_soon_as_the_relay_is_woken(pair: Pair) -> None:
    device, cloud = pair
    device.start()
    until(lambda: device.relay.health.answered)
    assert "need" not in cloud.received
    wanted = QuotaNeed("q_1", 2, StockCount("q_1", 1, Totals(granted=3, sold=3)))
    device.wanted = (wanted,)
    device.relay.wake()
    until(lambda: cloud.received.get("need"), 1.5)
    assert decode(cloud.received["need"][0], Need) == Need(DEVICE, INC, (wanted,))


@any_broker
def test_only_missing_pictures_are_fetched_and_only_genuine_ones_kept(pair: Pair) -> None:
    """Subscribed one by one, checked against their name, and left alone once they are here."""
    device, cloud = pair
    body = b"RIFF picture"
    good, bad = hashlib.sha256(body).hexdigest(), "0" * 64
    until(lambda: cloud.transport.connected)
    for sha in (good, bad, "1" * 64):
        assert cloud.transport.publish(topics.everyone(ORG, f"asset/{sha}"), b"image/webp\n" + body, retain=True)
    device.missing = (good, bad)
    device.start()
    until(lambda: (good, "image/webp", body) in device.seen and device.relay.health.rejected == 1)
    assert list(device.missing) == [bad]
    device.emit("fact 1")
    until(lambda: device.waiting() == 0)


@pytest.mark.fault(23)
def test_a_cable_that_went_silent_only_delays(
    pair: Pair, broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half-open TCP in mid stream, longer than the patience for answers: reconnected, everything arrives once."""
    monkeypatch.setattr(transport, "ANSWER_TIMEOUT_S", 1.0)
    _, cloud = pair
    wire = Wire(int(broker.url.rsplit(":", 1)[1]))
    device = Device(tmp_path, wire.url, cloud.key.public_hex)
    device.start()
    device.emit(*numbered(1, 300))
    until(partial(has_more_than, 0, cloud))
    wire.silence()
    until(lambda: not device.transport.connected)
    device.emit(*numbered(301, 320))
    wire.heal()
    until(lambda: device.waiting() == 0)
    device.stop()
    wire.close()
    assert names_applied(cloud.database) == numbered(1, 320)


def test_a_cable_that_is_cut_again_and_again_loses_nothing(pair: Pair, broker: Broker, tmp_path: Path) -> None:
    _, cloud = pair
    wire = Wire(int(broker.url.rsplit(":", 1)[1]))
    device = Device(tmp_path, wire.url, cloud.key.public_hex)
    device.start()
    device.emit(*numbered(1, 600))
    for round_ in range(5):
        until(partial(has_more_than, round_ * 60, cloud))
        wire.cut()
    until(lambda: device.waiting() == 0)
    device.stop()
    wire.close()
    assert names_applied(cloud.database) == numbered(1, 600)


def test_a_step_never_waits_for_a_dead_broker(tmp_path: Path) -> None:
    """Outbox, needs, status and hello are due, and nobody is there."""
    cloud_key = KeyFile(tmp_path / "cloud.pem").public_hex
    device = Device(tmp_path, f"mqtt://127.0.0.1:{free_port()}", cloud_key)
    device.emit(*numbered(1, 100))
    device.transport.start()
    began = time.monotonic()
    for _ in range(20):
        device.relay.step(0.01)
    assert time.monotonic() - began < 2
    assert device.waiting() == 100
    device.relay.close()
    device.stop()


def tmp_folder(device: Device) -> Path:
    assert device.database.path is not None
    return device.database.path.parent


def has_rejected_more_than(count: int, device: Device) -> bool:
    return device.relay.health.rejected > count
