"""Keys that sign fast: a hash over a secret that everybody in a simulation could know. They stand in for Ed25519 keys."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import InvalidSignature

from mqtt_bridge.protocol.codec import key_id


class Key:
    """Signs and verifies; the name of its owner makes it."""

    def __init__(self, public: bytes) -> None:
        self.public = public
        self.public_hex = public.hex()
        self.kid = key_id(public)

    @staticmethod
    def of(owner: str) -> Key:
        return Key(hashlib.sha256(owner.encode()).digest())

    def sign(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, key=self.public, digest_size=64).digest()

    def verify(self, signature: bytes, data: bytes) -> None:
        if signature != self.sign(data):
            raise InvalidSignature


def by_public(public_hex: str) -> Key:
    """Return the key that verifies what its owner signed."""
    return Key(bytes.fromhex(public_hex))
