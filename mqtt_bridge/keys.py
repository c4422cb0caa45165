"""The device's private key: a PEM file of mode 0600 that never leaves it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mqtt_bridge import durable
from mqtt_bridge.protocol.codec import key_id
from mqtt_bridge.protocol.messages import KeyPublished


class KeyFileError(Exception):
    """The key file cannot be used; the sentence says what to do."""


class KeyFile:
    """An Ed25519 key in a file, made if it is missing; signs receipts and messages (a ``codec.Signer``)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._key = _load(path) if path.exists() else _create(path)

    @property
    def kid(self) -> str:
        """Key id of the public key."""
        return key_id(self.public)

    @property
    def public(self) -> bytes:
        """The 32 raw bytes of the public key."""
        return _public(self._key)

    @property
    def public_hex(self) -> str:
        """The public key as it travels."""
        return self.public.hex()

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature."""
        return self._key.sign(data)

    def rotate(self, announce: Callable[[KeyPublished], object]) -> None:
        """Replace the key: ``announce`` must commit the message, signed by the old key, to the outbox before it returns.

        A crash in between keeps the old key; the next call announces the same new key again.
        """
        following = self.path.with_name(self.path.name + ".next")
        new = _load(following) if following.exists() else _create(following)
        public = _public(new)
        announce(KeyPublished(kid=key_id(public), public=public.hex(), retires=self.kid))
        following.replace(self.path)
        durable.sync_folder(self.path.parent)
        self._key = new


def _public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _load(path: Path) -> Ed25519PrivateKey:
    if path.stat().st_mode & 0o077:
        msg = f"{path} can be read by others than its owner; make a new key, or run chmod 600 if nobody else can log in"
        raise KeyFileError(msg)
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        msg = f"{path} holds no usable private key; restore it, or remove it to make a new one"
        raise KeyFileError(msg) from error
    if not isinstance(key, Ed25519PrivateKey):
        msg = f"{path} holds another kind of key than Ed25519"
        raise KeyFileError(msg)
    return key


def _create(path: Path) -> Ed25519PrivateKey:
    """Make the file complete or not at all; of several processes that try at once, all end up with the first one's key."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(unfinished, path)
    except FileExistsError:
        return _load(path)
    finally:
        unfinished.unlink()
    durable.sync_folder(path.parent)
    return key
