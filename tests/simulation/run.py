"""Run one seed: a storm of faults over a busy evening, then everything is mended and checked."""

from __future__ import annotations

import traceback
from collections import Counter
from dataclasses import dataclass, field

from tests.simulation import till
from tests.simulation.faults import Faults
from tests.simulation.guards import Guards
from tests.simulation.unit import Unit
from tests.simulation.violation import Violation
from tests.simulation.world import GUESTS, PATIENCE_MS, STORM_MS, World

SETTLE_MS = 1_000
QUIET_MS = 20_000


@dataclass
class Result:
    """What a run came to; ``violation`` is empty if every promise held."""

    seed: int
    violation: str = ""
    devices: int = 0
    bookings: int = 0
    confirmed: int = 0
    cancelled: int = 0
    waits: Counter[str] = field(default_factory=Counter)
    simulated_ms: int = 0
    excess: int = 0
    excess_allowed: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)


def run(seed: int, guards: Guards | None = None, *, telling: bool = False) -> Result:
    """Run a seed and return what came of it; the same seed always gives the same run."""
    world = World(seed, guards, telling=telling)
    result = Result(seed)
    try:
        with world.guards.switched_off():
            _evening(world)
    except Violation as violation:
        result.violation = str(violation)
    except Exception as error:  # noqa: BLE001  a bug is a broken promise too, and the other seeds are still to be run
        where = traceback.extract_tb(error.__traceback__)[-1]
        result.violation = f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"
    if result.violation:
        world.tell("VIOLATION", result.violation)
    truth = world.truth
    result.devices = len(world.devices)
    result.bookings, result.confirmed = world.guests.attempts, world.guests.confirmed
    result.cancelled = len(truth.void)
    result.waits = truth.waits.counts
    result.simulated_ms = world.time.now_ms
    result.excess = sum(max(0, truth.valid[quota] - most) for quota, most in truth.most.items())
    result.excess_allowed = sum(truth.excess.values())
    result.faults, result.story = world.happened, world.story
    return result


def _evening(world: World) -> None:
    faults = Faults(world)
    world.start()
    world.guests.invite(GUESTS, STORM_MS * 9 // 10)
    faults.plan(STORM_MS - 5_000)
    world.pass_time(STORM_MS)
    faults.end()
    heal(world)


def heal(world: World) -> None:
    """Give everybody time to say everything, then check that all is right."""
    last_ms = world.time.now_ms + PATIENCE_MS
    world.pass_time(QUIET_MS)
    while True:
        world.centre.lift_freezes()
        for device in world.devices:
            if device.on:
                device.run(_tidy)
        world.pass_time(SETTLE_MS)
        try:
            world.truth.check_healed()
        except Violation:
            if world.time.now_ms >= last_ms:
                raise
        else:
            return


def _tidy(unit: Unit) -> None:
    """Free what lapsed, as every device does by itself from time to time; whoever waited for more stock has left."""
    till.free_lapsed(unit)
    for quota, shelf in till.current(unit).items():
        if shelf.wanted:
            till.remember_no(unit, quota)
