"""Short codes: what a captive browser shows, another browser types, and gets the same page. Once, within minutes."""

from __future__ import annotations

from typing import NamedTuple

from appliance.domain import handover as rules
from appliance.domain.client import Client
from appliance.domain.errors import LimitReached, NotFound
from appliance.services import rates
from appliance.services.box import CommitAndRaise, Unit
from appliance.store import handover


class ShortCode(NamedTuple):
    """A code and how long it lives."""

    code: str
    expires_in_ms: int


class Page(NamedTuple):
    """What a page's token says: its purpose and whose it is."""

    purpose: str
    subject: str


def live(unit: Unit, page: Page) -> ShortCode | None:
    """Return the code that leads to a page now."""
    row = handover.of(unit.db, page.purpose, page.subject, unit.now)
    return None if row is None else ShortCode(row.code, row.expires_boot_ms - unit.now.boot_ms)


def make(unit: Unit, page: Page, *, hotspot: bool) -> ShortCode:
    """Return a code for a page; one that lives stays. ``hotspot``: it was asked for there, so it must be typed there.

    Raises ``LimitReached`` while as many live as may.
    """
    known = live(unit, page)
    if known is not None:
        return known
    handover.forget_over(unit.db, unit.now)
    if handover.number(unit.db) >= rules.MOST_LIVE:
        raise LimitReached("Too many codes are in use right now. Please try again in some minutes.", "short_codes", 300)
    code = _fresh(unit)
    values = {"code": code, "purpose": page.purpose, "subject": page.subject, "network": "hotspot" if hotspot else ""}
    ends = {"boot_id": unit.now.boot_id, "expires_boot_ms": unit.now.boot_ms + rules.LIFE_MS}
    handover.add(unit.db, values | ends)
    return ShortCode(code, rules.LIFE_MS)


def redeem(unit: Unit, text: str, client: Client, *, hotspot: bool) -> Page:
    """Return the page that a typed code leads to and use the code up.

    Raises ``NotFound``, the same for codes that are mistyped, over, used or another network's, and ``LimitReached`` after too many of
    those by one phone or by all together. What was tried is counted although it raises.
    """
    # Off the hotspot a phone may call itself what it likes, and only where it calls from counts.
    who = client.id if hotspot else client.address
    words = "That were many codes that lead nowhere. Please wait some minutes, or ask at the desk."
    rates.check(unit, "code_phone", who, rules.TRIES_PER_PHONE, rules.LIFE_MS, words)
    rates.check(unit, "code_all", "", rules.TRIES_IN_ALL, rules.LIFE_MS, words)
    row = handover.find(unit.db, rules.normal(text) or "", unit.now)
    if row is None or (row.network == "hotspot" and not hotspot):
        rates.count(unit, "code_phone", who, rules.LIFE_MS)
        rates.count(unit, "code_all", "", rules.LIFE_MS)
        refusal = NotFound("This code leads nowhere (any more). Have a new one shown, and type it within ten minutes.")
        raise CommitAndRaise(refusal)
    handover.drop(unit.db, row.code)
    return Page(row.purpose, row.subject)


def _fresh(unit: Unit) -> str:
    for _ in range(20):
        code = rules.code(unit.box.random(rules.CODE_BYTES))
        if handover.find(unit.db, code, unit.now) is None:
            return code
    msg = "no unused code was found; the random source repeats itself"
    raise RuntimeError(msg)
