"""The state of the device in numbers, for /metrics: read from the rows at the moment they are asked for."""

from __future__ import annotations

import msgspec

from appliance.services import conversion, hardware, turns
from appliance.services.box import Unit
from appliance.services.staff_views import HardwareView
from appliance.store import allocations, gauges, sms
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol.messages import ConversionCount
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.protocol.topics import CLOUD


class StockGauge(msgspec.Struct, frozen=True):
    """What this device has of one quota in the current epoch."""

    quota: str
    totals: Totals
    held: int
    available: int


class GaugesView(msgspec.Struct, frozen=True):
    """Counts of rows, ages in ms and states; no names, codes or ids of orders."""

    stock: tuple[StockGauge, ...]
    unsynced: int
    oldest_unsynced_ms: int
    holds: dict[str, int]
    orders: dict[tuple[str, str], int]
    waitlist: dict[str, int]
    check_ins: dict[tuple[str, str], int]
    print_jobs: dict[str, int]
    text_messages: dict[str, int]
    conversion: tuple[ConversionCount, ...]
    hardware: tuple[HardwareView, ...]
    catalogue_version: int
    state_as_of_ms: int
    link_up: bool
    clock_trusted: bool
    frozen: bool
    door: bool


def gauges_view(unit: Unit) -> GaugesView:
    """Return everything /metrics shows, from one snapshot."""
    db = unit.db
    shelves = turns.kept(unit, allocations.shelves(db)).values()
    unsynced, oldest_ms = SqlMail(db).backlog(CLOUD)
    return GaugesView(
        stock=tuple(StockGauge(each.quota, each.totals, each.held, each.available) for each in shelves),
        unsynced=unsynced,
        oldest_unsynced_ms=max(0, unit.now.wall_ms - oldest_ms) if oldest_ms else 0,
        holds=gauges.holds_by_state(db),
        orders=gauges.orders_by_status(db),
        waitlist=gauges.entries_by_state(db),
        check_ins=gauges.check_ins_by_verdict(db),
        print_jobs=gauges.print_jobs_by_state(db),
        text_messages=sms.count_by_state(db),
        conversion=conversion.totals(unit),
        hardware=hardware.seen(unit),
        catalogue_version=unit.device.catalogue_version,
        state_as_of_ms=unit.device.state_as_of_ms,
        link_up=unit.device.link_up,
        clock_trusted=unit.now.trusted,
        frozen=unit.device.frozen,
        door=unit.device.door,
    )
