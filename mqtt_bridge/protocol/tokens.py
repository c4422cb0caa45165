"""A token of the edge gateway: short-lived, signed by the device that issued it, so that every venue can read whose it is.

It names its audience, one purpose, a ticket (whose id only finds) and an EventSession. How long it is good is boot-time of its issuer;
no other device can measure that, so elsewhere it is bound to its EventSession (``appliance.domain.gateway`` judges).
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Literal, NamedTuple

import msgspec

from mqtt_bridge.protocol.codec import Signer, verify
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError, UnknownIssuer

PREFIX = "MQT1."
LONGEST = 1024
_KID_BYTES = 8
_SIGNATURE_BYTES = 64
# Keeps what is signed here apart from all else that this key signs.
_DOMAIN = b"marquee edge token 1\0"

Audience = Literal["attendee", "viewer"]
Purpose = Literal["order", "watch"]


class TokenClaims(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """``serial`` (hex) names this very token; ``boot`` is the issuer's boot in which ``expires_boot_ms`` counts."""

    audience: Audience
    purpose: Purpose
    ticket: str
    event_session: str
    serial: str
    issuer: str
    boot: str
    expires_boot_ms: int


class Reading(NamedTuple):
    """A token as it was sent; nothing in it is true before ``verify`` returned."""

    kid: str
    payload: bytes
    signature: bytes

    def verify(self, public: str | None) -> TokenClaims:
        """Return the claims; raises ``UnknownIssuer`` without a key (hex), ``BadSignature`` for what was altered."""
        if public is None:
            msg = f"no key {self.kid} is known for tokens"
            raise UnknownIssuer(msg)
        verify(public, self.signature, _DOMAIN + self.payload)
        try:
            return msgspec.json.decode(self.payload, type=TokenClaims)
        except msgspec.MsgspecError as error:
            msg = "this token says nothing that can be read"
            raise BadSignature(msg) from error


def is_token(text: str) -> bool:
    """Return whether a text means to be a token of the gateway."""
    return text.startswith(PREFIX)


def issue(claims: TokenClaims, signer: Signer) -> str:
    """Return the token, fit for headers and addresses."""
    payload = msgspec.json.encode(claims)
    tail = bytes.fromhex(signer.kid) + signer.sign(_DOMAIN + payload)
    return f"{PREFIX}{_encoded(payload)}.{_encoded(tail)}"


def read(text: str) -> Reading:
    """Return the parts of a token; raises ``ProtocolError`` for what is none."""
    payload, dot, tail = text.removeprefix(PREFIX).partition(".")
    if not is_token(text) or len(text) > LONGEST or not text.isascii() or not dot:
        msg = f"a token starts with {PREFIX}, has two parts and at most {LONGEST} letters"
        raise ProtocolError(msg)
    claims, proof = _decoded(payload), _decoded(tail)
    if len(proof) != _KID_BYTES + _SIGNATURE_BYTES:
        msg = "a token ends with a key's name and a signature"
        raise ProtocolError(msg)
    return Reading(proof[:_KID_BYTES].hex(), claims, proof[_KID_BYTES:])


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        msg = "a part of this token is no base64"
        raise ProtocolError(msg) from error
