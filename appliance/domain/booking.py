"""The lives of a hold, an order and its payment: every transition, readable in a minute.

hold      open --confirm--> confirmed      an expired hold that is confirmed stays expired: its stock was given back,
          open --release--> released       so the order claims it anew in the same transaction (or is refused)
          open --expire---> expired

order     requested --confirm---------> confirmed         the cloud took its stock from the pool
          requested --turn_down-------> refused           the cloud cannot meet it
          requested --withdraw--------> cancelled         the guest took it back; no stock was claimed
          cancelled, refused --confirm> cancelled         the answer crossed a withdrawal: its stock is given back by the
                                                          cancel rule, and the order stays cancelled whatever doors say
          pending --verify------------> confirmed         what it was sold on is proven, or staff saw it
          pending --turn_down---------> refused           it is not; its tickets follow the cancel rule
          pending --cancel, request_cancel, void          as a confirmed one
          refused --void--------------> refused           its doors voided the tickets: its stock is back
          refused --refuse------------> confirmed         a door had verified it and admitted somebody, or was paid
          refused, cancelled --verify-> as it was         the word came too late
          confirmed --turn_down-------> confirmed         a door was faster
          confirmed --cancel----------> cancelled         every ticket is hosted by this very device
          confirmed --request_cancel--> cancel_pending    some ticket waits for its door's word
          cancel_pending --void-------> cancelled         all doors voided their tickets
          cancel_pending --refuse-----> confirmed         a door had admitted someone, or was paid for what the issuer
                                                          gave back as unpaid

payment   promised --settle--> paid        free orders are born paid; nothing makes an order unpaid again
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from appliance.domain.clock import Now
from appliance.domain.errors import HoldExpired, Invalid
from mqtt_bridge.protocol.messages import Payment

HoldState = Literal["open", "confirmed", "released", "expired"]
OrderStatus = Literal["requested", "pending", "confirmed", "refused", "cancel_pending", "cancelled"]

HOLD: dict[tuple[str, str], HoldState] = {
    ("open", "confirm"): "confirmed",
    ("open", "release"): "released",
    ("open", "expire"): "expired",
    ("expired", "confirm"): "expired",
    ("expired", "release"): "released",
    ("released", "release"): "released",
}

ORDER: dict[tuple[str, str], OrderStatus] = {
    ("requested", "confirm"): "confirmed",
    ("requested", "turn_down"): "refused",
    ("requested", "withdraw"): "cancelled",
    # Said of an order that was confirmed in a life which this card forgot.
    ("requested", "void"): "cancelled",
    ("requested", "refuse"): "requested",
    ("pending", "verify"): "confirmed",
    ("pending", "turn_down"): "refused",
    ("pending", "cancel"): "cancelled",
    ("pending", "request_cancel"): "cancel_pending",
    ("pending", "void"): "cancelled",
    ("pending", "refuse"): "confirmed",
    ("confirmed", "verify"): "confirmed",
    ("confirmed", "turn_down"): "confirmed",
    ("cancel_pending", "verify"): "cancel_pending",
    ("cancel_pending", "turn_down"): "cancel_pending",
    ("refused", "verify"): "refused",
    ("refused", "turn_down"): "refused",
    ("refused", "void"): "refused",
    ("refused", "refuse"): "confirmed",
    ("cancelled", "verify"): "cancelled",
    ("cancelled", "turn_down"): "cancelled",
    ("refused", "confirm"): "cancelled",
    ("cancelled", "confirm"): "cancelled",
    ("cancelled", "cancel"): "cancelled",
    ("cancelled", "request_cancel"): "cancelled",
    ("confirmed", "cancel"): "cancelled",
    ("confirmed", "request_cancel"): "cancel_pending",
    ("confirmed", "void"): "cancelled",
    ("confirmed", "refuse"): "confirmed",
    ("cancel_pending", "void"): "cancelled",
    ("cancel_pending", "refuse"): "confirmed",
    ("cancelled", "void"): "cancelled",
    ("cancelled", "refuse"): "cancelled",
}

PAYMENT: dict[tuple[str, str], Payment] = {
    ("promised", "settle"): "paid",
    ("paid", "settle"): "paid",
}

# Orders whose tickets still count as sold.
LIVE: tuple[OrderStatus, ...] = ("requested", "pending", "confirmed", "cancel_pending")
# Who sold an order of which an operator's decision told some tickets, until its sale is heard of.
UNHEARD = "cloud"


def next_hold(state: str, event: str) -> HoldState:
    """Return the state of a hold after ``event``; ``HoldExpired`` or ``Invalid`` where the table has no such move."""
    after = HOLD.get((state, event))
    if after is not None:
        return after
    if event == "confirm":
        msg = "This hold was given back. Choose your tickets again."
        raise HoldExpired(msg)
    msg = "This hold has become an order. Cancel the order instead."
    raise Invalid(msg, field="hold")


def left_ms(boot_id: str, expires_boot_ms: int, life_ms: int, now: Now) -> int:
    """Return how long an open hold still lives; one of an earlier boot has its whole life again."""
    return max(0, expires_boot_ms - now.boot_ms) if boot_id == now.boot_id else life_ms


def next_order(status: str, event: str) -> OrderStatus:
    """Return the status of an order after ``event``; ``Invalid`` where the table has no such move."""
    after = ORDER.get((status, event))
    if after is None:
        msg = f"An order that is {status.replace('_', ' ')} cannot be changed this way."
        raise Invalid(msg, field="order")
    return after


def next_payment(payment: str, event: str) -> Payment:
    """Return the payment state after ``event``."""
    return PAYMENT[(payment, event)]


def first_payment(total_minor: int) -> Payment:
    """Return how a new order's payment begins: nothing to pay is paid."""
    return "paid" if total_minor == 0 else "promised"


def total_of(total_minor: int, tickets: Iterable[Any]) -> int:
    """Return what an order of these ticket rows costs: once some were taken back or replaced, what is left, if anything is."""
    rows = list(tickets)
    left = [each for each in rows if not each.voided and each.replaced_by is None]
    return sum(each.price_minor for each in left) if left and len(left) < len(rows) else total_minor
