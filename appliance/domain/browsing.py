"""What a guest looks for on the listing: words, a day, a place, a price, and whether anything is left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from appliance.domain.clock import DAY_MS, HOUR_MS, Now
from appliance.domain.searching import query_of, rank
from mqtt_bridge.protocol.catalogue import Event, EventSession, TicketType
from mqtt_bridge.protocol.money import exponent

LONGEST_WORDS = 100
# People who are out at two in the morning call it the same night.
NIGHT_ENDS_MS = 4 * HOUR_MS
WEEK_MS = 7 * DAY_MS
# What people set themselves as a limit, in whole units of the currency.
STEPS = (5, 10, 15, 20, 30, 50, 100, 200, 500)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for; an empty field wants nothing in particular.

    ``when`` is ``tonight``, ``week`` or a day (``2026-06-05``), ``price`` is ``free`` or the most a ticket may cost in whole units.
    """

    words: str = ""
    when: str = ""
    venue: str = ""
    price: str = ""
    left: bool = False

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return self != Wish()


def wish_of(asked: Mapping[str, str]) -> Wish:
    """Return what a query asks for; what cannot be meant is left out, since a link may be old or cut off."""
    return Wish(
        words=" ".join(asked.get("q", "")[:LONGEST_WORDS].split()),
        when=_when(asked.get("when", "")),
        venue=asked.get("venue", "")[:LONGEST_WORDS],
        price=_price(asked.get("price", "")),
        left=asked.get("left", "") == "1",
    )


def query_for(wish: Wish) -> dict[str, str]:
    """Return the query that asks for ``wish``, in one order, with nothing in it that is not asked."""
    fields = {
        "q": wish.words,
        "when": wish.when,
        "venue": wish.venue,
        "price": wish.price,
        "left": "1" if wish.left else "",
    }
    return {name: value for name, value in fields.items() if value}


def _when(text: str) -> str:
    if text in {"tonight", "week"}:
        return text
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        return ""


def _price(text: str) -> str:
    return text if text == "free" or (text.isascii() and text.isdigit() and len(text) <= 6) else ""


def has_words(wish: Wish, event: Event, venues: Iterable[str]) -> bool:
    """Return whether every word begins a word of the event's title or summary, or of a venue's name."""
    query = query_of(wish.words)
    return not wish.words or rank(query, " ".join([event.title, event.summary, *venues])) is not None


def is_on(wish: Wish, at: EventSession, now: Now) -> bool:
    """Return whether a session is on at the time asked for; with an untrusted clock nobody knows when tonight is."""
    if wish.when in {"tonight", "week"}:
        if not now.trusted:
            return True
        if wish.when == "week":
            return at.starts_at_ms < now.wall_ms + WEEK_MS
        tonight = day(now.wall_ms - NIGHT_ENDS_MS, at.timezone)
        return at.starts_at_ms <= now.wall_ms or day(at.starts_at_ms - NIGHT_ENDS_MS, at.timezone) == tonight
    return not wish.when or day(at.starts_at_ms, at.timezone).isoformat() == wish.when


def costs(wish: Wish, kind: TicketType) -> bool:
    """Return whether a ticket costs no more than asked for."""
    if not wish.price:
        return True
    most = 0 if wish.price == "free" else int(wish.price)
    return Decimal(kind.price_minor).scaleb(-exponent(kind.currency)) <= most


def day(at_ms: int, timezone: str) -> date:
    """Return the date of a moment on the calendar of ``timezone``; UTC for a zone this system does not know."""
    try:
        zone = ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        zone = ZoneInfo("UTC")
    return (datetime(1970, 1, 1, tzinfo=ZoneInfo("UTC")) + timedelta(milliseconds=at_ms)).astimezone(zone).date()


def price_steps(kinds: Iterable[TicketType]) -> tuple[str, ...]:
    """Return the prices worth offering as a limit: those that leave some tickets in and some out; ``free`` first."""
    prices = {Decimal(each.price_minor).scaleb(-exponent(each.currency)) for each in kinds}
    if len(prices) < 2:
        return ()
    free = ("free",) if 0 in prices else ()
    paid = prices - {Decimal(0)}
    steps, before = [], Decimal(0)
    for step in STEPS:
        if any(before < each <= step for each in paid) and any(each > step for each in paid):
            steps.append(str(step))
            before = Decimal(step)
    return (*free, *steps)
