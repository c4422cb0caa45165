"""Opaque tokens for URLs and forms: sealed with a key of this device, each good for one purpose only.

AES-SIV (RFC 5297) rather than a signature: a signed token shows what it carries, and the id of an order is the right to
cancel it, so a link that may only show the order must not contain it readably. SIV needs no nonce, so the same thing has
the same address on every reload.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Literal, NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from appliance.web import keyring
from appliance.web.keyring import KEY_BYTES, Ring

__all__ = ["KEY_BYTES", "LONGEST", "Purpose", "Tokens"]

Purpose = Literal["client", "hold", "waitlist", "order-view", "order-manage", "form", "csrf", "operator"]
LONGEST = 1024


class _Keys(NamedTuple):
    """A ring ready for use; ``older`` are (end of the overlap, cipher)."""

    newest: AESSIV
    older: tuple[tuple[int, AESSIV], ...]
    names: bytes


class Tokens:
    """Mints with the newest key of a ring and opens with any of them."""

    def __init__(
        self, key: bytes, *, path: Path | None = None, over: Callable[[int], bool] = lambda _until_ms: False
    ) -> None:
        self._path = path
        self._over = over
        self._version: tuple[int, int, int] | None = None
        self._lock = Lock()
        self._keys = _keys(keyring.ring_of(key))

    @classmethod
    def from_file(cls, path: Path, over: Callable[[int], bool] = lambda _until_ms: False) -> Self:
        """Return the tokens of the keys in ``path`` (mode 0600), which is made if it is missing.

        The file is read again when it changed, so a rotation needs no restart. ``over(until_ms)`` says whether a key's overlap is
        surely over: without a trusted clock it is not, because links that people hold should not depend on a guess.
        """
        return cls(keyring.load(path).newest, path=path, over=over)

    def _current(self) -> _Keys:
        """Return the keys as the file has them now; one that is gone or damaged meanwhile changes nothing."""
        if self._path is None:
            return self._keys
        try:
            found = self._path.stat()
            version = (found.st_ino, found.st_mtime_ns, found.st_size)
            if version != self._version:
                with self._lock:
                    self._keys = _keys(keyring.load(self._path))
                    self._version = version
        except (OSError, ValueError):
            pass
        return self._keys

    def mint(self, purpose: Purpose, payload: str) -> str:
        """Return a token for ``payload``, fit for URLs and headers; the same input gives the same token."""
        sealed = self._current().newest.encrypt(payload.encode(), [b"marquee", purpose.encode()])
        return urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, purpose: Purpose, token: str) -> str | None:
        """Return the payload, or None if the token is not one of ours for this purpose."""
        if not token or len(token) > LONGEST or not token.isascii():
            return None
        try:
            sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        for cipher in self._ciphers():
            try:
                return cipher.decrypt(sealed, [b"marquee", purpose.encode()]).decode()
            except (ValueError, InvalidTag):
                continue
        return None

    def _ciphers(self) -> Iterator[AESSIV]:
        keys = self._current()
        yield keys.newest
        for until_ms, cipher in keys.older:
            if not self._over(until_ms):
                yield cipher

    def name(self, *facts: str) -> str:
        """Return a 26-letter name that stands for ``facts`` and does not reveal them."""
        text = b"".join(len(raw := fact.encode()).to_bytes(4, "big") + raw for fact in facts)
        return b32encode(hmac.digest(self._current().names, text, hashlib.sha256)[:16]).rstrip(b"=").decode().lower()


def _keys(ring: Ring) -> _Keys:
    older = tuple((each.until_ms, _cipher(each.key)) for each in ring.older)
    return _Keys(_cipher(ring.newest), older, ring.names)


def _cipher(key: bytes) -> AESSIV:
    return AESSIV(hmac.digest(key, b"tokens", hashlib.sha512))
