"""The shipped Mosquitto files from outside: who gets in, who may say what, and what a refusal looks like."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from appliance import cli
from mqtt_bridge.broker import mosquitto
from mqtt_bridge.broker.mosquitto import RECONCILER, BrokerFiles
from mqtt_bridge.protocol import topics
from mqtt_bridge.transport import Message, Tls, Transport
from tests.mqtt_bridge.peers import until
from tests.support.authority import Authority
from tests.support.mosquitto import SecureBroker

FILES = BrokerFiles("org", "/c/ca.pem", "/c/b.pem", "/c/b.key", "/c/revoked.pem")
# paho leaves the socket of a failed handshake to the garbage collector.
REFUSED = pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")


@pytest.fixture(scope="module")
def shared() -> Iterator[SecureBroker]:
    broker = SecureBroker()
    yield broker.start()
    broker.close()


class Party:
    """A client that keeps what it hears."""

    def __init__(self, broker: SecureBroker, name: str, *filters: str, tls: Tls | None = None) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.transport = Transport(broker.url, f"test-{name}", filters, tls=tls or broker.client(name))
        self.transport.start()

    def up(self) -> Party:
        until(lambda: self.transport.connected)
        return self

    def hear(self, timeout_s: float = 0.3) -> list[tuple[str, bytes]]:
        while (event := self.transport.get(timeout_s)) is not None:
            if isinstance(event, Message):
                self.heard.append((event.topic, event.payload))
        return self.heard

    def say(self, topic: str, payload: bytes = b"x", *, retain: bool = False) -> bool:
        """Publish and tell whether the broker took it, by what its answer says."""
        refused = self.transport.refused
        assert self.transport.publish(topic, payload, retain)
        connection = self.transport._connection
        until(lambda: not connection._unanswered)
        return self.transport.refused == refused


@pytest.fixture
def parties(shared: SecureBroker) -> Iterator[dict[str, Party]]:
    """Two devices that try to hear everything, and the reconciler."""
    everything = ("marquee/#", "$SYS/broker/version")
    made = {name: Party(shared, name, *everything).up() for name in ("hall-1", "yard-1", RECONCILER)}
    yield made
    for each in made.values():
        each.transport.stop()


@pytest.mark.system
def test_a_device_speaks_below_its_own_name_only(parties: dict[str, Party]) -> None:
    """Everything else is refused with a PUBACK of 0x80 or more, and reaches nobody."""
    mine = topics.up("org", "hall-1", "hello")
    others = [
        topics.up("org", "yard-1", "msg"),
        topics.up("org", "yard-1", "link"),
        topics.down("org", "hall-1", "state"),
        topics.down("org", "yard-1", "msg"),
        topics.everyone("org", "catalogue"),
        topics.everyone("org", "keys"),
        topics.up("elsewhere", "hall-1", "msg"),
        "marquee/1/org/d/hall-1/up/msg/deeper",
        "marquee/1/org/d/hall-1/other",
        "elsewhere",
    ]
    hall = parties["hall-1"]
    assert hall.say(mine)
    assert [topic for topic in others if hall.say(topic)] == []
    assert [each for each in parties[RECONCILER].hear() if not each[0].startswith("$SYS")] == [(mine, b"x")]
    assert parties["yard-1"].hear() == []


@pytest.mark.system
def test_a_device_hears_its_own_downlink_and_what_is_said_to_all(parties: dict[str, Party]) -> None:
    """Subscribing to everything delivers no more than that."""
    cloud = parties[RECONCILER]
    own, shared = topics.down("org", "hall-1", "state"), topics.everyone("org", "asset/0a")
    for topic in (own, topics.down("org", "yard-1", "ack"), shared):
        assert cloud.say(topic)
    assert sorted(parties["hall-1"].hear()) == sorted([(own, b"x"), (shared, b"x")])
    heard = {topic for topic, _ in parties["yard-1"].hear()}
    assert heard == {topics.down("org", "yard-1", "ack"), shared}


@pytest.mark.system
def test_the_reconciler_may_not_speak_for_a_device(parties: dict[str, Party]) -> None:
    """Its role writes downlinks and reads uplinks; it hears the broker's own counters."""
    cloud = parties[RECONCILER]
    assert not cloud.say(topics.up("org", "hall-1", "msg"))
    assert not cloud.say(topics.down("elsewhere", "hall-1", "msg"))
    assert any(topic == "$SYS/broker/version" for topic, _ in cloud.hear())


def why_not(transport: Transport) -> str:
    """Return why a transport is not connected."""
    until(lambda: transport.error != "not connected yet")
    assert not transport.connected
    return transport.error


