"""One signature proves a chain of messages, and never anything that its device did not sign."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.cloud.opened import Opened, Read
from mqtt_bridge.protocol.codec import Verifier, decode, encode, public_key
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError
from mqtt_bridge.protocol.messages import Envelope, Private
from tests.mqtt_bridge.cloud.world import FakeDevice, Key

HOW = ["good", "content", "signature", "private", "stranger", "missing"]


class Counted:
    """Keys that count how often they verify."""

    def __init__(self) -> None:
        self.verified = 0

    def key_of(self, public: str) -> Verifier:
        outer, key = self, public_key(public)

        class Counting:
            def verify(self, signature: bytes, data: bytes) -> None:
                outer.verified += 1
                key.verify(signature, data)

        return Counting()


def sold(count: int) -> tuple[FakeDevice, list[bytes]]:
    device = FakeDevice("hall-1", "hall")
    return device, [device.sell(f"o{k}", private=Private("salt", f"guest {k}")) for k in range(count)]


def changed(payload: bytes, how: str) -> bytes:
    """What somebody without the key could make of a message."""
    envelope = decode(payload, Envelope)
    match how:
        case "content":
            envelope = msgspec.structs.replace(envelope, content=envelope.content.replace("1250", "1"))
        case "signature":
            envelope = msgspec.structs.replace(envelope, sig="00" * 64)
        case "private":
            envelope = msgspec.structs.replace(envelope, private=Private("salt", "Mallory"))
        case "stranger":
            envelope = msgspec.structs.replace(envelope, sig=Key().sign(envelope.content.encode()).hex())
    return encode(envelope)


def test_one_signature_proves_a_backlog_in_whatever_order_it_arrives() -> None:
    device, payloads = sold(20)
    counted = Counted()
    opened = Opened(counted.key_of)
    reads = [opened.read(each) for each in payloads[::2] + payloads[1::2]]
    opened.prove(reads, device.key.public)
    assert [each.proven for each in reads] == [device.key.public] * 20
    for each in payloads:
        opened.open(opened.read(each), device.key.public)
    assert counted.verified == 1
    assert [each.content.seq for each in opened.unfollowed(payloads) if each.content] == [20]


def test_a_gap_costs_one_more_signature() -> None:
    device, payloads = sold(20)
    counted = Counted()
    opened = Opened(counted.key_of)
    opened.prove([opened.read(each) for each in payloads[:10] + payloads[11:]], device.key.public)
    assert counted.verified == 2


def test_another_history_is_proven_by_its_own_signature_alone() -> None:
    """Two messages under one number, as of a copied card: the one that was followed says nothing of the other."""
    device, payloads = sold(3)
    device.seq, device.log = 1, payloads[:1]
    other = device.sell("other")
    forged = changed(other, "signature")
    opened = Opened()
    for last, proven in ((other, True), (forged, False)):
        reads = [opened.read(each) for each in (*payloads, last)]
        opened.prove(reads, device.key.public)
        assert [bool(each.proven) for each in reads] == [True, True, True, proven]


def test_nothing_is_proven_for_another_key() -> None:
    device, payloads = sold(3)
    opened = Opened()
    reads = [opened.read(each) for each in payloads]
    opened.prove(reads, Key().public)
    assert {each.proven for each in reads} == {""}
    opened.prove(reads, device.key.public)
    with pytest.raises(BadSignature):
        opened.open(reads[0], Key().public)


def test_what_is_no_content_is_told_from_what_is_not_signed() -> None:
    device, (payload,) = sold(1)
    text = '{"v":1}'
    envelope = msgspec.structs.replace(decode(payload, Envelope), content=text, private=None)
    opened = Opened()
    with pytest.raises(BadSignature):
        opened.open(opened.read(encode(envelope)), device.key.public)
    signed = msgspec.structs.replace(envelope, sig=device.key.sign(text.encode()).hex())
    with pytest.raises(ProtocolError, match="not a Content"):
        opened.open(opened.read(encode(signed)), device.key.public)
    opened.prove([opened.read(encode(signed))], device.key.public)
    with pytest.raises(ProtocolError, match="not a Envelope"):
        opened.read(b"not json")
    assert opened.unfollowed([b"not json", encode(signed)]) == [opened.read(encode(signed))]


DEVICE, PAYLOADS = sold(8)


@given(st.lists(st.sampled_from(HOW), min_size=8, max_size=8), st.randoms())
def test_whatever_happens_to_messages_only_what_was_signed_is_proven(how: list[str], random: object) -> None:
    """Changed content and personal data never; what is whole always, but for a bad signature that nothing good follows."""
    told = [(place, changed(each, way)) for place, (each, way) in enumerate(zip(PAYLOADS, how, strict=True))]
    told = [(place, each) for place, each in told if how[place] != "missing"]
    random.shuffle(told)  # type: ignore[attr-defined]
    opened = Opened()
    reads: dict[int, Read] = {place: opened.read(each) for place, each in told}
    opened.prove(reads.values(), DEVICE.key.public)
    for place, read in reads.items():
        followed = place + 1 in reads and bool(reads[place + 1].proven)
        expected = how[place] == "good" or (how[place] in {"signature", "stranger"} and followed)
        assert bool(read.proven) == expected
        if expected:
            assert opened.open(read, DEVICE.key.public).seq == place + 1
        else:
            with pytest.raises(BadSignature):
                opened.open(read, DEVICE.key.public)
