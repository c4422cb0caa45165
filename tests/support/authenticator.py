"""A phone's passkeys in memory: answers what a box office asks as a browser would (WebAuthn level 2, packed by hand, no attestation)."""

from __future__ import annotations

import hashlib
import json
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def text(data: bytes) -> str:
    """Bytes as base64url without padding."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def raw(words: str) -> bytes:
    """The bytes of base64url."""
    return urlsafe_b64decode(words + "=" * (-len(words) % 4))


@dataclass
class Authenticator:
    """One passkey; ``verifies`` says whether it asks its owner for finger or PIN, ``count`` how often it answered."""

    origin: str
    verifies: bool = True
    count: int = 0
    credential: bytes = b"credential-0001!"
    user: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.derive_private_key(7, ec.SECP256R1()))

    def create(self, options: str) -> str:
        """Make the passkey that ``options`` ask for; the browser's answer as JSON."""
        asked = json.loads(options)
        self.user = raw(asked["user"]["id"])
        client = self._client("webauthn.create", asked["challenge"])
        data = self._data(asked["rp"]["id"], ATTESTED) + self._attested()
        made = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer({"clientDataJSON": text(client), "attestationObject": text(made)})

    def get(self, options: str) -> str:
        """Sign what ``options`` ask; the browser's answer as JSON."""
        asked = json.loads(options)
        self.count += 1
        client = self._client("webauthn.get", asked["challenge"])
        data = self._data(asked["rpId"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        parts = {"clientDataJSON": client, "authenticatorData": data, "signature": signature, "userHandle": self.user}
        return self._answer({name: text(each) for name, each in parts.items()})

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}).encode()

    def _data(self, host: str, flags: int = 0) -> bytes:
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(host.encode()).digest() + struct.pack(">BI", flags, self.count)

    def _attested(self) -> bytes:
        point = self.key.public_key().public_numbers()
        # COSE_Key of ES256 on P-256 (RFC 9053).
        public = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")}
        return bytes(16) + struct.pack(">H", len(self.credential)) + self.credential + cbor2.dumps(public)

    def _answer(self, response: dict[str, str]) -> str:
        name = text(self.credential)
        return json.dumps({"id": name, "rawId": name, "type": "public-key", "response": response})
