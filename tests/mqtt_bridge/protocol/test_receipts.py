from __future__ import annotations

import os
from collections.abc import Iterator

import cbor2
import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.protocol import base45, ids, receipts
from mqtt_bridge.protocol.codec import key_id
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError, UnknownIssuer
from mqtt_bridge.protocol.messages import DeviceKey
from mqtt_bridge.protocol.receipts import TicketClaims


class Key:
    """A signer in memory."""

    def __init__(self, seed: bytes = b"k" * 32) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()
        self.kid = key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)

    def entry(self, device: str = "venue-1", *, revoked: bool = False) -> DeviceKey:
        return DeviceKey(device, "v", door=True, kid=self.kid, public=self.public.hex(), revoked=revoked)


KEY = Key()
EXAMPLE = TicketClaims(
    issuer="venue-1",
    ticket=ids.secret(bytes(range(16))),
    event_session=ids.event_session_id("jazz", "friday"),
    ticket_type=ids.ticket_type_id("jazz", "friday", "adult"),
    code=ids.code(b"\x01\x02\x03\x04\x05"),
    price_minor=1250,
    currency="EUR",
    paid=True,
    inc=receipts.inc_hash("life-1"),
    seq=7,
    epoch=1,
    issued_at_s=1_790_000_000,
)
big = st.integers(0, 2**63 - 1)
claims = st.builds(
    TicketClaims,
    issuer=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    ticket=st.binary(min_size=16, max_size=16).map(ids.secret),
    event_session=st.tuples(st.text(max_size=9), st.text(max_size=9)).map(lambda keys: ids.event_session_id(*keys)),
    ticket_type=st.text(max_size=9).map(lambda key: ids.ticket_type_id("e", "s", key)),
    code=st.binary(min_size=5, max_size=5).map(ids.code),
    price_minor=big,
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    paid=st.booleans(),
    inc=st.text(max_size=9).map(receipts.inc_hash),
    seq=big,
    epoch=big,
    issued_at_s=st.none() | big,
)


@given(claims)
def test_what_was_issued_is_read_and_verified(issued: TicketClaims) -> None:
    reading = receipts.read(receipts.issue(issued, KEY))
    assert (reading.kid, reading.claims) == (KEY.kid, issued)
    reading.verify(KEY.entry(issued.issuer))


def test_ids_of_another_make_survive_too() -> None:
    """Only ids made by ``ids.derived`` are packed; any other text stays as it is."""
    odd = TicketClaims(**{**{f: getattr(EXAMPLE, f) for f in EXAMPLE.__struct_fields__}, "event_session": "s_1"})
    assert receipts.read(receipts.issue(odd, KEY)).claims == odd


@pytest.mark.parametrize("issuer", ["v", "venue-1", "a" * 63])
def test_the_code_is_small_enough_for_a_cheap_scanner(issuer: str) -> None:
    """QR version 11 at error correction M at most, with the longest device name and ordinary numbers."""
    fields = {f: getattr(EXAMPLE, f) for f in EXAMPLE.__struct_fields__}
    text = receipts.issue(TicketClaims(**{**fields, "issuer": issuer, "seq": 2**31, "epoch": 2**31}), KEY)
    code = segno.make(text, error="m", micro=False, boost_error=False)
    assert code.mode == "alphanumeric"
    assert int(code.version) <= 11


def test_a_receipt_that_would_not_fit_is_not_issued() -> None:
    fields = {f: getattr(EXAMPLE, f) for f in EXAMPLE.__struct_fields__}
    with pytest.raises(ValueError, match="device name"):
        receipts.issue(TicketClaims(**{**fields, "issuer": "a" * 80}), KEY)


def test_changing_any_byte_is_noticed() -> None:
    """Every bit of every byte of the signed envelope, and every letter of the text."""
    text = receipts.issue(EXAMPLE, KEY)
    for changed in _changed(text):
        with pytest.raises(ProtocolError):
            receipts.read(changed).verify(KEY.entry())


def _changed(text: str) -> Iterator[str]:
    raw = base45.decode(text.removeprefix(receipts.PREFIX))
    for at in range(len(raw)):
        for bit in range(8):
            yield receipts.PREFIX + base45.encode(raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :])
    for at in range(len(text)):
        yield text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
        yield text[:at] + text[at + 1 :]


def test_an_unknown_issuer_is_not_called_false() -> None:
    """Without a key the claims can be read, and the verdict is UnknownIssuer, never BadSignature."""
    reading = receipts.read(receipts.issue(EXAMPLE, KEY))
    assert reading.claims == EXAMPLE
    with pytest.raises(UnknownIssuer):
        reading.verify(None)


