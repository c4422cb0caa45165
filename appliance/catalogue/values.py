"""Single values of the catalogue file: text in, value out, ``ValueError`` with what to write instead."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Policy
from mqtt_bridge.protocol.messages import Verify
from mqtt_bridge.protocol.moments import moment_ms
from mqtt_bridge.protocol.money import to_minor

LONGEST_NAME = 200
LONGEST_TEXT = 5000
MOST_TICKETS = 1_000_000
_KEY = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
_SLUG = re.compile(r"^[a-z0-9][a-z0-9-]{0,79}$")
_OPTIMISTIC = re.compile(r"^optimistic\(\s*(\d{1,7})\s*\)$")
_RELATIVE = re.compile(r"^(\d{1,5})\s*(m|min|h)\s+(before|after)\s+start$")
_PRICE = re.compile(r"^(\S+)\s+(\S+)$")
_MINUTES = {"m": 1, "min": 1, "h": 60}
_FURTHEST_MINUTES = 7 * 24 * 60


def text(longest: int) -> Callable[[str], str]:
    """A text for people: normalised to NFC, without control characters, not longer than ``longest``."""

    def read(raw: str) -> str:
        tidy = unicodedata.normalize("NFC", raw.strip())
        if not tidy:
            raise ValueError("is empty")
        if len(tidy) > longest:
            raise ValueError(f"is {len(tidy)} characters long; at most {longest} are allowed")
        if any(unicodedata.category(char) in {"Cc", "Cs"} and char != "\n" for char in tidy):
            raise ValueError("contains control characters; remove them")
        return tidy

    return read


def line(raw: str) -> str:
    """A name or title on one line."""
    return " ".join(text(LONGEST_NAME)(raw).split())


def venue_id(raw: str) -> str:
    """The id of a venue; devices are named after it, so it must fit a topic with a number behind it."""
    try:
        return topics.checked(raw, "id") if len(raw) <= 55 else _refuse()
    except ValueError:
        raise ValueError(
            f"{_short(raw)} is not an id; use up to 55 lower-case letters, digits, '.', '_' or '-'"
        ) from None


def _refuse() -> str:
    raise ValueError


def slug(raw: str) -> str:
    """The part of an event's address."""
    if not _SLUG.match(raw):
        raise ValueError(f"{_short(raw)} is not a slug; use up to 80 lower-case letters, digits and '-'")
    return raw


def key(raw: str) -> str:
    """The fixed key of a session, or a badge."""
    if not _KEY.match(raw):
        raise ValueError(f"{_short(raw)} is not a key; use up to 64 letters, digits, '.', '_' or '-'")
    return raw


def whole(low: int, high: int) -> Callable[[str], int]:
    """A whole number from ``low`` to ``high``."""

    def read(raw: str) -> int:
        if not re.fullmatch(r"-?\d{1,12}", raw):
            raise ValueError(f"{_short(raw)} is not a whole number")
        if not low <= int(raw) <= high:
            raise ValueError(f"{raw} is not from {low} to {high}")
        return int(raw)

    return read


def minutes(low: float, high: float) -> Callable[[str], float]:
    """A number of minutes from ``low`` to ``high``, fractions allowed."""

    def read(raw: str) -> float:
        if not re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", raw):
            raise ValueError(f"{_short(raw)} is not a number of minutes; write 10 or 0.5")
        if not low <= float(raw) <= high:
            raise ValueError(f"{raw} is not from {low:g} to {high:g}")
        return float(raw)

    return read


def share(raw: str) -> float:
    """A part of the whole: ``0.5`` or ``50%``."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,6})?)(%?)", raw)
    value = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < value <= 1:
        raise ValueError(f"{_short(raw)} is not a share; write a number above 0 up to 1, or a percentage up to 100%")
    return value


def switch(raw: str) -> bool:
    """``true`` or ``false``."""
    words = {"true": True, "false": False}
    if raw.lower() not in words:
        raise ValueError(f"{_short(raw)} is neither true nor false")
    return words[raw.lower()]


def yes_or_no(raw: str) -> bool:
    """``yes`` or ``no``; ``true`` and ``false`` are understood too."""
    words = {"yes": True, "true": True, "no": False, "false": False}
    if raw.lower() not in words:
        raise ValueError(f"{_short(raw)} is neither yes nor no")
    return words[raw.lower()]


def timezone(raw: str) -> str:
    """An IANA time zone this machine knows."""
    try:
        ZoneInfo(raw)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{_short(raw)} is not a time zone; write one such as Europe/Berlin") from None
    return raw


def time(zone: str | None) -> Callable[[str], int]:
    """A moment in ms since the epoch: RFC 3339 with offset, or local time in ``zone`` (None: zone itself was wrong)."""
    return lambda raw: moment_ms(raw, zone or "UTC")


def policy(raw: str) -> tuple[Policy, int]:
    """The policy and the ``max`` of ``optimistic(max)`` (0 for the others)."""
    if raw == "strict":
        return "strict", 0
    if raw == "provisional":
        return "provisional", 0
    found = _OPTIMISTIC.match(raw)
    if not found:
        raise ValueError(f"{_short(raw)} is not a policy; write strict, provisional or optimistic(10)")
    if not 1 <= int(found[1]) <= MOST_TICKETS:
        raise ValueError(f"{_short(raw)}: the number of extra tickets must be from 1 to {MOST_TICKETS}")
    return "optimistic", int(found[1])


def verify(raw: str) -> Verify | None:
    """What has to be proven before a ticket admits; None for ``nothing``."""
    if raw == "nothing":
        return None
    if raw not in get_args(Verify):
        raise ValueError(f"{_short(raw)} is not what can be verified; write contact, member or nothing")
    return cast(Verify, raw)


def currency(raw: str) -> str:
    """An ISO 4217 code."""
    if not re.fullmatch(r"[A-Z]{3}", raw):
        raise ValueError(f"{_short(raw)} is not a currency; write three capital letters such as EUR")
    return raw


def price(raw: str) -> tuple[int, str]:
    """``12.50 EUR`` in minor units with its currency."""
    found = _PRICE.match(raw)
    if not found:
        raise ValueError(f'{_short(raw)} is not a price; write 12.50 EUR or {{amount: "12.50", currency: EUR}}')
    code = currency(found[2])
    return to_minor(found[1], code), code


def around_start(raw: str) -> int | None:
    """Minutes relative to the start at which something ends (negative: before), or None for ``staff``."""
    if raw == "staff":
        return None
    found = _RELATIVE.match(raw)
    minutes = int(found[1]) * _MINUTES[found[2]] if found else _FURTHEST_MINUTES + 1
    if found is None or minutes > _FURTHEST_MINUTES:
        raise ValueError(f"{_short(raw)} is not known; write staff, 30m before start or 15m after start (up to 7 days)")
    return -minutes if found[3] == "before" else minutes


def pin(raw: str) -> str:
    """A PIN of 4 to 12 digits; messages never repeat it."""
    if not re.fullmatch(r"[0-9]{4,12}", raw):
        raise ValueError("is not a PIN; write 4 to 12 digits in quotes")
    return raw


def pin_hash(raw: str) -> str:
    """A PIN that was hashed before: ``scrypt$n$r$p$salt$hash``."""
    if not re.fullmatch(r"scrypt\$\d{1,7}\$\d{1,3}\$\d{1,3}\$[0-9a-f]{16,128}\$[0-9a-f]{32,128}", raw):
        raise ValueError('is not a hash of a PIN; write pin: "1234" and let the import hash it')
    return raw


def _short(raw: str) -> str:
    return repr(raw if len(raw) <= 60 else raw[:57] + "...")