@pytest.mark.system
@REFUSED
def test_nobody_without_our_certificate_gets_in(shared: SecureBroker, tmp_path: Path) -> None:
    """Neither without any, nor with one of another authority that claims our name, nor without TLS."""
    stranger = Authority(tmp_path, "stranger")
    for tls in (Tls(shared.authority.file), Tls(shared.authority.file, *stranger.issue("hall-1"))):
        party = Party(shared, "hall-1", "marquee/#", tls=tls)
        assert why_not(party.transport)
        party.transport.stop()
    plain = Transport(shared.url.replace("mqtts", "mqtt"), "test", ["marquee/#"])
    plain.start()
    assert why_not(plain)
    plain.stop()


@pytest.fixture
def own() -> Iterator[tuple[SecureBroker, ExitStack]]:
    """A broker that the test may change, and where to put what it must stop."""
    broker = SecureBroker()
    with ExitStack() as stack:
        stack.callback(broker.close)
        yield broker.start(), stack


@pytest.mark.system
def test_who_is_shut_out_is_refused_from_the_next_reload_on(own: tuple[SecureBroker, ExitStack]) -> None:
    """The connection stays, every publication is refused; the others notice nothing."""
    broker, stack = own
    hall, yard = (Party(broker, name, topics.down("org", name, "state")) for name in ("hall-1", "yard-1"))
    for party in (hall, yard):
        stack.callback(party.transport.stop)
        party.up()
    assert hall.say(topics.up("org", "hall-1", "msg"))
    broker.write("hall-1")
    broker.reload()
    until(lambda: not hall.say(topics.up("org", "hall-1", "msg")))
    assert hall.transport.connected
    assert yard.say(topics.up("org", "yard-1", "msg"))


@pytest.mark.system
@REFUSED
def test_a_revoked_certificate_is_refused_from_the_next_reload_on(own: tuple[SecureBroker, ExitStack]) -> None:
    """The revocation list is read with SIGHUP and checked at each handshake; the reason is visible, others stay connected."""
    broker, stack = own
    hall, yard = (Party(broker, name, topics.down("org", name, "state")) for name in ("hall-1", "yard-1"))
    for party in (hall, yard):
        stack.callback(party.transport.stop)
        party.up()
    broker.authority.revoke("hall-1")
    broker.reload()
    before = yard.transport._connection

    def refused() -> bool:
        if hall.transport.connected:
            hall.transport.drop("for a new handshake")
        return "certificate revoked" in hall.transport.error

    until(refused, 20)
    assert not hall.transport.connected
    assert yard.transport._connection is before
    assert yard.say(topics.up("org", "yard-1", "msg"))


@pytest.mark.system
def test_retained_messages_survive_an_orderly_restart(own: tuple[SecureBroker, ExitStack]) -> None:
    """A cloud restored from an old backup compares itself with them."""
    broker, stack = own
    cloud = Party(broker, RECONCILER).up()
    assert cloud.say(topics.down("org", "hall-1", "state"), b"granted 7", retain=True)
    cloud.transport.stop()
    broker.stop()
    broker.start()
    late = Party(broker, RECONCILER, topics.down("org", "+", "state")).up()
    stack.callback(late.transport.stop)
    until(lambda: late.hear() == [(topics.down("org", "hall-1", "state"), b"granted 7")])


def test_the_files_are_what_any_tool_that_fills_in_names_would_make() -> None:
    """Every blank has a value, none is left, and the templates have no other syntax."""
    made = mosquitto.render(replace(FILES, shut_out=("yard-1", "hall-1")))
    assert set(made) == {"mosquitto.conf", "mosquitto.acl"}
    assert "{" not in "".join(made.values())
    assert "listener 8883 0.0.0.0" in made["mosquitto.conf"]
    assert "user hall-1\ntopic deny #\nuser yard-1\ntopic deny #" in made["mosquitto.acl"]


@pytest.mark.parametrize(
    "change",
    [
        {"org": "a/b"},
        {"ca": "/c/x y"},
        {"key": ""},
        {"shut_out": ("#",)},
        {"reconciler": "a+b"},
        {"port": 0},
        {"log": "a\nb"},
    ],
)
def test_a_value_that_would_mean_something_else_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)) if "shut_out" not in change else "device"):
        mosquitto.render(replace(FILES, **change))  # type: ignore[arg-type]


def test_the_command_writes_both_files_and_says_where(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The organisation is the settings'; the access list is named where it was written."""
    config = tmp_path / "cloud.toml"
    config.write_text('[device]\norg = "town"\n')
    out = tmp_path / "broker"
    assert cli.main(["--config", str(config), "broker-config", "--out", str(out), "--shut-out", "yard-1"]) == 0
    assert capsys.readouterr().out.split() == [str(out / "mosquitto.conf"), str(out / "mosquitto.acl")]
    assert f"acl_file {out}/mosquitto.acl" in (out / "mosquitto.conf").read_text()
    assert "pattern write marquee/1/town/d/%u/up/+" in (out / "mosquitto.acl").read_text()
    assert cli.main(["--config", str(config), "broker-config", "--out", str(out), "--shut-out", "Yard"]) == 1
    assert "device 'Yard'" in capsys.readouterr().err
