"""Moves the example's evenings so that the first one is tonight; pure.

Sessions within half a day of the first one move with it to the minute, later ones by whole days, so that a show at 19:30
stays a show at 19:30.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from appliance.domain.clock import DAY_MS, HOUR_MS, MINUTE_MS
from mqtt_bridge.protocol.catalogue import Catalogue, EventSession

# The first session begins this long after the start of the demo, rounded up to the next quarter of an hour.
AHEAD_MS = 45 * MINUTE_MS
_QUARTER_MS = 15 * MINUTE_MS
_FIRST_EVENING_MS = 12 * HOUR_MS


def first_start_ms(catalogue: Catalogue) -> int | None:
    """Return when the earliest session starts, None without sessions."""
    return min((at.starts_at_ms for event in catalogue.events for at in event.sessions), default=None)


def anchor_ms(catalogue: Catalogue, now_ms: int, kept_ms: int | None) -> int | None:
    """Return when the first session shall start: as kept from an earlier start until its evening is over, else tonight."""
    first = first_start_ms(catalogue)
    if first is None:
        return None
    ends_after_ms = max(
        at.ends_at_ms - first
        for event in catalogue.events
        for at in event.sessions
        if at.starts_at_ms - first < _FIRST_EVENING_MS
    )
    if kept_ms is not None and now_ms < kept_ms + ends_after_ms:
        return kept_ms
    return -(-(now_ms + AHEAD_MS) // _QUARTER_MS) * _QUARTER_MS


def shifted(catalogue: Catalogue, anchor_ms: int) -> Catalogue:
    """Return the catalogue with its first session starting at ``anchor_ms``."""
    first = first_start_ms(catalogue)
    if first is None:
        return catalogue
    move = _Move(first, anchor_ms - first)
    events = tuple(
        msgspec.structs.replace(event, sessions=tuple(_session(at, move) for at in event.sessions))
        for event in catalogue.events
    )
    return msgspec.structs.replace(catalogue, events=events)


class _Move(NamedTuple):
    first_ms: int
    by_ms: int

    def of(self, at: EventSession) -> int:
        """By how much a session moves."""
        if at.starts_at_ms - self.first_ms < _FIRST_EVENING_MS:
            return self.by_ms
        # Whole days are rounded up: a later show never moves before the first one. Days of the calendar, not of 24 hours:
        # summer time may begin or end in between.
        zone = ZoneInfo(at.timezone)
        old = datetime.fromtimestamp(at.starts_at_ms / 1000, zone)
        return round((old + timedelta(days=-(-self.by_ms // DAY_MS))).timestamp() * 1000) - at.starts_at_ms


def _session(at: EventSession, move: _Move) -> EventSession:
    moved = move.of(at)
    return msgspec.structs.replace(
        at,
        starts_at_ms=at.starts_at_ms + moved,
        ends_at_ms=at.ends_at_ms + moved,
        sale_opens_at_ms=None if at.sale_opens_at_ms is None else at.sale_opens_at_ms + moved,
        sale_closes_at_ms=None if at.sale_closes_at_ms is None else at.sale_closes_at_ms + moved,
    )
