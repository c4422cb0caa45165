"""Money as whole minor units of one ISO 4217 currency."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

# ISO 4217 exponents that differ from 2; everything else has two decimals.
_EXPONENTS = {"JPY": 0, "KRW": 0, "ISK": 0, "CLP": 0, "VND": 0, "BHD": 3, "KWD": 3, "OMR": 3, "TND": 3, "JOD": 3}

MAX_MINOR = 10**12
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")  # not what Decimal also takes: 1e9, 1_000, other scripts' digits


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount as it stands on the wire: ``{"amount": "12.50", "currency": "EUR"}``."""

    amount: str
    currency: str


def exponent(currency: str) -> int:
    """Number of decimals the currency has."""
    return _EXPONENTS.get(currency, 2)


def from_minor(minor: int, currency: str) -> Money:
    """Return the wire form of ``minor`` units (cents for EUR)."""
    digits = exponent(currency)
    return Money(str(Decimal(minor).scaleb(-digits)) if digits else str(minor), currency)


def to_minor(amount: str, currency: str) -> int:
    """Return whole minor units of a decimal text.

    Raises ``ValueError`` naming what is wrong: not a plain number, negative, too many decimals, too large.
    """
    if not _AMOUNT.fullmatch(amount):
        msg = f"{amount[:40]!r} is not an amount of money; write it like 12.50"
        raise ValueError(msg)
    digits = exponent(currency)
    whole, _, fraction = amount.partition(".")
    if len(fraction) > digits:
        msg = f"{amount!r} has more than {digits} decimals, which {currency} does not have"
        raise ValueError(msg)
    minor = int(whole + fraction.ljust(digits, "0"))
    if minor > MAX_MINOR:
        msg = f"{amount!r} is too large"
        raise ValueError(msg)
    return minor
