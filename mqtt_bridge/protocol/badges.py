"""A staff badge: a signed text for a QR code or an NFC tag, which every device verifies without asking anybody.

It says whose badge it is and which one (its serial number), so that a lost one is revoked without the person's others. The cloud signs it; its keys
and the revoked serials travel with the key directory. It opens nothing by itself: the PIN is asked for all the same.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import cbor2
import msgspec

from mqtt_bridge.protocol import base45
from mqtt_bridge.protocol.codec import Signer, key_id, verify
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError, UnknownIssuer

PREFIX = "MQB1:"
MAX_TEXT = 366  # as a receipt: alphanumeric capacity of QR version 11-M
LONGEST_NAME = 64
SERIAL_BYTES = 8
# Keeps what is signed here apart from all else that this key signs.
_DOMAIN = b"marquee staff badge 1\0"


class BadgeClaims(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``badge`` is the key of a member of staff in the catalogue, ``serial`` (16 hex digits) names this very badge."""

    badge: str
    serial: str


def is_badge(text: str) -> bool:
    """Return whether a text means to be a badge; scanners and people may change its case."""
    return text[: len(PREFIX)].upper() == PREFIX


def issue(claims: BadgeClaims, signer: Signer) -> str:
    """Return the text of a badge; raises ``ValueError`` for a name that is too long for one."""
    if not 0 < len(claims.badge) <= LONGEST_NAME:
        msg = f"a badge's name has 1 to {LONGEST_NAME} characters"
        raise ValueError(msg)
    payload = cbor2.dumps([claims.badge, bytes.fromhex(claims.serial)], canonical=True)
    signature = signer.sign(_DOMAIN + payload)
    text = PREFIX + base45.encode(cbor2.dumps([payload, bytes.fromhex(signer.kid), signature], canonical=True))
    if len(text) > MAX_TEXT:
        msg = f"a badge of {len(text)} letters is over {MAX_TEXT}; shorten its name"
        raise ValueError(msg)
    return text


def read(text: str, keys: Collection[str]) -> BadgeClaims:
    """Return what a genuine badge says; ``keys`` are the public keys (hex) that may have signed it.

    Raises ``ProtocolError`` for what is none, ``UnknownIssuer`` without its key, ``BadSignature`` for what was altered.
    """
    text = text.strip().upper()
    if not is_badge(text) or len(text) > MAX_TEXT:
        msg = f"a badge starts with {PREFIX} and has at most {MAX_TEXT} letters"
        raise ProtocolError(msg)
    payload, kid, signature = _parts(base45.decode(text.removeprefix(PREFIX)))
    public = next((each for each in keys if key_id(bytes.fromhex(each)) == kid.hex()), None)
    if public is None:
        msg = f"no key {kid.hex()} is known for badges"
        raise UnknownIssuer(msg)
    verify(public, signature, _DOMAIN + payload)
    said = _load(payload)
    if not (isinstance(said, list) and len(said) == 2 and isinstance(said[0], str) and isinstance(said[1], bytes)):
        msg = "this badge says nothing that can be read"
        raise BadSignature(msg)
    return BadgeClaims(said[0], said[1].hex())


def _parts(raw: bytes) -> tuple[bytes, bytes, bytes]:
    found = _load(raw)
    if not (isinstance(found, list) and len(found) == 3 and all(isinstance(each, bytes) for each in found)):
        msg = "a badge has claims, a key's name and a signature"
        raise ProtocolError(msg)
    return found[0], found[1], found[2]


def _load(data: bytes) -> Any:
    try:
        value = cbor2.loads(data, max_depth=2)
        shortest = cbor2.dumps(value, canonical=True) == data
    except Exception as error:  # whatever a decoder of foreign bytes may raise, to callers it is one thing
        msg = "not CBOR"
        raise ProtocolError(msg) from error
    if not shortest:
        msg = "a badge is written in CBOR's shortest form"
        raise ProtocolError(msg)
    return value
