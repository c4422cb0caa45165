"""Bytes to structs and back; every decode error becomes a ``ProtocolError`` that names the field."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from mqtt_bridge.protocol.errors import BadSignature, ProtocolError
from mqtt_bridge.protocol.messages import Content, Envelope, Private

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

VERSION = 1
T = TypeVar("T")


class Signer(Protocol):
    """Signs with one Ed25519 key, named by its key id."""

    @property
    def kid(self) -> str:
        """Key id: first 8 bytes of sha256(public key), hex."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature."""
        ...


def encode(value: object) -> bytes:
    """Return the JSON bytes of a struct."""
    return msgspec.json.encode(value)


def decode(data: bytes | str, kind: type[T]) -> T:
    """Return the struct in ``data``; raises ``ProtocolError`` naming the field that does not fit."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        msg = f"not a {kind.__name__}: {error}"
        raise ProtocolError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"not a {kind.__name__}: not UTF-8"
        raise ProtocolError(msg) from error


def key_id(public: bytes) -> str:
    """Return the key id of a raw 32-byte Ed25519 public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def private_hash(private: Private) -> str:
    """Return the salted hash that the signed part carries in place of personal data."""
    return hashlib.sha256(f"{private.salt}\0{private.name}\0{private.contact}".encode()).hexdigest()


def seal_envelope(content: Content, signer: Signer, private: Private | None = None) -> Envelope:
    """Sign a content; its exact bytes travel, so no canonical form is needed to verify it."""
    text = encode(content)
    return Envelope(text.decode(), signer.kid, signer.sign(text).hex(), private)


def open_envelope(envelope: Envelope, public: Ed25519PublicKey) -> Content:
    """Verify and return the content.

    Raises ``BadSignature`` if signature or private part do not fit, ``ProtocolError`` if the content is malformed.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  kept out of import time of small tools

    text = envelope.content.encode()
    try:
        public.verify(bytes.fromhex(envelope.sig), text)
    except (InvalidSignature, ValueError) as error:
        msg = f"envelope signed with key {envelope.kid} does not verify"
        raise BadSignature(msg) from error
    content = decode(text, Content)
    if content.v != VERSION:
        msg = f"protocol version {content.v} is not {VERSION}; update this device or the cloud"
        raise ProtocolError(msg)
    if envelope.private is not None and private_hash(envelope.private) != content.private_hash:
        msg = "personal data does not match the signed hash"
        raise BadSignature(msg)
    return content
