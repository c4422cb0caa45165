"""The helper that verifies ahead: it may confirm, it can refuse nothing and approve nothing that is bad."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from cryptography.exceptions import InvalidSignature

from mqtt_bridge.cloud.ahead import FEWEST, Ahead
from mqtt_bridge.cloud.opened import Opened
from tests.mqtt_bridge.cloud.world import FakeDevice


@pytest.fixture
def ahead() -> Iterator[Ahead]:
    made = Ahead()
    yield made
    made.close()


def look(ahead: Ahead, *payloads: bytes) -> None:
    opened = Opened()
    ahead.look([opened.read(each) for each in payloads])


def parts(payload: bytes) -> tuple[bytes, bytes]:
    read = Opened().read(payload)
    return bytes.fromhex(read.envelope.sig), read.text


def test_good_signatures_are_confirmed_and_bad_ones_are_not(ahead: Ahead) -> None:
    device = FakeDevice("hall-1", "hall")
    key = ahead.key_of(device.key.public)
    payloads = [device.sell(f"o{k}") for k in range(FEWEST)]
    signature, content = parts(payloads[0])
    forged = payloads[1].replace(b"o1-0", b"o9-0")
    no_hex = payloads[1].replace(b'"sig":"', b'"sig":"x')
    look(ahead, payloads[0], forged, no_hex, *payloads[2:], *payloads[2:])
    assert ahead.confirmed((device.key.public, signature, content))
    bad_signature, bad_content = parts(forged)
    assert not ahead.confirmed((device.key.public, bad_signature, bad_content))
    with pytest.raises(InvalidSignature):
        key.verify(bad_signature, bad_content)
    key.verify(*parts(payloads[2]))


def test_without_its_helper_everything_is_verified_here(ahead: Ahead) -> None:
    device = FakeDevice("hall-1", "hall")
    key = ahead.key_of(device.key.public)
    payloads = [device.sell(f"o{k}") for k in range(FEWEST)]
    look(ahead, *payloads)
    key.verify(*parts(payloads[0]))
    assert ahead._helper is not None
    os.kill(ahead._helper.pid, signal.SIGKILL)
    more = [device.sell(f"p{k}") for k in range(FEWEST)]
    look(ahead, *more)
    for each in more:
        key.verify(*parts(each))
    with pytest.raises(InvalidSignature):
        key.verify(parts(more[0])[0], b"other")


def test_few_messages_and_unknown_keys_are_left_to_this_process(ahead: Ahead) -> None:
    device = FakeDevice("hall-1", "hall")
    look(ahead, *[device.sell(f"o{k}") for k in range(FEWEST)])
    ahead.key_of(device.key.public)
    look(ahead, device.sell("one"))
    assert ahead._helper is None
