"""Guests' phones: letting new ones in at a bounded pace, what each uses, and fairness between addresses."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from appliance.domain import limits
from appliance.domain.booking import LIVE
from appliance.domain.client import Client
from appliance.domain.clock import MINUTE_MS
from appliance.domain.inventory import Line, per_quota, shortages
from appliance.domain.limits import Usage
from appliance.services import rates
from appliance.services.box import Unit
from appliance.services.stock import end_hold, shelves_of
from appliance.store import holds, orders


def admit(unit: Unit, client: Client) -> None:
    """Remember a guest's phone; raises ``LimitReached`` if its address brought too many new ones this minute."""
    if client.is_staff or holds.client_known(unit.db, client.id):
        return
    most = unit.catalogue.limits.new_clients_per_minute
    words = "Too many phones came from your network just now. Please try again in a minute."
    rates.take(unit, "new_clients_per_minute", client.address, most, MINUTE_MS, words)
    holds.add_client(unit.db, client.id, client.address, unit.now)


def of_no_phone(kind: Literal["entry", "order"], thing: str) -> str:
    """Return whom limits count a place in line or an order for whose phone this device never met: for itself, and nothing else.

    No phone can call itself so: their names begin with other words (``web.clients``).
    """
    return f"{kind}:{thing}"


def usage(unit: Unit, client_id: str) -> Usage:
    """Return what a client holds and did; call after lapsed holds were freed. What stands under no name is nobody's together."""
    if not client_id:
        return Usage()
    now = unit.now
    since = now.boot_ms - limits.UNCONFIRMED_WINDOW_MS
    number, first = holds.unconfirmed_since(unit.db, client_id, now.boot_id, since)
    unpaid, free = _tickets(unit, client_id)
    return Usage(
        open_holds=holds.open_of(unit.db, client_id),
        unconfirmed_last_hour=number,
        oldest_unconfirmed_age_ms=0 if first is None else now.boot_ms - first,
        unpaid_tickets=unpaid,
        free_tickets=free,
    )


def _tickets(unit: Unit, client_id: str) -> tuple[int, int]:
    """Return a client's unpaid and free tickets for sessions that are not over."""
    counted: Counter[str] = Counter()
    for row in orders.tickets_of_client(unit.db, client_id, LIVE):
        known = unit.catalogue.event_session.get(row.event_session)
        if known is not None and unit.now.trusted and known.at.ends_at_ms <= unit.now.wall_ms:
            continue
        kind = "free" if row.price_minor == 0 else row.payment
        counted[kind] += row.number
    return counted["promised"], counted["free"]


def check(unit: Unit, client: Client, lines: tuple[Line, ...]) -> None:
    """Refuse what would give one guest more than its share; staff are exempt."""
    rules = unit.catalogue.limits
    limits.check_quantity(rules, sum(line.quantity for line in lines), staff=client.is_staff)
    if client.is_staff:
        return
    used = usage(unit, client.id)
    limits.check_holding(rules, used)
    check_orders(unit, used, lines)
    own = holds.held_by(unit.db, client.id)
    shelves = shelves_of(unit, per_quota(lines))
    for quota, wanted in per_quota(lines).items():
        # Where stock is simply short, the honest answer is "sold out here", not "your share".
        if quota in shelves and wanted <= shelves[quota].available:
            limits.check_share(rules, shelves[quota], own.get(quota, 0), wanted)


def check_orders(unit: Unit, used: Usage, lines: tuple[Line, ...]) -> None:
    """Refuse tickets beyond what one phone may have unpaid or for free."""
    prices = {line.ticket_type: unit.catalogue.ticket_type[line.ticket_type].kind.price_minor for line in lines}
    free = sum(line.quantity for line in lines if prices[line.ticket_type] == 0)
    unpaid = sum(line.quantity for line in lines) - free
    limits.check_orders(unit.catalogue.limits, used, unpaid=unpaid, free=free)


def make_room(unit: Unit, client: Client, lines: tuple[Line, ...]) -> None:
    """Where stock is short, end the newest holds of any other address that holds more than one client's share.

    Off the hotspot one phone can pretend to be many, all from one address. As long as nobody else wants the tickets it may
    hold them; the moment somebody else does, its minutes are guaranteed only within its share.
    """
    wanted = per_quota(lines)
    for quota, short in shortages(shelves_of(unit, wanted), lines).items():
        _end_holds_over_share(unit, client, quota, short)


def _end_holds_over_share(unit: Unit, client: Client, quota: str, short: int) -> None:
    shelf = shelves_of(unit, [quota]).get(quota)
    if shelf is None:
        return
    rows = [row for row in holds.open_by_address(unit.db, quota) if row.address != client.address]
    held: Counter[str] = Counter()
    phones: dict[str, set[str]] = {}
    for row in rows:
        held[row.address] += row.quantity
        phones.setdefault(row.address, set()).add(row.client)
    fair = {each: limits.share(unit.catalogue.limits, shelf.available, own) for each, own in held.items()}
    for row in rows:
        # One phone alone was already bound to its share when it placed its holds.
        several = len(phones[row.address]) > 1
        if several and short > 0 and held[row.address] - row.quantity >= fair[row.address]:
            end_hold(unit, row.id, "expire")
            held[row.address] -= row.quantity
            short -= row.quantity
