"""Money as whole minor units of one ISO 4217 currency."""

from __future__ import annotations

import re
from decimal import Decimal

import msgspec

# ISO 4217, list one: the minor units that differ from 2. Everything else counts in hundredths, codes that are withdrawn or mean no money too.
_MINOR_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXPONENTS = {code: digits for digits, codes in _MINOR_UNITS.items() for code in codes.split()}

MAX_MINOR = 10**12
# Ways of paying by which money really moves: what was given away is not paid back.
MONEY = frozenset({"cash", "terminal"})
_AMOUNT = re.compile(r"[0-9]{1,15}(\.[0-9]{1,4})?")  # not what Decimal also takes: 1e9, 1_000, other scripts' digits


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount as it stands on the wire: ``{"amount": "12.50", "currency": "EUR"}``."""

    amount: str
    currency: str


def owed_back(told_minor: int, taken_minor: int, standing_minor: int) -> int:
    """Return what is paid back for an order in all, before what went back already.

    ``told_minor`` was promised for tickets that were withdrawn, ``taken_minor`` is money taken for the order (see ``MONEY``), and
    ``standing_minor`` what the tickets cost that still stand: whatever was taken beyond that belongs to the guest.
    """
    return max(told_minor, taken_minor - standing_minor)


def exponent(currency: str) -> int:
    """Number of decimals the currency has in ISO 4217: in it prices are read, summed and sent."""
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
