"""Money, dates and durations as people of a language write them. Times are ms since the epoch, shown in a named zone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_date, format_skeleton, format_time
from babel.numbers import NumberPattern, format_currency, format_decimal, get_currency_precision, parse_pattern

from appliance.web.languages import Language
from mqtt_bridge.protocol.money import exponent


def zone(name: str) -> ZoneInfo:
    """Return the zone, or UTC for a name this system does not know: a page is better than none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def local(at_ms: int, timezone: str) -> datetime:
    """Return the moment on the clock of ``timezone``."""
    return datetime.fromtimestamp(at_ms / 1000, zone(timezone))


def iso(at_ms: int, timezone: str) -> str:
    """Return the machine-readable form for ``<time datetime>``."""
    return local(at_ms, timezone).isoformat(timespec="minutes")


def exact(at_ms: int) -> str:
    """Return the moment in UTC to the second, for scripts and programs (RFC 3339): ``2026-11-27T20:14:09Z``."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def money(minor: int, currency: str, language: Language) -> str:
    """Return ``12,00 €`` or ``€12.00``.

    Where people write fewer decimals than the currency has (the lek, the Iraqi dinar), so does this, as long as nothing is lost.
    """
    digits = exponent(currency)
    habit = min(digits, get_currency_precision(currency))
    if minor % 10 ** (digits - habit) == 0:
        digits, minor = habit, minor // 10 ** (digits - habit)
    return _written(Decimal(minor).scaleb(-digits), digits, currency, language)


def whole_money(units: int, currency: str, language: Language) -> str:
    """Return ``12 €`` or ``€12``."""
    return _written(Decimal(units), 0, currency, language)


def _written(amount: Decimal, digits: int, currency: str, language: Language) -> str:
    pattern = _pattern(language.locale.currency_formats["standard"].pattern, digits)
    return format_currency(amount, currency, pattern, locale=language.locale, currency_digits=False)


@cache
def _pattern(usual: str, digits: int) -> NumberPattern:
    """Return the pattern with as many decimals instead of the two it has."""
    return parse_pattern(usual.replace("0.00", f"0.{'0' * digits}" if digits else "0"))


def date_words(iso_date: str, language: Language) -> str:
    """Return ``Fri 27 Nov`` for a date such as ``2026-11-27``."""
    return format_skeleton("MMMEd", date.fromisoformat(iso_date), locale=language.locale)


def number(value: float, language: Language) -> str:
    """Return ``1,024`` or ``1.024``."""
    return format_decimal(value, locale=language.locale)


def clock(at_ms: int, timezone: str, language: Language) -> str:
    """Return ``20:14``."""
    return format_time(local(at_ms, timezone), "HH:mm", locale=language.locale)


def seconds(at_ms: int, timezone: str, language: Language) -> str:
    """Return ``20:14:09``."""
    return format_time(local(at_ms, timezone), "HH:mm:ss", locale=language.locale)


def day(at_ms: int, timezone: str, language: Language) -> str:
    """Return ``Fri 27 Nov``, in the order of the language."""
    return format_skeleton("MMMEd", local(at_ms, timezone), locale=language.locale)


def long_day(at_ms: int, timezone: str, language: Language) -> str:
    """Return ``Friday, 27 November 2026``."""
    return format_date(local(at_ms, timezone).date(), "full", locale=language.locale)


def tile(at_ms: int, timezone: str, language: Language) -> tuple[str, str, str]:
    """Return (``Fri``, ``27``, ``Nov``) for a calendar leaf."""
    at = local(at_ms, timezone)
    return (
        format_skeleton("E", at, locale=language.locale).rstrip("."),
        str(at.day),
        format_skeleton("MMM", at, locale=language.locale).rstrip("."),
    )
