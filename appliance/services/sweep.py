"""Tidying up, every few seconds and at start-up: nothing here decides anything a use case would not decide itself."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.domain.clock import DAY_MS, HOUR_MS, MINUTE_MS
from appliance.services import captive, conversion, photos, sms, staff_badges, verifying, waitlist
from appliance.services.box import Unit
from appliance.services.privacy import forget_ended
from appliance.services.stock import free_lapsed
from appliance.services.switches import cancel_unpaid
from appliance.store import handover, holds, jobs, passkeys, records, revoked, waiting
from mqtt_bridge.protocol.topics import CLOUD

HOLDS_KEPT_MS = 7 * DAY_MS
JOBS_KEPT_MS = 7 * DAY_MS
ACKED_KEPT_MS = 7 * DAY_MS
LONGEST_KEPT_MS = 366 * DAY_MS


@dataclass(frozen=True, slots=True)
class Swept:
    """How much was done."""

    expired_holds: int = 0
    cancelled_orders: int = 0
    forgotten_orders: int = 0
    refused_orders: int = 0


def sweep(unit: Unit) -> Swept:
    """Expire lapsed holds, serve the waitlist, end unpaid and unverified orders in time (trusted clock only), drop what is done with."""
    expired = free_lapsed(unit)
    cancelled = _cancel_unpaid(unit)
    refused = _refuse_late(unit)
    waitlist.tidy(unit)
    records.forget_old(unit.db, unit.now, unit.now.boot_ms - HOUR_MS)
    sms.tidy(unit)
    staff_badges.tidy(unit)
    passkeys.forget_over(unit.db, unit.now)
    photos.tidy(unit)
    conversion.tidy(unit)
    captive.tidy(unit)
    handover.forget_over(unit.db, unit.now)
    if unit.now.trusted:
        holds.old_ends(unit.db, unit.now.wall_ms - HOLDS_KEPT_MS)
        waiting.drop_ended(unit.db, unit.now.wall_ms - HOLDS_KEPT_MS)
        revoked.drop_before(unit.db, unit.now.wall_ms - LONGEST_KEPT_MS)
        jobs.drop_before(unit.db, unit.now.wall_ms - JOBS_KEPT_MS)
        unit.mail.prune(CLOUD, _told_before_ms(unit))
    return Swept(expired, cancelled, forget_ended(unit), refused)


def _told_before_ms(unit: Unit) -> int:
    """Since when messages are kept that the cloud has: until after the last date, because a restored cloud asks for them again.

    A programme that never ends keeps a year.
    """
    ends = [at.ends_at_ms for event in unit.catalogue.events for at in event.sessions]
    going_on = any(end > unit.now.wall_ms - ACKED_KEPT_MS for end in ends)
    return unit.now.wall_ms - (LONGEST_KEPT_MS if going_on else ACKED_KEPT_MS)


def _cancel_unpaid(unit: Unit) -> int:
    due = _due(unit, unit.catalogue.limits.unpaid_until)
    return sum(cancel_unpaid(unit, each, "unpaid_until") for each in due)


def _refuse_late(unit: Unit) -> int:
    return sum(verifying.refuse_late(unit, each) for each in _due(unit, unit.catalogue.limits.verify_until))


def _due(unit: Unit, until: int | None) -> list[str]:
    """Return the sessions that are past so many minutes relative to their start; none without a trusted clock."""
    if until is None or not unit.now.trusted:
        return []
    return [
        at.id
        for event in unit.catalogue.events
        for at in event.sessions
        if at.starts_at_ms + until * MINUTE_MS <= unit.now.wall_ms
    ]
