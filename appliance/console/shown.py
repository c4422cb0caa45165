"""How figures are shown to an operator: ages, moments, bars."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask import Flask

from appliance.domain.hardware import SILENT_DESK_MS, remedy
from mqtt_bridge.cloud.overview import QuotaView, Share
from mqtt_bridge.protocol.ids import shown
from mqtt_bridge.protocol.messages import HardwareReport
from mqtt_bridge.protocol.money import from_minor
from mqtt_bridge.protocol.running import NAME

BAR_UNITS = 1000


@dataclass(frozen=True)
class Piece:
    """A piece of a bar, in units of its width: ``kind`` is sold, held, free, doubt or pool."""

    kind: str
    start: int
    width: int
    tickets: int


def install(app: Flask) -> None:
    """Give templates these formats."""
    app.jinja_env.filters.update(
        age=age, amount=amount, shown=shown, moment=moment, clock_utc=clock_utc, clock_minute=clock_minute
    )
    app.jinja_env.globals.update(
        device_bar=device_bar,
        quota_bar=quota_bar,
        words=words,
        remedy=remedy,
        desk_is_silent=desk_is_silent,
        SYSTEM=NAME,
    )


def desk_is_silent(report: HardwareReport) -> bool:
    """Say whether a device's desk had been silent for long when the device told of its hardware; both times are its own clock's."""
    return report.sent_at_ms - report.as_of_ms > SILENT_DESK_MS


def age(then_ms: int | None, now_ms: int) -> str:
    """Say how long ago something was: ``3 s ago``, ``5 min ago``, ``never``."""
    if then_ms is None or then_ms <= 0:
        return "never"
    seconds = max(0, now_ms - then_ms) // 1000
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def amount(minor: int, currency: str) -> str:
    """Return money: ``24.00 EUR``."""
    money = from_minor(minor, currency)
    return f"{money.amount} {money.currency}"


def moment(at_ms: int, timezone: str = "UTC") -> str:
    """Return a moment at its own place: ``Fri 24 Nov, 19:30``."""
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone)).strftime("%a %-d %b, %H:%M")


def clock_utc(at_ms: int) -> str:
    """Return a moment of the cloud, which belongs to no place: ``19:30:05 UTC``."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%H:%M:%S UTC")


def clock_minute(at_ms: int, timezone: str = "UTC") -> str:
    """Return the time of day at its own place: ``19:30``."""
    return datetime.fromtimestamp(at_ms / 1000, ZoneInfo(timezone)).strftime("%H:%M")


def device_bar(quota: QuotaView, share: Share) -> list[Piece]:
    """The pieces of one device's bar, to the scale of its whole quota."""
    parts = [("sold", share.totals.valid), ("held", share.held), ("free", share.free), ("doubt", share.in_doubt)]
    return _pieces(parts, quota.capacity)


def quota_bar(quota: QuotaView) -> list[Piece]:
    """The pieces of a quota's bar: all devices together, then the pool."""
    parts = [
        ("sold", quota.sold),
        ("held", quota.held),
        ("free", quota.free),
        ("doubt", quota.in_doubt),
        ("pool", max(0, quota.pool)),
    ]
    return _pieces(parts, quota.capacity)


def words(pieces: list[Piece]) -> str:
    """Say what a bar shows, for those who do not see it."""
    return ", ".join(f"{each.tickets} {_WORDS[each.kind]}" for each in pieces) or "nothing"


_WORDS = {"sold": "sold", "held": "held", "free": "free", "doubt": "in doubt", "pool": "in the pool"}


def _pieces(parts: list[tuple[str, int]], capacity: int) -> list[Piece]:
    whole = max(1, capacity, sum(tickets for _, tickets in parts))
    pieces: list[Piece] = []
    before = 0
    for kind, tickets in parts:
        if tickets > 0:
            start = before * BAR_UNITS // whole
            before += tickets
            pieces.append(Piece(kind, start, before * BAR_UNITS // whole - start, tickets))
    return pieces
