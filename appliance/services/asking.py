"""Before a hold is refused or becomes a request, the cloud is asked for more: at most two seconds, and a "no" is remembered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from appliance.domain.errors import AskFirst, SoldOutHere
from appliance.domain.inventory import Shelf
from appliance.services.box import Box, Unit
from appliance.store import allocations

T = TypeVar("T")

PATIENCE_MS = 2000
NO_REMEMBERED_MS = 5000
# Who waits keeps a thread of the portal (16 by default): the others must stay free for those who can be served.
WAITING_AT_ONCE = 4
_STEP_S = 0.05
_places = threading.BoundedSemaphore(WAITING_AT_ONCE)


class _Asked(NamedTuple):
    """What was here when the need was noted, and when (boot-time) that was."""

    before: Shelf
    at_boot_ms: int


def run(box: Box, use_case: Callable[[Unit], T], pause: Callable[[float], None] = time.sleep) -> T:
    """Run a use case; on ``SoldOutHere`` with the link up ask for what is missing, wait for an answer, try once more.

    All who wait for one quota share one request and its answer; while ``WAITING_AT_ONCE`` of this process wait, others are
    refused at once. What is provisional is not refused then, but tried as a request. Raises what the use case raises.
    """

    def again(unit: Unit) -> T:
        unit.asked = True
        return use_case(unit)

    try:
        return box.run(use_case)
    except SoldOutHere as refusal:
        if not _granted(box, refusal, pause) and not isinstance(refusal, AskFirst):
            raise
    return box.run(again)


def _granted(box: Box, refusal: SoldOutHere, pause: Callable[[float], None]) -> bool:
    """Ask if there is a place to wait, and return whether more was granted."""
    if not _places.acquire(blocking=False):
        return False
    try:
        return _more(box, refusal.facts["quota"], refusal.facts["short"], pause)
    finally:
        _places.release()


def _more(box: Box, quota: str, short: int, pause: Callable[[float], None]) -> bool:
    """Ask for ``short`` tickets and return whether more was granted."""
    asked = box.run(lambda unit: _ask(unit, quota, short))
    if asked is None:
        return False
    if _answered(box, quota, asked, pause):
        return True
    box.run(lambda unit: allocations.remember_no(unit.db, quota, unit.now.boot_ms))
    return False


def _ask(unit: Unit, quota: str, short: int) -> _Asked | None:
    """Note the need and return what was here before; None where asking is in vain."""
    shelf = allocations.shelves(unit.db, [quota]).get(quota)
    if shelf is None or not unit.device.link_up or unit.device.frozen or shelf.elsewhere == 0:
        return None
    refused_ms = allocations.asked_in_vain(unit.db, quota)
    if refused_ms is not None and 0 <= unit.now.boot_ms - refused_ms < NO_REMEMBERED_MS:
        return None
    allocations.want(unit.db, quota, short)
    unit.wakes.add("bridge")
    return _Asked(shelf, unit.now.boot_ms)


def _answered(box: Box, quota: str, asked: _Asked, pause: Callable[[float], None]) -> bool:
    """Wait until more was granted; False if none is elsewhere, the link broke, somebody's patience ran out, or ours did."""

    def look(unit: Unit) -> tuple[Shelf | None, bool, int | None]:
        shelf = allocations.shelves(unit.db, [quota]).get(quota)
        return shelf, unit.device.link_up, allocations.asked_in_vain(unit.db, quota)

    for _ in range(round(PATIENCE_MS / 1000 / _STEP_S)):
        pause(_STEP_S)
        shelf, link_up, refused_ms = box.look(look)
        if shelf is None or not link_up:
            return False
        if shelf.totals.granted > asked.before.totals.granted or shelf.epoch != asked.before.epoch:
            return True
        # The first whose patience ran out took the request of all with it.
        if shelf.elsewhere == 0 or (refused_ms is not None and refused_ms >= asked.at_boot_ms):
            return False
    return False
