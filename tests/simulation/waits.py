"""What really happened on the waitlist, whoever remembers it: who joined, who was offered tickets, and that it was fair.

After every transaction: nobody is offered tickets past who joined before them at the same place and wants no more, an offer
that is over never becomes an order, nobody takes tickets twice for one entry, and nobody who is due waits once something
came free, or longer than until the next sweep. In the end both sides know the same line, and nobody waits whom what is free could serve.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mqtt_bridge.cloud.records import Entry
from mqtt_bridge.protocol import waitlist
from mqtt_bridge.protocol.stock import pool
from mqtt_bridge.protocol.waitlist import OPEN
from tests.simulation import till, turns
from tests.simulation.cadence import STEP_MS, SWEEP_MS
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from tests.simulation.card import Waiter
    from tests.simulation.centre import Centre
    from tests.simulation.device import Device
    from tests.simulation.turns import Step
    from tests.simulation.unit import Unit
    from tests.simulation.world import World

SERVED_WITHIN_MS = SWEEP_MS + 2 * STEP_MS


class Waits:
    """Facts of one run's waitlists. ``joined_at`` names the device and its life that took an entry in."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.joined_at: dict[str, tuple[str, str]] = {}
        self.over: set[str] = set()
        self.taken: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._due_since: dict[str, dict[tuple[int, str], int]] = {}

    # --- after every transaction

    def note(self, device: Device, unit: Unit) -> None:
        """Write down what a committed transaction did, and check it."""
        for step in unit.steps:
            self._note(device, unit, step)
        if unit.card.open_waiters.rows:
            self._check_nobody_due(device, unit)
        else:
            self._due_since.pop(device.label, None)

    def _note(self, device: Device, unit: Unit, step: Step) -> None:
        entry = step.waiter.id
        self.counts[step.what] += 1
        if step.what == "join":
            self.joined_at[entry] = (device.name, unit.card.row.inc)
        elif step.what == "offer":
            self._check_order(device, unit, step.waiter)
            self.world.guests.offered(device, step.waiter)
        elif step.what == "take":
            self._check_alive(device, step)
            self.taken.add(entry)
        if step.hold is not None and step.what != "offer":
            self.over.add(step.hold)

    def _check_order(self, device: Device, unit: Unit, offered: Waiter) -> None:
        """Only those are compared who joined here in one life: of two lives the cloud may hear in any order after a restore."""
        came = self.joined_at.get(offered.id)
        if came is None or came[0] != device.name or device.name in self.world.truth.copied:
            return
        for other in unit.card.open_waiters.rows.values():
            earlier = (
                other.quota == offered.quota and other.number < offered.number and self.joined_at.get(other.id) == came
            )
            if earlier and other.state == "waiting" and other.quantity <= offered.quantity:
                raise Violation(
                    f"{device.label} offers tickets to {offered.id[:6]} before {other.id[:6]}, who came first"
                )

    def _check_alive(self, device: Device, step: Step) -> None:
        truth = self.world.truth
        if step.hold in self.over and device.name not in truth.copied:
            raise Violation(f"{device.label} sold by an offer to {step.waiter.id[:6]} that was over")
        # A sealed device that nobody reached may sell to its own people, whom its heir serves by then.
        again = step.waiter.id in self.taken and not truth.copied and not self.world.sealed
        if again:
            raise Violation(f"{step.waiter.id[:6]} took tickets twice for one place in line, at last at {device.label}")

    def _check_nobody_due(self, device: Device, unit: Unit) -> None:
        """Whatever frees stock serves the line; where stock leaves or the cloud falls silent the next sweep does."""
        if device.card.full:
            return
        before, now_ms = self._due_since.get(device.label, {}), self.world.time.now_ms
        due = {quota: before.get((device.boots, quota), now_ms) for quota in self._due(unit)}
        self._due_since[device.label] = {(device.boots, quota): since_ms for quota, since_ms in due.items()}
        for quota, since_ms in due.items():
            if quota in unit.freed or now_ms - since_ms > SERVED_WITHIN_MS:
                raise Violation(f"{device.label} has {quota} free, and somebody who is due waits")

    def _due(self, unit: Unit) -> list[str]:
        """Quotas of which somebody should be offered what is free here.

        Not past a group that waits elsewhere: what an offer just made counts past it is known here once the cloud has told it.
        """
        free = {quota: shelf.free for quota, shelf in till.current(unit).items() if shelf.free}
        queues = turns.queues(unit, free) if free and not unit.card.row.frozen else {}
        served = {quota: waitlist.serve(queue, free[quota]) for quota, queue in queues.items()}
        return [quota for quota, now in served.items() if now.offers and all(each.here for each in now.unmet)]

    # --- when all is well again

    def check_healed(self, centre: Centre) -> None:
        """Both sides know the same line; nobody waits whom what is free could serve; holds and shelves agree."""
        known = {each.entry: each for each in centre.vault.rows.all(Entry)}
        here = {
            each.name: each
            for each in self.world.devices
            if not each.dead and each.name not in self.world.sealed and each.name not in self.world.truth.copied
        }
        for device in here.values():
            self._check_known(device, known)
        for entry in known.values():
            owner = here.get(entry.device)
            row = None if owner is None else owner.card.waiters.get(entry.entry)
            if owner is not None and entry.state in OPEN and (row is None or row.state != entry.state):
                raise Violation(f"the cloud has {entry.entry[:6]} {entry.state}, {owner.label} does not")
        self._check_served(centre, known)
        for device in self.world.devices:
            self._check_holds(device)

    def _check_known(self, device: Device, known: dict[str, Entry]) -> None:
        for row in device.card.waiters.rows.values():
            entry = known.get(row.id)
            if entry is not None and entry.state == "taken" and self._sealed_sold(row.id):
                continue  # heard late: nothing more is granted for it, and its heir's offer lapses
            if entry is None:
                raise Violation(f"the cloud never heard of {row.id[:6]}, who joined at {device.label}")
            ended_twice = entry.state == row.state and entry.state not in OPEN and entry.device in self.world.sealed
            if ended_twice:
                continue  # a lost cloud had handed it over: it is over at both, and nobody waits
            if (entry.device, entry.state) != (device.name, row.state):
                raise Violation(
                    f"{row.id[:6]} is {row.state} at {device.label}, the cloud has {entry.state} at {entry.device}"
                )

    def _sealed_sold(self, entry: str) -> bool:
        """Whether an entry that was taken had joined at a device which was sealed since."""
        joined_at = self.joined_at.get(entry)
        return joined_at is not None and joined_at[0] in self.world.sealed and entry in self.taken

    def _check_served(self, centre: Centre, known: dict[str, Entry]) -> None:
        """The first in line gets what is in the pool or can be recalled."""
        if self.world.truth.copied or self.world.sealed:
            return
        lines = centre.lines()
        for quota in centre.quotas():
            waiting = [each for each in known.values() if each.quota == quota.id and each.state == "waiting"]
            if not waiting or quota.target is not None or quota.frozen:
                continue
            first = min(waiting, key=lambda each: each.place)
            shelves = [device.card.shelves.rows.values() for device in self.world.devices if not device.dead]
            free = sum(each.free for rows in shelves for each in rows if each.quota == quota.id and each.current)
            left = pool(quota.limit, quota.extra, (each for each in lines if each.quota == quota.id))
            if first.quantity <= left + free:
                raise Violation(
                    f"{first.entry[:6]} is first in line for {first.quantity} of {quota.id} and {left + free} are free"
                )

    def _check_holds(self, device: Device) -> None:
        held: Counter[tuple[str, int]] = Counter()
        for hold in device.card.open_holds.rows.values():
            held.update({(each.quota, each.epoch): each.quantity for each in hold.items})
        for key, shelf in device.card.shelves.rows.items():
            if shelf.held != held[key]:
                raise Violation(
                    f"{device.label} counts {shelf.held} of {key[0]} as held, its holds are for {held[key]}"
                )
