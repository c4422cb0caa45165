"""Certificates of both sides, checked by Mosquitto and by us."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mqtt_bridge.transport import Tls, Transport
from tests.mqtt_bridge.brokers import Mosquitto
from tests.mqtt_bridge.peers import until
from tests.support.authority import Authority
from tests.support.programs import program


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def broker(authority: Authority) -> Iterator[Mosquitto]:
    """Lets in who has a certificate of our authority."""
    certificate, key = authority.issue("broker")
    files = [f"cafile {authority.file}", f"certfile {certificate}", f"keyfile {key}", "require_certificate true"]
    made = Mosquitto(program("mosquitto"), *files, "use_identity_as_username true", "user root")
    made.start()
    yield made
    made.stop()


def outcome(broker: Mosquitto, tls: Tls | None) -> str:
    """Return "up", or why not."""
    transport = Transport(broker.url.replace("mqtt:", "mqtts:"), "venue-1", ["a"], tls=tls)
    transport.start()
    try:
        until(lambda: transport.connected or transport.error != "not connected yet")
        return "up" if transport.connected else transport.error
    finally:
        transport.stop()


def test_both_sides_show_a_certificate(broker: Mosquitto, authority: Authority) -> None:
    assert outcome(broker, Tls(authority.file, *authority.issue("venue-1"))) == "up"


# paho leaves the socket of a failed handshake to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_broker_of_another_authority_is_not_trusted(broker: Mosquitto, authority: Authority, tmp_path: Path) -> None:
    stranger = Authority(tmp_path, "stranger")
    assert "CERTIFICATE_VERIFY_FAILED" in outcome(broker, Tls(stranger.file, *authority.issue("venue-1")))
    assert "CERTIFICATE_VERIFY_FAILED" in outcome(broker, None)


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_a_device_without_a_certificate_stays_outside(broker: Mosquitto, authority: Authority) -> None:
    assert outcome(broker, Tls(authority.file)) not in {"up", "not connected yet"}


def test_files_that_are_missing_are_a_reason_not_a_crash(broker: Mosquitto, authority: Authority) -> None:
    assert "No such file" in outcome(broker, Tls("/nonexistent/ca.pem"))
    assert "No such file" in outcome(broker, Tls(authority.file, "/nonexistent/device.pem"))


@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_without_a_clock_a_certificate_is_over_only_if_it_ended_before_what_is_past(authority: Authority) -> None:
    """A board without a battery reaches the broker though it thinks that it is years ago, and no ended certificate passes."""
    certificate, key = authority.issue("broker", ends_in=timedelta(hours=-1))
    files = [f"cafile {authority.file}", f"certfile {certificate}", f"keyfile {key}"]
    broker = Mosquitto(program("mosquitto"), *files, "require_certificate true", "user root")
    broker.start()
    now_ms, own = int(time.time() * 1000), authority.issue("venue-1")
    try:
        assert "has expired" in outcome(broker, Tls(authority.file, *own))
        assert outcome(broker, Tls(authority.file, *own, earliest_ms=lambda: now_ms - 7_200_000)) == "up"
        assert "has expired" in outcome(broker, Tls(authority.file, *own, earliest_ms=lambda: now_ms))
    finally:
        broker.stop()
