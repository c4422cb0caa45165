"""Identifiers: derived from catalogue keys, or made of random bytes that the caller passes in."""

from __future__ import annotations

import hashlib
from base64 import b32encode

# Crockford's base 32: no I, L, O, U, so a code survives being read aloud (https://www.crockford.com/base32.html).
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1"})
CODE_LENGTH = 8
SECRET_BYTES = 16
SECRET_LETTERS = 26
_SECRET_ALPHABET = frozenset("abcdefghijklmnopqrstuvwxyz234567")


def derived(kind: str, *keys: str) -> str:
    """Return the stable id of a catalogue thing: 80 bits of a hash over its keys, e.g. ``q_k3j...``.

    The same catalogue file gives the same ids on every machine; keys are length-prefixed so that no two lists collide.
    """
    digest = hashlib.sha256()
    for part in (kind, *keys):
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return f"{kind}_{b32encode(digest.digest()[:10]).decode().lower()}"


def event_id(slug: str) -> str:
    """Return the id of an event."""
    return derived("e", slug)


def event_session_id(slug: str, key: str) -> str:
    """Return the id of a dated occurrence."""
    return derived("s", slug, key)


def quota_id(slug: str, key: str, name: str) -> str:
    """Return the id of a quota of an event session."""
    return derived("q", slug, key, name)


def ticket_type_id(slug: str, key: str, name: str) -> str:
    """Return the id of a ticket type of an event session."""
    return derived("t", slug, key, name)


def is_secret(text: str) -> bool:
    """Tell whether a text has the form of a ``secret``."""
    return len(text) == SECRET_LETTERS and set(text) <= _SECRET_ALPHABET


def secret(random: bytes) -> str:
    """Return a 128-bit id in lower-case base 32 from 16 random bytes; holding it is the right to act."""
    if len(random) != SECRET_BYTES:
        msg = f"an id needs {SECRET_BYTES} random bytes, got {len(random)}"
        raise ValueError(msg)
    return b32encode(random).decode().rstrip("=").lower()


def code(random: bytes) -> str:
    """Return a readable 8-character code (40 bits) from 5 random bytes; it finds, it does not authorise."""
    if len(random) != 5:
        msg = f"a code needs 5 random bytes, got {len(random)}"
        raise ValueError(msg)
    number = int.from_bytes(random, "big")
    return "".join(ALPHABET[(number >> shift) & 31] for shift in range(35, -1, -5))


def code_bytes(code: str) -> bytes:
    """Return the 5 bytes of a canonical code; raises ``ValueError`` if it is none."""
    number = 0
    for letter in code:
        number = number * 32 + ALPHABET.index(letter)
    if len(code) != CODE_LENGTH:
        msg = f"a code has {CODE_LENGTH} letters, got {len(code)}"
        raise ValueError(msg)
    return number.to_bytes(5, "big")


def shown(raw: str) -> str:
    """Return a code grouped for people: ``K7QF-2M9D``."""
    return f"{raw[:4]}-{raw[4:]}"


def normal_code(text: str) -> str | None:
    """Return the canonical 8 characters of a typed code, or None if the text is no code.

    Forgives case, spaces, dashes and the look-alikes O/0 and I/L/1.
    """
    folded = partial_code(text)
    return folded if folded is not None and len(folded) == CODE_LENGTH else None


def partial_code(text: str) -> str | None:
    """Return the canonical letters of a part of a code, forgiving as ``normal_code``; None if it cannot be one."""
    folded = "".join(text.upper().split()).replace("-", "").translate(_READ_AS)
    fits = 0 < len(folded) <= CODE_LENGTH and all(letter in ALPHABET for letter in folded)
    return folded if fits else None
