"""How the hardware is doing, as the desk last saw it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row

from appliance.domain import hardware as rules
from appliance.services.box import Unit
from appliance.services.staff_views import HardwareView
from appliance.store import records


def report(unit: Unit, name: str, state: str, reason: str, since_ms: int) -> None:
    """Write down how one device is doing; ``since_ms`` is the wall clock at which ``state`` began."""
    records.put_hardware(unit.db, name, state, reason, since_ms, unit.now)


def forget_others(unit: Unit, names: Iterable[str]) -> None:
    """Forget every device but these."""
    records.keep_hardware(unit.db, names)


def seen(unit: Unit) -> tuple[HardwareView, ...]:
    """Return every device the desk reported."""
    return tuple(
        HardwareView(row.name, row.state, row.reason, row.since_ms, row.seen_at_ms, is_silent(unit, row))
        for row in records.hardware_rows(unit.db)
    )


def is_silent(unit: Unit, row: Row[Any]) -> bool:
    """Whether what the desk said of a device says nothing about now."""
    return rules.is_silent(unit.now, row.seen_boot_id, row.seen_boot_ms)
