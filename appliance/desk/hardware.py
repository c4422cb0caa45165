"""Writes how the devices are doing, so that the staff page, the cloud and the doctor can tell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from appliance.services import hardware
from appliance.services.box import Box, Unit
from drivers.health import Health

# A row this old says that the desk itself is gone; more often would only wear the card.
REPEAT_S = 10.0


class HardwareRows:
    """One row per device, written when its state or reason changes and every ``REPEAT_S`` seconds; None is no row.

    What the last desk said of devices that this one does not know is forgotten with the first word.
    """

    def __init__(self, box: Box, health: Mapping[str, Callable[[], Health | None]]) -> None:
        self._box = box
        self._health = health
        self._written: dict[str, tuple[str, str]] = {}
        self._due_s = 0.0

    def write(self) -> None:
        """Write the rows that are due, in one transaction; nothing is due most of the time."""
        readings = {name: found for name, read in self._health.items() if (found := read()) is not None}
        said = {name: (reading.state.value, reading.reason) for name, reading in readings.items()}
        now_s = time.monotonic()
        if said == self._written and now_s < self._due_s:
            return
        self._box.run(lambda unit: _put(unit, readings, int(now_s * 1000)))
        self._written, self._due_s = said, now_s + REPEAT_S


def _put(unit: Unit, readings: Mapping[str, Health], monotonic_ms: int) -> None:
    hardware.forget_others(unit, readings)
    for name, reading in readings.items():
        since_ms = unit.now.wall_ms - max(0, monotonic_ms - reading.since_ms)
        hardware.report(unit, name, reading.state.value, reading.reason, since_ms)
