"""Any history of sales, seals, late news, releases, returns and restores, over the reconciler without a database.

After every step the books balance and the pool is not negative. In the end, when everything that can be told was told, no more
tickets are valid than limit and what operators released, and every ticket that was sold is known once.
"""

from __future__ import annotations

import random

import msgspec
import pytest

from mqtt_bridge.cloud import restoring, sealing
from mqtt_bridge.cloud.closed_epochs import doubt_of
from mqtt_bridge.cloud.doubt import ReleaseRefused
from mqtt_bridge.cloud.memory import MemoryStore
from mqtt_bridge.cloud.records import Alarm, Device, Line, Quota, Ticket
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import DeviceClosed
from tests.mqtt_bridge.cloud.test_memory import MemoryWorld
from tests.mqtt_bridge.cloud.world import FakeDevice

LIMIT = 25
NAMES = ("hall-1", "yard-1", "attic-1")


class History:
    """A world whose devices may be cut off: what they say waits in ``untold``."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.world = MemoryWorld()
        self.devices = {name: self.world.add(name, name.removesuffix("-1")) for name in NAMES}
        self.untold: dict[str, list[bytes]] = {name: [] for name in NAMES}
        self.cut: set[str] = set()
        self.sealed: set[str] = set()
        self.stopped: set[str] = set()
        self.sold: set[str] = set()
        self.bought = 0
        self.backup: MemoryStore | None = None
        self.orders = 0
        self.told: list[str] = []

    @property
    def store(self) -> MemoryStore:
        return self.world.store

    def step(self) -> None:
        steps = (self.sell, self.sell, self.sell, self.talk, self.talk, self.break_link, self.mend_link)
        rare = (self.seal, self.release, self.come_back, self.save, self.restore)
        chosen = self.rng.choice(rare if self.rng.random() < 0.25 else steps)
        self.told.append(chosen.__name__)
        chosen()
        self.check()

    def some(self) -> FakeDevice:
        return self.devices[self.rng.choice(NAMES)]

    def sell(self) -> None:
        device = self.some()
        if device.name in self.stopped or device.totals.unsold < 1:
            return
        number = self.rng.randint(1, device.totals.unsold)
        self.orders += 1
        order = f"o{self.orders}"
        self.untold[device.name].append(device.sell(order, number))
        self.sold |= {f"{order}-{k}" for k in range(number)}

    def talk(self) -> None:
        for device in self.devices.values():
            if device.name not in self.cut:
                self._hear(device)

    def _hear(self, device: FakeDevice) -> None:
        world = self.world
        device.status(world)
        world.tell(device, *self.untold[device.name])
        self.untold[device.name].clear()
        if device.name not in self.stopped and self.rng.random() < 0.5:
            device.need(world, self.rng.randint(1, 4))
        world.tick()
        state = world.state(device.name)
        if state.sealed and device.name not in self.stopped:
            self.stopped.add(device.name)
            device.totals = msgspec.structs.replace(device.totals, returned=device.totals.granted - device.totals.sold)
            world.tell(device, device.envelope(DeviceClosed((device.count(),))))
        if state.generation > device.generation:
            device.generation = state.generation
            device.hello(world)
            world.run()
            world.tell(device, *device.log[state.upto :])
        if not state.sealed:
            device.hear(world)

    def break_link(self) -> None:
        self.cut.add(self.some().name)

    def mend_link(self) -> None:
        if self.cut:
            name = self.rng.choice(sorted(self.cut))
            self.cut.discard(name)
            self.devices[name].hello(self.world)
            self.world.run()
            self._hear(self.devices[name])

    def seal(self) -> None:
        name = self.some().name
        if name in self.sealed or len(self.sealed) == 2:
            return
        self.sealed.add(name)
        self._decide(lambda work: sealing.seal(work, name, stolen=False, answered_by="", wall_ms=self.world.now_ms))

    def release(self) -> None:
        number = self.rng.randint(1, 4)
        try:
            self._decide(lambda work: sealing.release(work, "q", number))
        except ReleaseRefused:
            return
        self.bought += number

    def come_back(self) -> None:
        for name in sorted(self.sealed & self.cut):
            self.cut.discard(name)
            self.devices[name].hello(self.world)
            self.world.run()
            self._hear(self.devices[name])

    def save(self) -> None:
        if self.backup is None and not self.sealed:
            self.backup = self.store.copy()

    def restore(self) -> None:
        """Only while nothing was sealed or released since, which a log outside would tell and this history does not keep."""
        if self.backup is None or self.sealed:
            return
        self.store.rows, self.backup = self.backup.rows.copy(self.store.journal), None
        self.store.rows._journal = self.store.journal
        generation = self.store.run(lambda rows: restoring.next_generation(Work(rows), ()))
        self._decide(lambda work: restoring.begin(work, (), generation, "x"))
        self.world.reconciler = self.world.another()
        self.world.connect()

    def _decide(self, change) -> None:
        def run(rows):
            work = Work(rows)
            change(work)
            work.write()

        self.store.run(run)
        self.world.tick()

    def check(self) -> None:
        rows = self.store.rows
        quota = rows.find(Quota, ("id",), [("q",)])[0]
        out = sum(each.granted - each.returned + each.confirmed for each in rows.all(Line))
        assert quota.limit + quota.extra - out >= 0, self.told
        assert quota.extra == quota.released, self.told
        assert all(each.unsold >= 0 for each in rows.all(Line)), self.told
        assert not {each.kind for each in rows.all(Alarm)} & {"quota-frozen", "indigestible"}, self.told
        assert len(self.sold) <= LIMIT + self.bought, self.told

    def finish(self) -> None:
        for name in sorted(self.cut):
            self.cut.discard(name)
            self.devices[name].hello(self.world)
        for _ in range(3):
            self.talk()
        if restoring.waiting(Work(self.store.rows)) == []:
            self._decide(restoring.confirm)
        for _ in range(3):
            self.talk()
        self.check()
        rows = self.store.rows
        assert {each.id for each in rows.all(Ticket)} == self.sold, self.told
        assert sum(each.totals.valid for each in rows.all(Line)) == len(self.sold), self.told
        devices = {each.name: each for each in rows.all(Device)}
        quota = rows.find(Quota, ("id",), [("q",)])[0]
        doubt = doubt_of(quota.released, rows.all(Line), devices)
        # All sealed devices came back and gave up what they had: nothing is in doubt, and what is still released was sold twice.
        assert doubt.in_doubt == 0, self.told
        assert quota.released == quota.contradicted, self.told


@pytest.mark.parametrize("part", range(8))
def test_books_balance_after_every_step_and_everything_is_known_in_the_end(part: int, seed: int) -> None:
    """Eight seeds a run; ``told`` in a failure is the story of its steps."""
    history = History(seed + part)
    for _ in range(45):
        history.step()
    history.finish()
