"""Before a hold is refused, the cloud is asked for more: at most two seconds, and a "no" is remembered for some."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from appliance.domain.errors import SoldOutHere
from appliance.domain.inventory import Shelf
from appliance.services.box import Box, Unit
from appliance.store import allocations

T = TypeVar("T")

PATIENCE_MS = 2000
NO_REMEMBERED_MS = 5000
_STEP_S = 0.05


def run(box: Box, use_case: Callable[[Unit], T], pause: Callable[[float], None] = time.sleep) -> T:
    """Run a use case; on ``SoldOutHere`` with the link up ask for what is missing, wait for an answer, try once more.

    All who wait for one quota share one request. Raises what the use case raises.
    """
    try:
        return box.run(use_case)
    except SoldOutHere as refusal:
        quota, short = refusal.facts["quota"], refusal.facts["short"]
        before = box.run(lambda unit: _ask(unit, quota, short))
        if before is None:
            raise
        if not _answered(box, quota, before, pause):
            box.run(lambda unit: allocations.remember_no(unit.db, quota, unit.now.boot_ms))
            raise
    return box.run(use_case)


def _ask(unit: Unit, quota: str, short: int) -> Shelf | None:
    """Note the need and return what was here before; None where asking is in vain."""
    shelf = allocations.shelves(unit.db, [quota]).get(quota)
    if shelf is None or not unit.device.link_up or unit.device.frozen or shelf.elsewhere == 0:
        return None
    refused_ms = allocations.asked_in_vain(unit.db, quota)
    if refused_ms is not None and 0 <= unit.now.boot_ms - refused_ms < NO_REMEMBERED_MS:
        return None
    allocations.want(unit.db, quota, short)
    unit.wakes.add("bridge")
    return shelf


def _answered(box: Box, quota: str, before: Shelf, pause: Callable[[float], None]) -> bool:
    """Wait until more was granted; False if there is nothing elsewhere, the link broke, or patience ran out."""

    def look(unit: Unit) -> tuple[Shelf | None, bool]:
        return allocations.shelves(unit.db, [quota]).get(quota), unit.device.link_up

    for _ in range(round(PATIENCE_MS / 1000 / _STEP_S)):
        pause(_STEP_S)
        shelf, link_up = box.look(look)
        if shelf is None or not link_up:
            return False
        if shelf.totals.granted > before.totals.granted or shelf.epoch != before.epoch:
            return True
        if shelf.elsewhere == 0:
            return False
    return False
