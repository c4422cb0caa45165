"""The cloud: rows in memory, any number of the product's reconcilers over them, and what an operator does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, TypeVar

import msgspec

from mqtt_bridge.cloud import restoring
from mqtt_bridge.cloud.doubt import ReleaseRefused
from mqtt_bridge.cloud.memory import MemoryRows, MemoryStore
from mqtt_bridge.cloud.records import Alarm as AlarmRow
from mqtt_bridge.cloud.records import CatalogueVersion, Cloud, Life, Line, Quota, Stream
from mqtt_bridge.cloud.records import Device as DeviceRow
from mqtt_bridge.cloud.rows import Rows
from mqtt_bridge.cloud.sealing import release, seal
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.journal import Journal
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import encode
from tests.simulation.clock import EPOCH_MS, Alarm
from tests.simulation.device import ORG, Crashed
from tests.simulation.keys import by_public
from tests.simulation.network import Port

if TYPE_CHECKING:
    from tests.simulation.world import World

T = TypeVar("T")
STEP_MS = 1_000
COLLECT_MS = 100
RETRY_MS = 500
BEFORE_COMMIT, AFTER_COMMIT = "reconciler dies before commit", "reconciler dies between commit and ack"


class Vault(MemoryStore):
    """The database: can be away, and its clients can die before or after a commit."""

    def __init__(self) -> None:
        super().__init__()
        self.crash_at = ""
        self.crashes: Callable[[str], None] = lambda _point: None

    def run(self, change: Callable[[Rows], T]) -> T:
        result = super().run(lambda rows: self._then(BEFORE_COMMIT, change(rows)))
        return self._then(AFTER_COMMIT, result)

    def _then(self, point: str, result: T) -> T:
        if self.crash_at == point and (point == AFTER_COMMIT or self.journal.changed):
            self.crash_at = ""
            self.crashes(point)
            raise Crashed(point)
        return result

    def step_begins(self) -> None:
        """A reconciler begins a round."""

    def client_died(self) -> None:
        """A reconciler is gone; what it committed stays."""

    def look(self, query: Callable[[Rows], T]) -> T:
        if self.failing:
            raise OSError("the database does not answer")
        return super().look(query)


class _Stop:
    """Never waits."""

    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        return False


class Process:
    """One reconciler process."""

    def __init__(self, centre: Centre, name: str) -> None:
        self.centre = centre
        self.name = name
        self.on = False
        self._alarm = Alarm(centre.world.time, self._step)
        self.port = Port(centre.world.network, name, ())

    def start(self) -> None:
        """Start with nothing in memory."""
        if self.on:
            return
        self.on = True
        world = self.centre.world
        cut = self.port.cut
        self.port = Port(world.network, self.name, ())
        self.port.cut = cut
        self.port.at_once = True
        self.port.wake_owner = self._wake
        self.reconciler = world.guards.reconciler(
            self.centre.vault,
            self.port,
            world.cloud_key,
            ORG,
            lambda: self.centre.wall_ms,
            lambda: world.time.now_ms,
            name=self.name,
            key_of=by_public,
        )
        self.port.start()
        self._alarm.set(1)

    def kill(self) -> None:
        """Everything in memory is gone."""
        self.on = False
        self.centre.vault.client_died()
        self.centre.world.truth.check_books(self.centre)
        self.port.power_off()

    def _wake(self, wait_ms: int) -> None:
        self._alarm.set(max(wait_ms, COLLECT_MS))

    def _step(self) -> None:
        if not self.on:
            return
        try:
            self.centre.vault.step_begins()
            self.reconciler.step(_Stop())
        except Crashed:
            self.kill()
            self.centre.world.time.after(self.centre.world.rng.randint(500, 5_000), self.start)
            return
        self.centre.checked()
        wait_ms = RETRY_MS if self.centre.vault.failing else STEP_MS
        self._alarm.set(COLLECT_MS if self.port.incoming else wait_ms)


class Centre:
    """The database, its reconcilers and the operator."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.wall_offset_ms = 0
        self.vault = world.guards.vault()
        self.vault.crashes = self._crashes
        self.processes = [Process(self, "reconciler-1"), Process(self, "reconciler-2")]
        self._checked_commits = -1

    @property
    def wall_ms(self) -> int:
        """The cloud's wall clock."""
        return EPOCH_MS + self.world.time.now_ms + self.wall_offset_ms

    def open(self, catalogue: Catalogue, devices: dict[str, tuple[str, bool]]) -> None:
        """Fill an empty database; ``devices`` are (venue, door) by name."""
        quotas = [
            Quota(each.id, at.id, each.name, each.limit, each.extra)
            for event in catalogue.events
            for at in event.sessions
            for each in at.quotas
        ]

        def first(rows: Rows) -> None:
            rows.insert([Cloud(1, 1, "1.sim", catalogue.version, 0, "")])
            rows.insert([CatalogueVersion(catalogue.version, encode(catalogue))])
            rows.insert([DeviceRow(name, venue, "registered", door, 0) for name, (venue, door) in devices.items()])
            rows.insert(quotas)

        self.vault.run(first)

    def _crashes(self, point: str) -> None:
        self.world.tell("cloud", point)
        self.world.fault_happened(point)

    def checked(self) -> None:
        """Check the books whenever something was committed."""
        if self.vault.commits != self._checked_commits:
            self._checked_commits = self.vault.commits
            self.world.truth.check_books(self)

    # --- what is asked

    def lines(self) -> list[Line]:
        """Every allocation."""
        return self.vault.rows.all(Line)

    def quotas(self) -> list[Quota]:
        """Every quota."""
        return self.vault.rows.all(Quota)

    def alarms(self, *kinds: str) -> list[AlarmRow]:
        """What is listed for a person."""
        return [each for each in self.vault.rows.all(AlarmRow) if not kinds or each.kind in kinds]

    def present_life(self, device: str) -> str | None:
        """The incarnation of a device that the cloud takes for its present one."""
        (found,) = self.vault.rows.find(DeviceRow, ("name",), [(device,)])
        return found.inc

    def lives(self, device: str) -> set[str]:
        """Every incarnation of a device that the cloud was introduced to."""
        return {each.inc for each in self.vault.rows.find(Life, ("device",), [(device,)])}

    def received(self, device: str, inc: str) -> int:
        """How many messages of a life have arrived."""
        return sum(each.upto for each in self.vault.rows.find(Stream, ("peer", "inc"), [(device, inc)]))

    # --- what an operator does

    def change(self, kind: type[T], key: tuple[object, ...], **values: object) -> None:
        """Change one record."""

        def work(rows: Rows) -> None:
            for before in rows.find(kind, kind.KEY, [key]):  # type: ignore[type-var,attr-defined]
                rows.update([(before, msgspec.structs.replace(before, **values))])  # type: ignore[type-var]

        self.vault.run(work)

    def set_limit(self, quota: str, limit: int) -> None:
        """Raise a limit at once, or lower it step by step as stock comes back; never below what is known to be sold."""
        lines = [each for each in self.lines() if each.quota == quota]
        known = sum(each.totals.valid for each in lines)
        (before,) = [each for each in self.quotas() if each.id == quota]
        if limit >= before.limit:
            self.change(Quota, (quota,), limit=limit, target=None)
        elif limit >= known:
            self.change(Quota, (quota,), target=limit)

    def work(self, change: Callable[[Work], T]) -> T:
        """Do something over a working set, in one transaction."""

        def run(rows: Rows) -> T:
            work = Work(rows)
            result = change(work)
            work.write()
            return result

        return self.vault.run(run)

    def seal(self, device: str, answered_by: str) -> None:
        """The device will not come back; its stock stays in doubt."""
        self.work(lambda work: seal(work, device, stolen=False, answered_by=answered_by, wall_ms=self.wall_ms))

    def release(self, quota: str, most: int) -> int:
        """Put some in-doubt stock on sale again; returns how much, which is the price: so many could be sold twice."""

        for number in range(most, 0, -1):
            try:
                return self.work(lambda work, number=number: release(work, quota, number).number)  # type: ignore[misc]
            except ReleaseRefused:
                continue  # less than that is in doubt
        return 0

    @property
    def restoring(self) -> bool:
        """Whether a backup was put back and its list is not confirmed yet."""
        return any(each.restoring for each in self.vault.rows.all(Cloud))

    @property
    def sealed_unheard(self) -> set[str]:
        """Devices that were sealed before the restored cloud heard them."""
        (cloud,) = self.vault.rows.all(Cloud)
        devices = self.vault.rows.all(DeviceRow)
        return {each.name for each in devices if each.status == "sealed" and each.generation < cloud.generation}

    def backup(self) -> MemoryRows:
        """A copy of the database as of now."""
        return self.vault.rows.copy(Journal())

    def restore(self, backup: MemoryRows) -> None:
        """Put a backup back: every reconciler starts anew, over rows of a new generation."""
        running = [each for each in self.processes if each.on]
        for each in running:
            each.kill()
        (lost,) = self.vault.rows.all(Cloud)
        self.vault.rows = backup.copy(self.vault.journal)
        self.world.truth.cloud_lost(self)
        self.work(lambda work: restoring.begin(work, (), lost.generation + 1, "sim"))
        for each in running:
            each.start()

    def confirm_restored(self, gone: Collection[str]) -> None:
        """Seal who cannot be heard any more, and grant again once everybody else was."""
        if not self.restoring:
            return
        for device in self.work(restoring.waiting):
            if device.name in gone:
                self.seal(device.name, "")
        if not self.work(restoring.waiting):
            self.work(restoring.confirm)
            self.world.truth.restore_confirmed(self)

    def lift_freezes(self) -> None:
        """A person has looked at everything."""
        gone = {each.name for each in self.world.devices} - {each.name for each in self.world.devices if not each.dead}
        self.confirm_restored(gone)
        if self.restoring:
            return
        if any(each.frozen for each in self.vault.rows.all(Cloud)):
            self.change(Cloud, (1,), frozen="")
        for quota in self.quotas():
            if quota.frozen:
                self.change(Quota, (quota.id,), frozen="")
