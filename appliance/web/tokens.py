"""Opaque tokens for URLs and forms: sealed with a key of this device, each good for one purpose only.

AES-SIV (RFC 5297) rather than a signature: a signed token shows what it carries, and the id of an order is the right to
cancel it, so a link that may only show the order must not contain it readably. SIV needs no nonce, so the same thing has
the same address on every reload.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import os
import secrets
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

Purpose = Literal["client", "hold", "waitlist", "order-view", "order-manage", "form", "csrf", "operator"]
KEY_BYTES = 64
LONGEST = 1024


class Tokens:
    """Mints and opens tokens with one 64-byte key."""

    def __init__(self, key: bytes) -> None:
        self._siv = AESSIV(hmac.digest(key, b"tokens", hashlib.sha512))
        self._names = hmac.digest(key, b"names", hashlib.sha256)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Return the tokens of the key in ``path`` (mode 0600), which is made if it is missing."""
        if not path.exists():
            _create(path)
        key = path.read_bytes()
        if len(key) != KEY_BYTES:
            msg = f"{path} is not a key of {KEY_BYTES} bytes; remove it, and links given out so far stop working"
            raise ValueError(msg)
        return cls(key)

    def mint(self, purpose: Purpose, payload: str) -> str:
        """Return a token for ``payload``, fit for URLs and headers; the same input gives the same token."""
        sealed = self._siv.encrypt(payload.encode(), [b"marquee", purpose.encode()])
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, purpose: Purpose, token: str) -> str | None:
        """Return the payload, or None if the token is not one of ours for this purpose."""
        if not token or len(token) > LONGEST or not token.isascii():
            return None
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
            return self._siv.decrypt(sealed, [b"marquee", purpose.encode()]).decode()
        except (binascii.Error, ValueError, InvalidTag):
            return None

    def name(self, *facts: str) -> str:
        """Return a 26-letter name that stands for ``facts`` and does not reveal them."""
        text = b"".join(len(raw := fact.encode()).to_bytes(4, "big") + raw for fact in facts)
        return b32encode(hmac.digest(self._names, text, hashlib.sha256)[:16]).rstrip(b"=").decode().lower()


def _create(path: Path) -> None:
    """Write a fresh key; where several workers start at once, the first one's stays."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another worker was first
    finally:
        draft.unlink()
