"""What goes wrong, when, and to whom. A fault counts when it took effect, not when it was planned."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from tests.simulation import centre, device, till
from tests.simulation.device import Device

if TYPE_CHECKING:
    from tests.simulation.world import World

FAULTS = 46
QUIET_MS = 12_000
UNDER_WAY_MS = 6_000  # longer than anything is delayed
DECADE_MS, DAY_MS = 10 * 365 * 86_400_000, 86_400_000

Fault = Callable[["Faults"], None]


class Faults:
    """Plans and causes the faults of one run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.off = False

    def plan(self, during_ms: int) -> None:
        """Spread faults over the run: the common ones often, those that end a card's life rarely."""
        always = self.world.guards.always
        rare = [fault for fault, chance in RARE if self.rng.random() < chance]
        rare += [each for each, _ in (*COMMON, *RARE) if each.__name__ in always]
        common = self.rng.choices([each for each, _ in COMMON], [weight for _, weight in COMMON], k=FAULTS - len(rare))
        chance = random.Random(f"{self.world.seed} later faults")
        later = [fault for fault, often in LATER if chance.random() < often or fault.__name__ in always]
        for fault in [*common, *rare, *later]:
            self.world.time.at(self.rng.randint(2_000, during_ms), partial(self._cause, fault))

    def _cause(self, fault: Fault) -> None:
        if not self.off:
            fault(self)

    def happened(self, kind: str, who: str, what: str) -> None:
        self.world.fault_happened(kind)
        self.world.tell(who, what)

    def later(self, wait_ms: int, action: Callable[[], object]) -> None:
        self.world.time.after(wait_ms, action)

    def some_device(self) -> Device:
        return self.rng.choice([each for each in self.world.devices if not each.dead])

    # --- lines and broker

    def cut(self) -> None:
        who, long_ms = self.some_device(), self.rng.randint(2_000, 50_000)
        if who.port.cut:
            return
        self.happened("venue offline", who.label, f"loses the network for {long_ms // 1000} s")
        self.world.network.cut(who.port)
        self.later(long_ms, lambda: setattr(who.port, "cut", False))

    def deafen(self) -> None:
        who = self.some_device()
        if who.port.connected:
            self.happened("half-open line", who.label, "talks into a dead line")
            self.world.network.deafen(who.port)

    def lose(self) -> None:
        self._weather("loss", "lost messages", self.rng.uniform(0.05, 0.6))

    def repeat(self) -> None:
        self._weather("repeats", "repeated messages", self.rng.uniform(0.1, 0.7))

    def reorder(self) -> None:
        self._weather("reorders", "reordered messages", self.rng.uniform(0.1, 0.6))

    def delay(self) -> None:
        self._weather("extra_ms", "slow network", self.rng.randint(300, 5_000))

    def _weather(self, what: str, kind: str, value: float) -> None:
        long_ms = self.rng.randint(2_000, 15_000)
        self.happened(kind, "network", f"{kind} for {long_ms // 1000} s")
        setattr(self.world.network, what, value)
        self.later(long_ms, lambda: setattr(self.world.network, what, 0))

    def restart_broker(self) -> None:
        forgets = self.rng.random() < 0.7
        self.happened("broker restart", "broker", "is killed" + (" and forgets all it retained" if forgets else ""))
        self.world.network.restart(forgets=forgets, down_ms=self.rng.randint(200, 8_000))

    def overflow_queue(self) -> None:
        """What waits for a client is dropped, though the broker said success."""
        who = self.some_device()
        self.happened("broker drops a queue", who.label, f"never gets {len(who.port.incoming)} queued messages")
        who.port.deaf = True
        self.later(self.rng.randint(200, 2_000), lambda: setattr(who.port, "deaf", False))

    # --- power and cards

    def crash_before_commit(self) -> None:
        self.some_device().crash_here(device.BEFORE_COMMIT)

    def crash_after_commit(self) -> None:
        self.some_device().crash_here(device.AFTER_COMMIT)

    def crash_after_puback(self) -> None:
        self.some_device().crash_here(device.AFTER_PUBACK)

    def power_cut(self) -> None:
        who, long_ms = self.some_device(), self.rng.randint(500, 20_000)
        if who.on:
            self.happened("power cut", who.label, f"loses power for {long_ms // 1000} s")
            who.power_cut(long_ms)

    def fill_disk(self) -> None:
        who, long_ms = self.some_device(), self.rng.randint(2_000, 20_000)
        self.happened("disk full", who.label, f"has a full card for {long_ms // 1000} s")
        card = who.card
        card.full = True
        self.later(long_ms, lambda: setattr(card, "full", False))

    def roll_back(self) -> None:
        self._put_back("card rolled back", self.rng.randint(5_000, 40_000))

    def lie(self) -> None:
        self._put_back("card lied about a flush", self.rng.randint(50, 3_000))

    def same_image(self) -> None:
        """Somebody keeps an image for when the device misbehaves. The second time its life may be over."""
        self._put_back("same image put back", self.rng.randint(3_000, 15_000), self.rng.randint(5_000, 25_000))

    def _put_back(self, kind: str, *ages_ms: int) -> None:
        """An image of the card is made now and restored later; each time so long after the time before."""
        who = self.some_device()
        kept, inc = who.card.copy(), who.card.device.rows[0].inc if who.card.device.rows else ""
        made_ms = self.world.time.now_ms

        def restore() -> None:
            if who.dead or not inc:
                return
            world, image = self.world, kept.copy()
            age_s = (world.time.now_ms - made_ms) / 1000
            self.happened(kind, who.label, f"runs from its card as it was {age_s:.1f} s ago")
            who.power_off()
            world.truth.card_replaced(who, image)
            # An earlier image that was put back and replaced before it spoke can have been noticed by nobody.
            world.truth.amnesia = [each for each in world.truth.amnesia if each is not who]
            if world.centre.received(who.name, inc) > image.mail.last_seq("cloud", inc):
                world.truth.amnesia.append(who)
            who.card = image
            self.later(self.rng.randint(500, 5_000), who.boot)

        for number in range(len(ages_ms)):
            self.later(sum(ages_ms[: number + 1]), restore)

    def clone(self) -> None:
        self._copy("card cloned to another board", "another board", may_sell=False)

    def twin(self) -> None:
        self._copy("card cloned, same fingerprint", "", may_sell=True)

    def _copy(self, kind: str, board: str, *, may_sell: bool) -> None:
        world, original = self.world, self.some_device()
        if not original.card.device.rows or original.name in world.truth.copied:
            return
        image = original.card.copy()
        self.happened(kind, original.label, "its card is copied, and both run")
        world.truth.copy_made(original, image, may_sell=may_sell)
        other = world.guards.device(world, original.name, original.identity.venue, board or original.identity.board)
        other.card, other.label = image, f"{original.name} copy"
        world.devices.append(other)
        other.boot()

    # --- clocks

    def jump_device_clock(self) -> None:
        who = self.some_device()
        who.wall_offset_ms = self.rng.choice((-DECADE_MS, DAY_MS, -3_600_000, 0))
        self.happened("device clock jumps", who.label, f"its clock is off by {who.wall_offset_ms / 1000:.0f} s")

    def jump_cloud_clock(self) -> None:
        self.world.centre.wall_offset_ms = self.rng.choice((-DAY_MS, 7_200_000, -30_000, 0))
        off_s = self.world.centre.wall_offset_ms / 1000
        self.happened("cloud clock jumps", "cloud", f"its clock is off by {off_s:.0f} s")

    # --- the cloud

    def crash_reconciler_before(self) -> None:
        self.world.centre.vault.crash_at = centre.BEFORE_COMMIT

    def crash_reconciler_after(self) -> None:
        self.world.centre.vault.crash_at = centre.AFTER_COMMIT

    def kill_reconciler(self) -> None:
        process = self.rng.choice(self.world.centre.processes)
        if process.on:
            self.happened("reconciler killed", process.name, "is killed")
            process.kill()
            self.later(self.rng.randint(500, 10_000), process.start)

    def cut_reconciler(self) -> None:
        process, long_ms = self.rng.choice(self.world.centre.processes), self.rng.randint(2_000, 15_000)
        if process.on and not process.port.cut:
            port = process.port
            self.happened("reconciler offline", process.name, f"loses the broker for {long_ms // 1000} s")
            self.world.network.cut(port)
            self.later(long_ms, lambda: setattr(process.port, "cut", False))

    def second_reconciler(self) -> None:
        process = self.world.centre.processes[1]
        if process.on:
            return
        self.happened("two reconcilers", process.name, "joins")
        process.start()

    def fail_database(self) -> None:
        vault, long_ms = self.world.centre.vault, self.rng.randint(1_000, 15_000)
        self.happened("cloud database away", "cloud", f"its database is away for {long_ms // 1000} s")
        vault.failing = True
        self.later(long_ms, lambda: setattr(vault, "failing", False))

    def raise_limit(self) -> None:
        self._limit("limit raised", 1)

    def lower_limit(self) -> None:
        self._limit("limit lowered", -1)

    def _limit(self, kind: str, sign: int) -> None:
        vault = self.world.centre.vault
        if vault.failing or vault.crash_at:
            return
        quota = self.rng.choice(self.world.centre.quotas())
        limit = max(1, quota.limit + sign * self.rng.randint(5, 40))
        self.happened(kind, "operator", f"sets {quota.id} from {quota.limit} to {limit}")
        if sign > 0:
            self.world.truth.limit_changed(quota.id, limit)
        self.world.centre.set_limit(quota.id, limit)

    def seal(self) -> None:
        vault, who = self.world.centre.vault, self.some_device()
        if vault.failing or vault.crash_at or who.name in self.world.sealed or who in self.world.doors.values():
            return
        self.happened("device sealed", "operator", f"seals {who.label}")
        self.world.centre.seal(who.name, self.world.doors[who.identity.venue].name)
        self.world.sealed.add(who.name)
        who.power_off()
        if self.rng.random() < 0.5:
            self._release(self.rng.choice(self.world.quota_ids))

        def back() -> None:
            self.happened("sealed device returns", who.label, "comes back and speaks")
            who.boot()

        if self.rng.random() < 0.7:
            self.later(self.rng.randint(3_000, 30_000), back)

    def _release(self, quota: str) -> None:
        number = self.world.centre.release(quota, self.rng.randint(1, 8))
        if number:
            self.happened("in-doubt stock released", "operator", f"releases {number} of {quota}, knowing the price")
            self.world.truth.excess[quota] += number

    def restore_backup(self) -> None:
        """The cloud's database is put back from a backup that is some seconds old."""
        world, age_ms = self.world, self.rng.randint(3_000, 25_000)
        backup, sealed = world.centre.backup(), set(world.sealed)
        limits = [(each.id, each.limit, each.target) for each in world.centre.quotas()]

        def put_back() -> None:
            centre = world.centre
            same = limits == [(each.id, each.limit, each.target) for each in centre.quotas()]
            if self.off or centre.vault.failing or centre.vault.crash_at or world.sealed != sealed or not same:
                return
            self.happened(
                "cloud restored from a backup", "operator", f"puts back the cloud of {age_ms / 1000:.0f} s ago"
            )
            centre.restore(backup)
            self._until_confirmed()

        self.later(age_ms, put_back)

    def _until_confirmed(self) -> None:
        centre = self.world.centre
        if centre.restoring and not self.off:
            if not centre.vault.failing and not centre.vault.crash_at:
                centre.confirm_restored(())
            self.later(1_000, self._until_confirmed)

    # --- mending

    def end(self) -> None:
        """Everything is repaired: lines, power, disks, database, clocks; copies are taken away; freezes are looked into."""
        world = self.world
        self.off = True
        world.closing = True
        network = world.network
        network.loss = network.repeats = network.reorders = 0.0
        network.extra_ms = 0
        vault = world.centre.vault
        vault.failing, vault.crash_at = False, ""
        world.centre.wall_offset_ms = 0
        for each in world.devices:
            each.crash_at, each.card.full, each.port.cut = "", False, False
        self._switch_copies_off()
        for process in world.centre.processes[:1]:
            process.port.cut = False
            process.start()
        for process in world.centre.processes:
            process.port.cut = False
        for each in world.devices:
            if each.name in world.sealed:
                each.power_off()
                each.dead = True
                world.truth.card_lost(each, None)
            each.boot()
        self.later(UNDER_WAY_MS, self._take_copies_away)
        world.time.after(QUIET_MS, lambda: [each.run(till.want_nothing) for each in world.devices if each.on])
        world.tell("operator", "everything is repaired")

    def _switch_copies_off(self) -> None:
        """Two machines with one name are silent until all that they said has arrived."""
        names = {each.name for each in self.world.devices if each.label.endswith(" copy")}
        for each in self.world.devices:
            if each.name in names:
                each.power_off()
                each.dead = True

    def _take_copies_away(self) -> None:
        """Of two machines with one name the one whose life the cloud knows as present stays, or one that begins another.

        The cloud hears none that goes on in an earlier life.
        """
        world = self.world
        for copy in [each for each in world.devices if each.label.endswith(" copy")]:
            original = next(each for each in world.devices if each.label == copy.name)
            present, past = world.centre.present_life(copy.name), world.centre.lives(copy.name)
            lives = [each.card.row.inc for each in (original, copy)]
            new = [inc for inc in lives if inc not in past]
            leaving = original if lives[1] in ([present] if present in lives else new) else copy
            world.tell("operator", f"takes {leaving.label} away")
            world.truth.card_lost(leaving, None)
            staying = copy if leaving is original else original
            if world.doors[staying.identity.venue] is leaving:
                world.doors[staying.identity.venue] = staying
            if staying.name not in world.sealed:
                staying.dead = False
                staying.boot()


