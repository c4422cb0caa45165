"""A badge is genuine or nothing: every altered letter is found, and no text makes a device stumble."""

from __future__ import annotations

import cbor2
import pytest
import segno
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_bridge.protocol import base45
from mqtt_bridge.protocol.badges import MAX_TEXT, PREFIX, BadgeClaims, is_badge, issue, read
from mqtt_bridge.protocol.base45 import ALPHABET
from mqtt_bridge.protocol.errors import ProtocolError, UnknownIssuer
from tests.support.box import TestKey

KEY = TestKey(bytes(32))
OTHER = TestKey(b"\1" * 32)
CLAIMS = BadgeClaims("a7", "00ff00ff00ff00ff")
TEXT = issue(CLAIMS, KEY)


def test_a_badge_says_whose_it_is_to_whoever_knows_its_key():
    assert read(TEXT, [OTHER.public.hex(), KEY.public.hex()]) == CLAIMS
    assert read(f" {TEXT.lower()}\r\n", [KEY.public.hex()]) == CLAIMS
    with pytest.raises(UnknownIssuer):
        read(TEXT, [OTHER.public.hex()])


def test_it_fits_a_qr_code_that_cheap_scanners_read():
    longest = issue(BadgeClaims("x" * 64, "0" * 16), KEY)
    assert len(longest) <= MAX_TEXT
    assert int(segno.make_qr(longest, error="m", boost_error=False).version) <= 11
    assert is_badge(longest)
    assert not is_badge("MQ1:ABC")
    with pytest.raises(ValueError, match="64"):
        issue(BadgeClaims("x" * 65, "0" * 16), KEY)


@given(at=st.integers(len(PREFIX), len(TEXT) - 1), letter=st.sampled_from(ALPHABET))
@settings(max_examples=150)
def test_no_letter_can_be_changed(at: int, letter: str):
    altered = TEXT[:at] + letter + TEXT[at + 1 :]
    if altered != TEXT:
        with pytest.raises(ProtocolError):
            read(altered, [KEY.public.hex()])


@given(rest=st.text(st.sampled_from(ALPHABET), max_size=120))
def test_no_text_makes_it_stumble(rest: str):
    with pytest.raises(ProtocolError):
        read(PREFIX + rest, [KEY.public.hex()])


def test_what_else_the_same_key_signed_is_no_badge():
    """A signature of the same claims without the badge's own prefix."""
    payload = cbor2.dumps(["a7", bytes(8)], canonical=True)
    forged = cbor2.dumps([payload, bytes.fromhex(KEY.kid), KEY.sign(payload)], canonical=True)
    with pytest.raises(ProtocolError):
        read(PREFIX + base45.encode(forged), [KEY.public.hex()])
