"""How far a phone on the hotspot is, from joining to being told that all is well. Rows, so that every worker knows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from appliance.domain.captive import Action, State, step
from appliance.services.box import Unit
from appliance.store import captive

# Far more than a hotspot has addresses; a phone that changes its hardware address all the time must not fill the disk.
MOST_PHONES = 4096
_ROOM_MADE = 64


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a phone is, and for how long it stays so."""

    state: State = "captive"
    left_ms: int = 0


def standing(unit: Unit, phone: str) -> Standing:
    """Return how far ``phone`` is; one that is not known is captive."""
    found = captive.find(unit.db, phone, unit.now.boot_id, unit.now.boot_ms)
    if found is None:
        return Standing()
    return Standing(cast(State, found[0]), found[1] - unit.now.boot_ms)


def act(unit: Unit, phone: str, action: Action, life_ms: int) -> Standing:
    """Take a tap into account; from now on it counts for ``life_ms``, that of a DHCP lease."""
    state = step(standing(unit, phone).state, action)
    if captive.count(unit.db) >= MOST_PHONES:
        captive.forget_oldest(unit.db, _ROOM_MADE)
    captive.put(unit.db, phone, state, unit.now.boot_id, unit.now.boot_ms + life_ms)
    return Standing(state, life_ms)


def tidy(unit: Unit) -> None:
    """Forget the phones whose time is over."""
    captive.forget_over(unit.db, unit.now.boot_id, unit.now.boot_ms)