@pytest.mark.parametrize("entry", [KEY.entry("venue-2"), KEY.entry(revoked=True), Key(b"x" * 32).entry()])
def test_a_key_of_another_device_or_a_revoked_one_does_not_count(entry: DeviceKey) -> None:
    with pytest.raises(BadSignature):
        receipts.read(receipts.issue(EXAMPLE, KEY)).verify(entry)


def test_a_signature_of_another_key_under_our_key_id_is_bad() -> None:
    class Liar(Key):
        def __init__(self) -> None:
            super().__init__(b"x" * 32)
            self.kid = KEY.kid

    with pytest.raises(BadSignature):
        receipts.read(receipts.issue(EXAMPLE, Liar())).verify(KEY.entry())


def _forged(header: dict[int, object], *, unprotected: object = None, tag: int = 18, payload: object = None) -> str:
    body = receipts._to_map(EXAMPLE) if payload is None else payload
    protected, content = cbor2.dumps(header, canonical=True), cbor2.dumps(body, canonical=True)
    signature = KEY.sign(cbor2.dumps(["Signature1", protected, b"", content]))
    cose = cbor2.CBORTag(tag, [protected, {} if unprotected is None else unprotected, content, signature])
    return receipts.PREFIX + base45.encode(cbor2.dumps(cose, canonical=True))


KID = bytes.fromhex(KEY.kid)


@pytest.mark.parametrize(
    "text",
    [
        _forged({1: -7, 4: KID}),  # ES256
        _forged({1: 5, 4: KID}),  # HMAC: the public key as a secret
        _forged({1: "none", 4: KID}),
        _forged({4: KID}),
        _forged({1: -8}),
        _forged({1: -8, 4: KID, 2: [99]}),  # critical header we do not know
        _forged({1: -8, 4: KEY.kid}),
        _forged({1: -8, 4: KID}, unprotected={4: b"12345678"}),
        _forged({1: -8, 4: KID}, tag=17),  # COSE_Mac0
        _forged({1: -8, 4: KID}, payload={}),
        _forged({1: -8, 4: KID}, payload=[1]),
        _forged({1: -8, 4: KID}, payload={**receipts._to_map(EXAMPLE), 99: 1}),
        _forged({1: -8, 4: KID}, payload={**receipts._to_map(EXAMPLE), receipts.PRICE: -1}),
        _forged({1: -8, 4: KID}, payload={**receipts._to_map(EXAMPLE), receipts.PAID: 1}),
        _forged({1: -8, 4: KID}, payload={**receipts._to_map(EXAMPLE), receipts.SEQ: True}),
        _forged({1: -8, 4: KID}, payload={**receipts._to_map(EXAMPLE), receipts.TICKET: b"short"}),
    ],
)
def test_well_signed_nonsense_is_refused(text: str) -> None:
    """Another algorithm, other headers, another COSE structure, other claims."""
    with pytest.raises(ProtocolError):
        receipts.read(text)


def test_another_way_to_write_the_same_cbor_is_refused() -> None:
    """One receipt has one text: long forms, trailing bytes and repeated labels are not read."""
    raw = base45.decode(receipts.issue(EXAMPLE, KEY).removeprefix(receipts.PREFIX))
    assert raw[:2] == b"\xd2\x84"
    for other in (raw + b"\0", b"\xd8\x12" + raw[1:], b"\xd2\x9f" + raw[2:] + b"\xff"):
        with pytest.raises(ProtocolError):
            receipts.read(receipts.PREFIX + base45.encode(other))


def test_oversize_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(ProtocolError, match="at most"):
        receipts.read(receipts.PREFIX + "0" * 1_000_000)


@given(st.text(max_size=500))
def test_any_text_is_a_receipt_or_a_protocol_error(text: str) -> None:
    for attempt in (text, receipts.PREFIX + text):
        with pytest.raises(ProtocolError):
            receipts.read(attempt)


@given(st.binary(max_size=230))
def test_any_bytes_are_a_receipt_or_a_protocol_error(raw: bytes) -> None:
    for start in (b"", b"\xd2\x84", b"\xd2\x84\x4d" + cbor2.dumps({1: -8, 4: KID})):
        with pytest.raises(ProtocolError):
            receipts.read(receipts.PREFIX + base45.encode((start + raw)[:240]))


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.binary(max_size=9)
    | st.text(max_size=9)
    | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(-12, 12), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.integers(-12, 12), values, max_size=12))
def test_any_claims_under_a_good_signature_are_a_receipt_or_a_protocol_error(payload: dict[int, object]) -> None:
    with pytest.raises(ProtocolError):
        receipts.read(_forged({1: -8, 4: KID}, payload=payload))


def test_random_keys_verify_their_own() -> None:
    for _ in range(20):
        key = Key(os.urandom(32))
        receipts.read(receipts.issue(EXAMPLE, key)).verify(key.entry())
