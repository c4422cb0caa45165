"""Which devices must hear of a fact: a pure decision.

A ticket concerns two devices: the one that issued it and the door of the venue that hosts it. Each hears what the other did.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeGuard, get_args

from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    CheckedIn,
    CheckInUndone,
    Exited,
    OrderCancelled,
    OrderConfirmed,
    OrderPending,
    OrderRefused,
    OrderRequested,
    OrderVerified,
    PaymentTaken,
    RefundPaid,
    RequestWithdrawn,
    TicketsVoided,
)

# What one device did and others must hear of.
Fact = (
    OrderConfirmed
    | PaymentTaken
    | CancelRequested
    | TicketsVoided
    | CancelRefused
    | OrderCancelled
    | CheckedIn
    | Exited
    | CheckInUndone
    | RefundPaid
    | OrderRequested
    | OrderRefused
    | RequestWithdrawn
    | OrderPending
    | OrderVerified
)

_FACTS = frozenset(get_args(Fact))


def is_fact(body: object) -> TypeGuard[Fact]:
    """Whether others must hear of it; many times faster than ``isinstance`` of so long a union."""
    return type(body) in _FACTS


TO_DOORS = (
    OrderConfirmed,
    PaymentTaken,
    CancelRequested,
    OrderCancelled,
    OrderRequested,
    OrderRefused,
    RequestWithdrawn,
    RefundPaid,
    OrderPending,
    OrderVerified,
)
TO_ISSUER = (
    PaymentTaken,
    TicketsVoided,
    CancelRefused,
    CheckedIn,
    Exited,
    CheckInUndone,
    RefundPaid,
    OrderVerified,
)


class Sale(NamedTuple):
    """Who issued the tickets a fact is about, and which venues host them."""

    issuer: str
    venues: frozenset[str]


class Route(NamedTuple):
    """Devices to send to now, and what the fact has to wait for: ``order:{id}``, ``ticket:{id}`` or ``venue:{id}``."""

    devices: frozenset[str] = frozenset()
    waits_for: frozenset[str] = frozenset()


def about(body: Fact) -> str | None:
    """Name the sale that must be known before the fact can be routed, or None if it concerns nobody else."""
    if isinstance(body, CheckedIn):
        return f"ticket:{body.ticket}" if body.ticket and body.verdict == "admitted" else None
    if isinstance(body, Exited):
        return f"ticket:{body.ticket}" if body.ticket and body.verdict == "left" else None
    if isinstance(body, CheckInUndone):
        return f"ticket:{body.ticket}" if body.ticket else None
    return f"order:{body.order}"


def route(body: Fact, origin: str, sale: Sale | None, doors: Mapping[str, str]) -> Route:
    """Decide where ``origin``'s fact goes; ``doors`` maps a venue to its door device."""
    subject = about(body)
    if subject is None:
        return Route()
    if sale is None:
        return Route(waits_for=frozenset({subject}))
    devices: set[str] = set()
    waits_for: set[str] = set()
    if isinstance(body, TO_DOORS):
        devices.update(doors[venue] for venue in sale.venues if venue in doors)
        waits_for.update(f"venue:{venue}" for venue in sale.venues if venue not in doors)
    if isinstance(body, TO_ISSUER):
        devices.add(sale.issuer)
    return Route(frozenset(devices - {origin}), frozenset(waits_for))
