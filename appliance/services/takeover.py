"""Taking a venue over: what the cloud knows of it, and of the orders of a sealed device, becomes this device's own knowledge.

Everything here may be told twice and beside what is known already: a fact that is known changes nothing.
"""

from __future__ import annotations

from appliance.services import cancelling, door, foreign, payments, requesting
from appliance.services.box import Unit
from appliance.services.selling import sign_anew
from appliance.store import device, orders, scans
from mqtt_bridge.protocol.messages import (
    CancelRequested,
    CheckedIn,
    CheckInUndone,
    Exited,
    OrderCancelled,
    OrderConfirmed,
    OrderPending,
    PaymentTaken,
    Retold,
    TicketsVoided,
    VenueRetold,
)


def on_retold(unit: Unit, message: VenueRetold) -> None:
    """Take one part of the past in and note how far it got."""
    answered = {*message.answers_for, unit.identity.device}
    for told in message.told:
        _take_in(unit, told, answered)
    device.change(unit.db, retold_part=message.part, retold_parts=message.parts)
    unit.reload()
    unit.wakes.add("desk")


def _take_in(unit: Unit, told: Retold, answered: set[str]) -> None:
    body, origin = told.body, told.origin
    match body:
        case OrderConfirmed() | OrderPending():
            _sold(unit, body, origin, answered)
        case PaymentTaken():
            payments.on_payment_taken(unit, body)
        case CheckedIn():
            _checked_in(unit, body, origin)
        case Exited():
            if scans.find(unit.db, body.check_in) is None:
                door.take_exit(unit, body, lane="" if origin == unit.identity.device else f"@{origin}")
        case CheckInUndone():
            door.take_back(unit, body)
        case CancelRequested():
            cancelling.on_cancel_requested(unit, body, origin)
        case OrderCancelled():
            cancelling.take_cancelled(unit, body, origin)
        case TicketsVoided():
            cancelling.on_voided(unit, body)


def _sold(unit: Unit, body: OrderConfirmed | OrderPending, origin: str, answered: set[str]) -> None:
    known = orders.find(unit.db, body.order)
    if known is not None and known.code:
        if origin == unit.identity.device and isinstance(body, OrderConfirmed):
            requesting.on_retold(unit, body)
        return
    if isinstance(body, OrderPending):
        foreign.take_pending(unit, body, origin, None)
    else:
        foreign.take_order(unit, body, origin, None)
    if origin in answered:
        sign_anew(unit, body.order)


def _checked_in(unit: Unit, message: CheckedIn, origin: str) -> None:
    """A scan of the past, by whichever device; one of our own that we forgot is ours again."""
    if scans.find(unit.db, message.check_in) is None:
        door.take_scan(unit, message, lane="" if origin == unit.identity.device else f"@{origin}")
