"""A day of steady business in simulated time: what is waiting, remembered or under way does not grow."""

from __future__ import annotations

import pytest

from tests.simulation.faults import Faults
from tests.simulation.run import heal
from tests.simulation.world import World

HOUR_MS = 3_600_000
GUESTS_PER_HOUR = 40


def remembered(world: World) -> dict[str, int]:
    """Sizes of everything that lives as long as its process."""
    reconciler = world.centre.processes[0].reconciler
    relays = [each.relay for each in world.devices]
    return {
        "retries": sum(len(each._retries) for each in relays),
        "acks": sum(len(each._acks) for each in relays),
        "windows": sum(len(each._pump._windows) for each in relays),
        "incoming": sum(len(each.port.incoming) for each in world.devices),
        "pumps": len(reconciler._downlinks._pumps),
        "pending": len(reconciler._inbox.batch) + len(reconciler._inbox.ahead),
        "early": sum(len(each.card.mail._early.rows) for each in world.devices),
        "journal": int(world.centre.vault.journal.changed),
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_day_of_business_leaves_nothing_growing() -> None:
    """Every hour some fault passes; an hour later outboxes hold what was not pruned, and nobody remembers more than before."""
    world = World(11, largest=2_000)
    faults = Faults(world)
    world.start()
    sizes: list[int] = []
    for hour in range(24):
        world.guests.invite(GUESTS_PER_HOUR, HOUR_MS // 2)
        cause = (Faults.cut, Faults.restart_broker, Faults.kill_reconciler, Faults.power_cut, Faults.lose)[hour % 5]
        world.time.after(HOUR_MS // 4, lambda cause=cause: cause(faults))  # type: ignore[misc]
        world.pass_time(HOUR_MS)
        for each in world.devices:
            assert each.card.mail.backlog("cloud") == (0, 0)
            each.run(lambda unit, each=each: unit.mail.prune("cloud", each.now.wall_ms - HOUR_MS // 2))  # type: ignore[misc]
        sizes.append(sum(each.card.mail.size for each in world.devices))
        assert max(remembered(world).values()) <= len(world.devices)
    assert max(sizes) <= 3 * max(sizes[:3])
    faults.end()
    heal(world)
