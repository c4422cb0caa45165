"""``marquee slot``: what RAUC asks of a bootloader, what the units of a boot do, and how it stands for people."""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import get_args

import msgspec

from appliance.domain.slots import SLOTS, Slot, State
from appliance.settings import Settings
from appliance.slots import Keeper, NoSlots, OnTrial

_GIVEN_UP = "too many boots in a row were not marked good, or this program is too old for the database; the other slot boots now"
_NEEDS_SLOT = {"set-primary", "get-state", "set-state"}


def run(given: argparse.Namespace, _settings: Settings, keeper: Keeper | None = None) -> int:
    """Exit status 0: done; 1: a file could not be read or written, or the slot that runs is on trial; 2: in vain however often.

    That is wrong usage, a machine without slots, or one whose firmware does not say which slot runs.
    """
    slot, state = given.slot, given.state
    if given.action in _NEEDS_SLOT and slot not in SLOTS:
        return _refuse(f"{given.action} needs a slot: {' or '.join(SLOTS)}")
    if given.action == "set-state" and state not in get_args(State):
        return _refuse("set-state needs good or bad after the slot")
    try:
        return _do(keeper or Keeper(), given.action, slot, state, as_json=given.json)
    except NoSlots as error:
        return _refuse(str(error))
    except (OnTrial, OSError) as error:
        print(f"slot: {error}", file=sys.stderr)
        return 1


def _do(keeper: Keeper, action: str, slot: Slot, state: State, *, as_json: bool) -> int:
    match action:
        case "get-primary":
            print(keeper.primary())
        case "get-state":
            print(keeper.state(slot))
        case "get-current":
            print(keeper.status().running)
        case "set-primary":
            keeper.set_primary(slot)
        case "set-state":
            keeper.set_state(slot, state)
        case "attempt":
            return _reboot(_GIVEN_UP) if keeper.attempt() else 0
        case "good":
            keeper.set_good()
        case "unhealthy":
            if keeper.unhealthy():
                return _reboot("this boot is not healthy")
            print("slot: this boot is not healthy, and there is no other slot to take; staying up", file=sys.stderr)
        case _:
            found = keeper.status()
            print(msgspec.json.encode(found).decode() if as_json else "\n".join(found.words()))
    return 0


def _reboot(why: str) -> int:
    print(f"slot: {why}", file=sys.stderr)
    return subprocess.run(["systemctl", "--no-block", "reboot"], check=False).returncode


def _refuse(why: str) -> int:
    print(f"slot: {why}", file=sys.stderr)
    return 2
