"""Proving a contact by a code: made, kept and tried alike by the cloud (mail) and by a device (text message).

A code is eight digits. Only a salted hash of it is kept, it takes five tries, and whoever asks for another one makes the one
before it worthless. Guessing thus succeeds once in twenty million times, whatever is sent how fast.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import Literal, NamedTuple

CODE_DIGITS = 8
CODE_BYTES = 8
TRIES = 5
# Codes for one order; afterwards a person has to look at it.
MOST_CODES = 5
LONGEST_TYPED = 40
LONGEST_MEMBER = 64

_MAIL = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@(?:[\w](?:[\w-]{0,61}[\w])?\.)+[\w][\w-]{0,61}[\w]")
_DIGITS = {ord(letter): None for letter in " \t-\u2010\u2011\u2012\u2013\u00a0"}

Tried = Literal["right", "wrong", "spent"]


class Kept(NamedTuple):
    """What is kept of a code: its salted hash, and how often it may still be typed."""

    salt: str
    digest: str
    tries_left: int


def new_code(random: bytes) -> str:
    """Return the code that ``CODE_BYTES`` random bytes stand for."""
    return f"{int.from_bytes(random[:CODE_BYTES]) % 10**CODE_DIGITS:0{CODE_DIGITS}d}"


def keep(code: str, salt: str) -> Kept:
    """Return what to keep of a fresh code; ``salt`` is random."""
    return Kept(salt, _digest(salt, code), TRIES)


def shown(code: str) -> str:
    """Return a code as people read it: two groups of four."""
    return f"{code[:4]} {code[4:]}"


def digits(typed: str) -> str | None:
    """Return the code that somebody typed, whatever stood between its digits; None if it can be none."""
    tidy = typed[:LONGEST_TYPED].strip().translate(_DIGITS)
    return tidy if len(tidy) == CODE_DIGITS and tidy.isascii() and tidy.isdigit() else None


def attempt(kept: Kept, code: str) -> tuple[Tried, Kept]:
    """Try a code; returns what came of it and what is left. Compared in constant time."""
    if kept.tries_left <= 0 or not kept.digest:
        return "spent", kept
    if hmac.compare_digest(kept.digest, _digest(kept.salt, code)):
        return "right", kept._replace(digest="", tries_left=0)
    left = kept.tries_left - 1
    return ("wrong" if left else "spent"), kept._replace(tries_left=left)


def mail_of(contact: str) -> str | None:
    """Return the e-mail address that somebody wrote, None if it is none."""
    tidy = contact.strip()
    return tidy if len(tidy) <= 254 and _MAIL.fullmatch(tidy) else None


def link_digest(link: str) -> str:
    """Return what is kept of the secret in a mailed link; it has 128 random bits, so no salt is needed."""
    return hashlib.sha256(link.encode()).hexdigest()


def member_number(text: str) -> str:
    """Return a member's number as it is compared: without spaces and case."""
    return "".join(text.casefold().split())[:LONGEST_MEMBER]


def _digest(salt: str, code: str) -> str:
    return hashlib.sha256(f"{salt}\0{code}".encode()).hexdigest()
