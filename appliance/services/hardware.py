"""How the hardware is doing, as the desk last saw it."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.services.box import Unit
from appliance.services.staff_views import HardwareView
from appliance.store import records


def report(unit: Unit, name: str, state: str, reason: str, since_ms: int) -> None:
    """Write down how one device is doing; ``since_ms`` is the wall clock at which ``state`` began."""
    records.put_hardware(unit.db, name, state, reason, since_ms, unit.now.wall_ms)


def forget_others(unit: Unit, names: Iterable[str]) -> None:
    """Forget every device but these."""
    records.keep_hardware(unit.db, names)


def seen(unit: Unit) -> tuple[HardwareView, ...]:
    """Return every device the desk reported."""
    return tuple(
        HardwareView(row.name, row.state, row.reason, row.since_ms, row.seen_at_ms)
        for row in records.hardware_rows(unit.db)
    )
