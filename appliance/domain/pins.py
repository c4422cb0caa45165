"""PINs of staff: stored as ``scrypt$n$r$p$salt$hash`` (hex), compared in constant time (RFC 7914)."""

from __future__ import annotations

import hashlib
import hmac

# 16 MiB and five passes: what OWASP asks for of scrypt at this size; some tenths of a second.
N, R, P = 2**14, 8, 5
SALT_BYTES = 16
_HASH_BYTES = 32
# What a PIN for an unknown badge is compared with, so that both cases take the same time. No PIN has this hash.
NOBODY = f"scrypt${N}${R}${P}${'00' * SALT_BYTES}${'00' * _HASH_BYTES}"


def hash_pin(pin: str, salt: bytes) -> str:
    """Return what the catalogue stores for ``pin``; ``salt`` is 16 random bytes."""
    digest = hashlib.scrypt(pin.encode(), salt=salt, n=N, r=R, p=P, dklen=_HASH_BYTES)
    return f"scrypt${N}${R}${P}${salt.hex()}${digest.hex()}"


def up_to_date(stored: str) -> bool:
    """Return whether a stored PIN costs as much to try as one made now."""
    return stored.startswith(f"scrypt${N}${R}${P}$")


def verify_pin(pin: str, stored: str) -> bool:
    """Return whether ``pin`` is the stored one; False for a stored text that is none of ours."""
    try:
        kind, n, r, p, salt, digest = stored.split("$")
        expected = bytes.fromhex(digest)
        if kind != "scrypt" or len(expected) != _HASH_BYTES:
            return False
        found = hashlib.scrypt(
            pin.encode(errors="replace"), salt=bytes.fromhex(salt), n=int(n), r=int(r), p=int(p), dklen=_HASH_BYTES
        )
    except ValueError:
        return False
    return hmac.compare_digest(found, expected)
