"""What this device answers for: the sessions whose door it is, and the orders of the devices it looks after."""

from __future__ import annotations

from appliance.services.box import Unit
from appliance.store import records


def hosted_here(unit: Unit, event_session: str) -> bool:
    """Return whether this venue hosts the session."""
    return unit.catalogue.venue_of(event_session) == unit.identity.venue


def decides(unit: Unit, event_session: str) -> bool:
    """Return whether this device is the door of the session's venue."""
    return unit.device.door and hosted_here(unit, event_session)


def answered_by_me(unit: Unit) -> set[str]:
    """Return the sealed devices whose orders this one looks after."""
    return records.issuers_answered_by(unit.db, unit.identity.device)


def issuers(unit: Unit) -> set[str]:
    """Return the devices whose orders this one answers for: itself, and the sealed ones it looks after."""
    return {unit.identity.device, *answered_by_me(unit)}


def answers_for(unit: Unit, issuer: str) -> bool:
    """Return whether this device answers for the orders of ``issuer``: its own, or a sealed one's."""
    return issuer == unit.identity.device or issuer in answered_by_me(unit)