COMMON: tuple[tuple[Fault, float], ...] = (
    (Faults.cut, 5),
    (Faults.deafen, 3),
    (Faults.lose, 3),
    (Faults.repeat, 3),
    (Faults.reorder, 3),
    (Faults.delay, 1.5),
    (Faults.restart_broker, 1.5),
    (Faults.overflow_queue, 2),
    (Faults.crash_before_commit, 4),
    (Faults.crash_after_commit, 4),
    (Faults.crash_after_puback, 4),
    (Faults.power_cut, 3),
    (Faults.fill_disk, 2),
    (Faults.jump_device_clock, 2),
    (Faults.jump_cloud_clock, 1),
    (Faults.crash_reconciler_before, 2),
    (Faults.crash_reconciler_after, 3),
    (Faults.kill_reconciler, 2),
    (Faults.cut_reconciler, 1),
    (Faults.second_reconciler, 1),
    (Faults.fail_database, 1.5),
    (Faults.raise_limit, 1),
    (Faults.lower_limit, 1.5),
)
RARE: tuple[tuple[Fault, float], ...] = (
    (Faults.roll_back, 0.3),
    (Faults.lie, 0.25),
    (Faults.clone, 0.15),
    (Faults.twin, 0.12),
    (Faults.seal, 0.25),
    (Faults.restore_backup, 0.7),  # half of them come to nothing: a limit or a seal came between
)
# Came later, and have chances of their own: a seed that found something tells the same story still.
LATER: tuple[tuple[Fault, float], ...] = ((Faults.same_image, 0.15),)
