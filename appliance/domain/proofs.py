"""Who knows an order's name or contact has more than its address: compared in constant time on what people mean, not how they type."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from typing import Literal

Proof = Literal["contact", "name"]

LONGEST = 800
# Country code, leading zero or neither: what people write alike at the end of a telephone number.
_SAME_DIGITS = 9
_FEWEST_DIGITS = 6


def proofs(given: str, *, name: str, contact: str) -> frozenset[Proof]:
    """Return what ``given`` proves knowledge of. An order without a name or contact has nothing that could be proven.

    Both are compared whatever the first one says, so that the time tells nothing.
    """
    right_name = _same(given, name)
    right_contact = _same(given, contact)
    found: set[Proof] = set()
    if right_name:
        found.add("name")
    if right_contact:
        found.add("contact")
    return frozenset(found)


def provable(name: str, contact: str) -> bool:
    """Return whether there is anything to ask for: a name of dashes alone nobody could ever say again."""
    return bool(_folded(name) or _folded(contact))


def masked(name: str) -> str:
    """Return a name as its owner knows it and others cannot copy it: ``A… L…``. Pages whose address travels show this."""
    return " ".join(f"{word[0]}\N{HORIZONTAL ELLIPSIS}" for word in name.split())


def _same(given: str, kept: str) -> bool:
    equal = hmac.compare_digest(_digest(given), _digest(kept))
    return equal and bool(_folded(kept))


def _digest(text: str) -> bytes:
    return hashlib.sha256(_folded(text).encode(errors="replace")).digest()


def _folded(text: str) -> str:
    """Return letters and digits only, without case and accents; of a telephone number the last digits."""
    short = text[:LONGEST].strip()
    digits = "".join(str(unicodedata.decimal(each)) for each in short if each.isdecimal())
    if len(digits) >= _FEWEST_DIGITS and not any(each.isalpha() or each == "@" for each in short):
        return digits[-_SAME_DIGITS:]
    plain = unicodedata.normalize("NFKD", short.casefold())
    if "@" in plain:
        return "".join(each for each in plain if not each.isspace() and not unicodedata.combining(each))
    return "".join(each for each in plain if each.isalnum() or unicodedata.category(each)[0] in "SL")
