from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_bridge.protocol import base45
from mqtt_bridge.protocol.errors import ProtocolError

# RFC 9285, sections 4.3 and 4.4.
VECTORS = [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581"), (b"ietf!", "QED8WEX0")]


@pytest.mark.parametrize(("data", "text"), VECTORS)
def test_the_vectors_of_the_rfc(data: bytes, text: str) -> None:
    assert base45.encode(data) == text
    assert base45.decode(text) == data


def test_the_largest_group_and_one_beyond() -> None:
    """RFC 9285, section 6: FGW is 65535, GGW is one more than two bytes hold."""
    assert base45.decode("FGW") == b"\xff\xff"
    assert base45.decode("U5") == b"\xff"
    for beyond in ("GGW", "GGX", ":::", "V5", "::"):
        with pytest.raises(ProtocolError):
            base45.decode(beyond)


@pytest.mark.parametrize("text", ["A", "ABCD", "ab8", "BB8\n", "BB\u0661", "B_8"])
def test_impossible_lengths_and_foreign_letters_are_refused(text: str) -> None:
    with pytest.raises(ProtocolError):
        base45.decode(text)


@given(st.binary(max_size=300))
def test_round_trip(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


@given(st.text(alphabet=base45.ALPHABET, max_size=60))
def test_every_text_has_at_most_one_meaning(text: str) -> None:
    """What can be decoded is the encoding of what it decodes to."""
    try:
        data = base45.decode(text)
    except ProtocolError:
        return
    assert base45.encode(data) == text
