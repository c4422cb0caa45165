"""Past its allocation a device takes requests for ``provisional`` types: no stock is claimed, the cloud answers later.

The cloud answers an order as a whole, so a hold is requested as a whole: if all that stock here cannot meet are provisional
lines. Strict lines come first to what is here; a strict line that stock cannot meet refuses the hold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from appliance.domain.errors import LimitReached, SoldOutHere
from appliance.domain.inventory import Line, Shelf, shortages
from mqtt_bridge.protocol.catalogue import Limits

# Of any quota, however small: a table for four can always be asked for.
LEAST_CAP = 4
# The epoch of an item or ticket that claims no stock: those of allocations begin at 1.
NO_STOCK = 0


def may_request(shelves: Mapping[str, Shelf], lines: Collection[Line], provisional: Collection[str]) -> bool:
    """Return whether what is short here may be requested; ``provisional`` are the ticket types sold that way.

    Strict lines come first to what is here; each quota that is short must take requests.
    """
    short = shortages(shelves, lines)
    strict = [each for each in lines if each.ticket_type not in provisional]
    taken = all(takes_requests(shelves.get(quota)) for quota in short)
    return bool(short) and taken and not shortages(shelves, strict)


def takes_requests(shelf: Shelf | None) -> bool:
    """Return whether asking for more of a quota makes sense.

    Not where it is known to be gone everywhere, since the answer would be no, nor past people who wait in line for it here.
    """
    return shelf is None or not (shelf.elsewhere == 0 or shelf.waited_for)


def cap(limits: Limits, quota_limit: int) -> int:
    """Return how many tickets of a quota one device may have in open requests."""
    return max(LEAST_CAP, math.floor(limits.request_share * quota_limit))


def most_per_client(limits: Limits, quota_limit: int) -> int:
    """Return how many of those one client may have: its share of the cap, at least one."""
    return max(1, math.floor(limits.share_per_client * cap(limits, quota_limit)))


def left(limits: Limits, quota_limit: int, requested: int) -> int:
    """Return how many more tickets may be requested here while ``requested`` are."""
    return max(0, cap(limits, quota_limit) - requested)


def most_per_hold(limits: Limits, quota_limit: int, requested: int, price_minor: int) -> int:
    """Return the largest quantity to offer a guest without open holds and orders."""
    per_client = limits.unpaid_per_client if price_minor else limits.free_per_client
    room = left(limits, quota_limit, requested)
    return min(limits.per_hold, per_client, room, most_per_client(limits, quota_limit))


def check_cap(limits: Limits, quota: str, quota_limit: int, wanted: int, *, requested: int, own: int) -> None:
    """Refuse ``wanted`` more tickets where ``requested`` are requested here, ``own`` of them by this client.

    Raises ``SoldOutHere`` if the device takes no more, ``LimitReached`` if this client asks for more than its share.
    """
    room = left(limits, quota_limit, requested)
    if wanted > room:
        msg = "No more requests can be taken here right now. Try again later, or try another venue."
        if room:
            msg = f"Only {room} more tickets can be requested here right now. Choose fewer."
        raise SoldOutHere(msg, quota=quota, available=0, short=wanted)
    most = most_per_client(limits, quota_limit)
    if own + wanted > most:
        msg = f"At most {most} of these tickets can be requested by one phone. Choose fewer."
        raise LimitReached(msg, "share_per_client", most=most)
