"""Is this ticket type on sale, and in which words? Staff's switch beats the clock, an untrusted clock decides nothing."""

from __future__ import annotations

from typing import Literal

from appliance.domain.clock import Now
from appliance.domain.errors import SaleClosed
from appliance.domain.inventory import Shelf
from appliance.domain.requests import takes_requests
from mqtt_bridge.protocol.catalogue import EventSession

SaleState = Literal["not_yet", "on_sale", "on_request", "sold_out_here", "sold_out", "closed", "cancelled"]
Window = Literal["not_yet", "open", "closed", "cancelled"]


def window(at: EventSession, now: Now, switch: str | None, *, frozen: bool) -> Window:
    """Return whether tickets of ``at`` may be sold at all now; ``switch`` is staff's word (open, closed or None)."""
    if at.cancelled:
        return "cancelled"
    if frozen or switch == "closed":
        return "closed"
    if switch == "open" or not now.trusted:
        return "open"
    if at.sale_opens_at_ms is not None and now.wall_ms < at.sale_opens_at_ms:
        return "not_yet"
    closes_at_ms = at.ends_at_ms if at.sale_closes_at_ms is None else at.sale_closes_at_ms
    return "closed" if now.wall_ms >= closes_at_ms else "open"


def state(sale: Window, shelf: Shelf | None, *, on_request: bool = False) -> SaleState:
    """Return the state to show: the window's, or what the stock allows while it is open.

    ``on_request``: the type is provisional and this device takes more requests for it.
    """
    if sale != "open":
        return sale
    if shelf is not None and shelf.available > 0:
        return "on_sale"
    if shelf is not None and shelf.gone_everywhere:
        return "sold_out"
    return "on_request" if on_request and takes_requests(shelf) else "sold_out_here"


def require_open(sale: Window, *, frozen: bool, sealed: bool = False) -> None:
    """Raise ``SaleClosed`` with the words that fit."""
    if sealed:
        msg = "This box office was closed for good. Tickets that it sold stay valid."
        raise SaleClosed(msg, state="closed")
    if frozen:
        msg = "This box office is starting anew and sells nothing until it has spoken to the central office."
        raise SaleClosed(msg, state="closed")
    if sale != "open":
        words = {
            "not_yet": "Tickets are not on sale yet.",
            "closed": "The sale for this date has closed.",
            "cancelled": "This date has been cancelled.",
        }
        raise SaleClosed(words[sale], state=sale)
