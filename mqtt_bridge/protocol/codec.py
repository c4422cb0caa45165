"""Bytes to structs and back; every decode error becomes a ``ProtocolError`` that names the field."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError
from mqtt_bridge.protocol.messages import (
    Ack,
    Content,
    DeviceState,
    Downlink,
    Envelope,
    HardwareReport,
    Hello,
    KeyDirectory,
    Need,
    Private,
    Status,
)

VERSION = 1
T = TypeVar("T")
# msgspec (0.22) describes a struct when it is first decoded, and two threads that do so at once crash the process. Here all
# are described at import, which only one thread does.
_DESCRIBED = tuple(
    msgspec.json.Decoder(kind)
    for kind in (
        Ack,
        Catalogue,
        Content,
        DeviceState,
        Envelope,
        HardwareReport,
        Hello,
        KeyDirectory,
        Need,
        Private,
        Status,
    )
)


class Signer(Protocol):
    """Signs with one Ed25519 key, named by its key id."""

    @property
    def kid(self) -> str:
        """Key id: first 8 bytes of sha256(public key), hex."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature."""
        ...


class Verifier(Protocol):
    """A public key."""

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise ``cryptography.exceptions.InvalidSignature`` unless the key signed ``data``."""
        ...


def encode(value: object) -> bytes:
    """Return the JSON bytes of a struct."""
    return msgspec.json.encode(value)


def decode(data: bytes | str, kind: type[T]) -> T:
    """Return the struct in ``data``; raises ``ProtocolError`` naming the field that does not fit."""
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        msg = f"not a {_name(kind)}: {error}"
        raise ProtocolError(msg) from error
    except UnicodeError as error:
        msg = f"not a {_name(kind)}: not UTF-8"
        raise ProtocolError(msg) from error
    except RecursionError as error:
        msg = f"not a {_name(kind)}: nested too deep"
        raise ProtocolError(msg) from error


def decode_downlink(data: bytes) -> Downlink:
    """Return the body of a message to a device; raises as ``decode``."""
    kind: Any = Downlink  # a union, which ``type[T]`` does not describe
    body: Downlink = decode(data, kind)
    return body


def key_id(public: bytes) -> str:
    """Return the key id of a raw 32-byte Ed25519 public key."""
    return hashlib.sha256(public).hexdigest()[:16]


def private_hash(private: Private) -> str:
    """Return the salted hash that the signed part carries in place of personal data."""
    member = f"\0{private.member}" if private.member else ""
    return hashlib.sha256(f"{private.salt}\0{private.name}\0{private.contact}{member}".encode()).hexdigest()


def content_hash(text: bytes) -> str:
    """Return the SHA-256 of a message's signed part, hex."""
    return hashlib.sha256(text).hexdigest()


def digest(content: bytes | str) -> str:
    """Return the short name of a message: the first 8 bytes of the hash of its signed part, hex."""
    return content_hash(content.encode() if isinstance(content, str) else content)[:16]


def seal_envelope(content: Content, signer: Signer, private: Private | None = None) -> Envelope:
    """Sign a content; its exact bytes travel, so no canonical form is needed to verify it."""
    text = encode(content)
    return Envelope(text.decode(), signer.kid, signer.sign(text).hex(), private)


def verify(public_hex: str, signature: bytes, data: bytes) -> None:
    """Raise ``BadSignature`` unless the Ed25519 key (32 raw bytes, hex) signed ``data``."""
    try:
        public_key(public_hex).verify(signature, data)
    except InvalidSignature as error:
        msg = "the signature does not belong to this content and key"
        raise BadSignature(msg) from error


def public_key(public_hex: str) -> Ed25519PublicKey:
    """Return the key of 32 raw bytes in hex; raises ``ProtocolError`` if they are none."""
    try:
        return Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
    except ValueError as error:
        msg = "a public key is 32 bytes in hex"
        raise ProtocolError(msg) from error


def _name(kind: object) -> str:
    return getattr(kind, "__name__", str(kind))


def open_envelope(envelope: Envelope, public: Verifier) -> Content:
    """Verify and return the content.

    Raises ``BadSignature`` if signature or private part do not fit, ``ProtocolError`` if the content is malformed.
    """
    check_signature(envelope, public)
    content = read_content(envelope.content)
    check_private(envelope, content)
    return content


def check_signature(envelope: Envelope, public: Verifier) -> None:
    """Raise ``BadSignature`` unless the key signed this very content."""
    try:
        public.verify(bytes.fromhex(envelope.sig), envelope.content.encode())
    except (InvalidSignature, ValueError) as error:
        msg = f"envelope signed with key {envelope.kid} does not verify"
        raise BadSignature(msg) from error


def read_content(text: str) -> Content:
    """Return the signed part as it reads, whoever signed it; raises ``ProtocolError`` if it is none of this version."""
    content = decode(text, Content)
    if content.v != VERSION:
        msg = f"protocol version {content.v} is not {VERSION}; update this device or the cloud"
        raise ProtocolError(msg)
    return content


def check_private(envelope: Envelope, content: Content) -> None:
    """Raise ``BadSignature`` unless the personal part, if there is one, is that which was signed."""
    if envelope.private is not None and private_hash(envelope.private) != content.private_hash:
        msg = "personal data does not match the signed hash"
        raise BadSignature(msg)
