"""The operator's API: ``GET /api/v1/stock``."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from flask import Blueprint, Response

from appliance.console.desk import console, require_bearer
from appliance.web import bodies
from mqtt_bridge.cloud.overview import QuotaView, Share

blueprint = Blueprint("api", __name__)


class DeviceStock(msgspec.Struct, frozen=True):
    """One device's totals of a quota over all its epochs; ``unsynced`` messages, ``last_seen`` RFC 3339 or null."""

    venue: str
    device: str
    granted: int
    confirmed: int
    returned: int
    sold: int
    cancelled: int
    held: int
    unsynced: int
    last_seen: str | None


class QuotaStock(msgspec.Struct, frozen=True):
    """A quota: ``pool`` + sum(granted - returned + confirmed) = ``limit`` + ``extra``; ``waiting`` entries on its waitlist.

    ``in_doubt``: unsold at lost devices; ``released``: how many of those an operator put on sale again, part of ``extra``.
    """

    ticket_types: tuple[str, ...]
    quota: str
    limit: int
    extra: int
    pool: int
    devices: tuple[DeviceStock, ...]
    waiting: int
    in_doubt: int
    released: int


@blueprint.get("/api/v1/stock")
def stock() -> Response:
    """Every quota with every device's totals."""
    require_bearer()
    return bodies.answer([_quota(each) for each in console().overview().quotas])


def _quota(view: QuotaView) -> QuotaStock:
    devices = tuple(_device(each) for each in view.shares)
    return QuotaStock(
        view.ticket_types,
        view.id,
        view.limit,
        view.extra,
        view.pool,
        devices,
        view.waitlist.entries,
        view.in_doubt,
        view.released,
    )


def _device(share: Share) -> DeviceStock:
    seen = share.device.last_seen_ms
    return DeviceStock(
        venue=share.device.venue,
        device=share.device.name,
        **msgspec.structs.asdict(share.totals),
        held=share.held,
        unsynced=share.device.unsynced,
        last_seen=None if seen is None else datetime.fromtimestamp(seen / 1000, UTC).isoformat().replace("+00:00", "Z"),
    )
