"""Nobody can lock up the stock: what one client may hold and for how long.

Every rule leaves at least one ticket to everybody: a limit that shuts out an honest guest would do the attacker's work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from appliance.domain.clock import HOUR_MS, MINUTE_MS
from appliance.domain.errors import LimitReached
from appliance.domain.inventory import Shelf
from mqtt_bridge.protocol.catalogue import Limits

SHORTEST_HOLD_MS = 2 * MINUTE_MS
UNCONFIRMED_WINDOW_MS = HOUR_MS
UNCONFIRMED_PER_OPEN_HOLD = 3
# A hold for more tickets than this is a slip of the finger even at the desk.
STAFF_PER_HOLD = 100


@dataclass(frozen=True, slots=True)
class Usage:
    """What one client holds now and did lately. ``oldest_unconfirmed_age_ms`` tells how long waiting helps."""

    open_holds: int = 0
    unconfirmed_last_hour: int = 0
    oldest_unconfirmed_age_ms: int = 0
    unpaid_tickets: int = 0
    free_tickets: int = 0


def hold_life_ms(limits: Limits, shelves: list[Shelf]) -> int:
    """Return the life of a new hold: halved below 20 % of the grant, quartered below 10 %, never under two minutes.

    A catalogue whose ``hold_minutes`` is itself under two minutes gets that, always.
    """
    full = round(limits.hold_minutes * MINUTE_MS)
    return min([full, *(_life_on(shelf, full) for shelf in shelves)])


def _life_on(shelf: Shelf, full: int) -> int:
    shortest = min(SHORTEST_HOLD_MS, full)
    if shelf.available * 10 < shelf.grant:
        return max(shortest, full // 4)
    if shelf.available * 5 < shelf.grant:
        return max(shortest, full // 2)
    return full


def share(limits: Limits, available: int, own: int) -> int:
    """Return how many tickets of a quota one client may have in open holds, of what is free or its own; at least one."""
    return max(1, math.floor(limits.share_per_client * (available + own)))


def most_per_hold(limits: Limits, shelf: Shelf | None, price_minor: int) -> int:
    """Return the largest quantity to offer a guest without open holds and orders."""
    if shelf is None or shelf.available == 0:
        return 0
    per_client = limits.unpaid_per_client if price_minor else limits.free_per_client
    return min(limits.per_hold, per_client, shelf.available, share(limits, shelf.available, 0))


def check_quantity(limits: Limits, quantity: int, *, staff: bool) -> None:
    """Refuse more tickets in one hold than allowed."""
    most = STAFF_PER_HOLD if staff else limits.per_hold
    if quantity > most:
        msg = f"At most {most} tickets can be booked at once. Choose fewer."
        raise LimitReached(msg, "per_hold", most=most)


def check_holding(limits: Limits, usage: Usage) -> None:
    """Refuse another hold to a client that has too many open, or placed too many without confirming any."""
    most = UNCONFIRMED_PER_OPEN_HOLD * limits.holds_per_client
    if usage.open_holds >= limits.holds_per_client:
        msg = "You already hold tickets. Finish that booking or give it back first."
        raise LimitReached(msg, "holds_per_client")
    if usage.unconfirmed_last_hour >= most:
        wait_s = max(1, math.ceil((UNCONFIRMED_WINDOW_MS - usage.oldest_unconfirmed_age_ms) / 1000))
        msg = "You held tickets several times without booking them. Please wait, or ask at the desk."
        raise LimitReached(msg, "unconfirmed_holds", wait_s)


def check_share(limits: Limits, shelf: Shelf, own: int, wanted: int) -> None:
    """Refuse a hold that would leave one client with more than its share of what is left."""
    most = share(limits, shelf.available, own)
    if own + wanted > most:
        msg = f"Few tickets are left: one phone can hold at most {most} of them now. Choose fewer."
        raise LimitReached(msg, "share_per_client", most=most)


def check_orders(limits: Limits, usage: Usage, *, unpaid: int, free: int) -> None:
    """Refuse ``unpaid`` and ``free`` more tickets to a client that already has its fill of either kind."""
    if unpaid and usage.unpaid_tickets + unpaid > limits.unpaid_per_client:
        msg = f"At most {limits.unpaid_per_client} unpaid tickets per phone. Pay for some at the desk first."
        raise LimitReached(msg, "unpaid_per_client", most=limits.unpaid_per_client)
    if free and usage.free_tickets + free > limits.free_per_client:
        msg = f"At most {limits.free_per_client} free tickets per phone. Ask at the desk if you need more."
        raise LimitReached(msg, "free_per_client", most=limits.free_per_client)
