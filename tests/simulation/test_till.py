"""The simulated device does what the real one does: both get the same calls, then shelves, orders and messages are compared."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from appliance.domain.errors import Refusal
from appliance.services import booking, sync, waitlist
from appliance.services.booking import Item
from appliance.services.sweep import sweep
from appliance.store import allocations, orders, waiting
from mqtt_bridge.protocol.messages import (
    Content,
    DeviceState,
    Granted,
    InLine,
    ReturnAllocation,
    TicketsVoided,
    WaitlistEntrusted,
    Wish,
)
from tests.simulation import till, turns
from tests.simulation.card import Card, DeviceRow
from tests.simulation.keys import Key
from tests.simulation.unit import Identity, Unit
from tests.simulation.world import catalogue
from tests.support.box import (
    ADULT,
    ELSEWHERE,
    HALL,
    OPEN_LIMITS,
    ROOM,
    desk,
    example_catalogue,
    make_box,
)
from tests.support.box import state as device_state

# The real box's quotas and types beside the simulated ones: one is hosted here, the other elsewhere.
QUOTA = {"a": ROOM, "b": HALL}
KIND = {"a": ADULT, "b": ELSEWHERE}
LIFE_MS = 700_000
quotas = st.sampled_from("ab")


class TwoDevices(RuleBasedStateMachine):
    """A box over SQL and a card in memory."""

    @initialize()
    def open(self) -> None:
        self.folder = TemporaryDirectory()
        self.box = make_box(Path(self.folder.name), catalogue=example_catalogue(OPEN_LIMITS), grants={})
        self.card = Card()
        self.card.device.put(0, DeviceRow("life", "board"))
        self.number = 0
        self.granted = dict.fromkeys("ab", 0)
        self.epoch = 1
        self.holds: list[tuple[str, str]] = []
        self.orders: list[tuple[str, str]] = []
        self.entries: list[tuple[str, str]] = []
        self.catalogue = msgspec.structs.replace(catalogue({"a": 25, "b": 10, "c": 1}), limits=OPEN_LIMITS)
        self.grant("a", 8)
        self.grant("b", 6)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.box.database.close()
            self.folder.cleanup()

    def secret(self) -> str:
        self.number += 1
        return f"{self.number:016x}"

    def unit(self) -> Unit:
        me = Identity("org", "hall", "hall-1", "board")
        return Unit(self.card, self.box.turn.now, me, Key.of("hall-1"), self.catalogue, self.secret)

    def both(self, real: Any, simulated: Any) -> tuple[Any, Any]:
        """Call both; either both return or both refuse in the same way."""
        answers: list[Any] = []
        for run, call in ((self.box.run, real), (self.run_simulated, simulated)):
            try:
                answers.append(run(call))
            except Refusal as refusal:
                answers.append(type(refusal))
        assert isinstance(answers[0], type) == isinstance(answers[1], type), answers
        if isinstance(answers[0], type):
            assert answers[0] is answers[1]
        return answers[0], answers[1]

    def run_simulated(self, call: Any) -> Any:
        unit = self.unit()
        try:
            result = call(unit)
            unit.finish()
        except Refusal:
            self.card.journal.roll_back()
            raise
        self.card.journal.commit()
        return result

    @rule(quota=quotas, more=st.integers(0, 5))
    def grant(self, quota: str, more: int) -> None:
        self.granted[quota] += more
        self.box.grant({QUOTA[quota]: self.granted[quota]}, epoch=self.epoch)

        def take(unit: Unit) -> None:
            row = unit.card.row
            told = (Granted(quota, self.epoch, self.granted[quota], 0, 0, 25),)
            till.apply_state(unit, DeviceState("hall-1", row.inc, row.state_revision + 1, 0, told, True, False, 1))

        self.run_simulated(take)

    @rule(quota=quotas, quantity=st.integers(1, 4))
    def hold(self, quota: str, quantity: int) -> None:
        real, simulated = self.both(
            lambda unit: booking.place_hold(unit, desk(), [Item(KIND[quota], quantity)]).id,
            lambda unit: till.place_hold(unit, [(quota, quantity)], OPEN_LIMITS),
        )
        if isinstance(real, str):
            self.holds.append((real, simulated))

    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        if self.holds:
            real_hold, hold = data.draw(st.sampled_from(self.holds))
            real, simulated = self.both(
                lambda unit: booking.confirm(unit, real_hold, client=desk()).id, lambda unit: till.confirm(unit, hold)
            )
            if isinstance(real, str):
                self.orders.append((real, simulated))

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if self.holds:
            real_hold, hold = data.draw(st.sampled_from(self.holds))
            self.both(lambda unit: booking.release_hold(unit, real_hold), lambda unit: till.release_hold(unit, hold))

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        if self.orders:
            real, simulated = data.draw(st.sampled_from(self.orders))
            self.both(lambda unit: booking.cancel(unit, real) and None, lambda unit: till.cancel(unit, simulated))

    @rule(data=st.data())
    def the_door_voids(self, data: st.DataObject) -> None:
        if self.orders:
            real, simulated = data.draw(st.sampled_from(self.orders))

            def void(unit: Any) -> None:
                tickets = tuple(row.id for row in orders.tickets(unit.db, real))
                sync.apply_message(unit, self.content(TicketsVoided(real, tickets)), None)

            def void_too(unit: Unit) -> None:
                tickets = unit.card.orders.rows[simulated].tickets
                till.apply_message(unit, self.content(TicketsVoided(simulated, tickets)), None)

            self.both(void, void_too)

    @rule(quota=quotas, returned=st.integers(0, 9))
    def recall(self, quota: str, returned: int) -> None:
        real = self.content(ReturnAllocation(QUOTA[quota], self.epoch, returned))
        simulated = self.content(ReturnAllocation(quota, self.epoch, returned))
        self.both(
            lambda unit: sync.apply_message(unit, real, None), lambda unit: till.apply_message(unit, simulated, None)
        )

    # --- the waitlist

    @rule(quota=quotas, quantity=st.integers(1, 3))
    def join(self, quota: str, quantity: int) -> None:
        real, simulated = self.both(
            lambda unit: waitlist.join(unit, desk(), [Item(KIND[quota], quantity)]).id,
            lambda unit: turns.join(unit, quota, quantity),
        )
        if isinstance(real, str):
            self.entries.append((real, simulated))

    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        if self.entries:
            real, simulated = data.draw(st.sampled_from(self.entries))
            if self.card.waiters.rows[simulated].state != "taken":
                self.both(lambda unit: waitlist.leave(unit, real), lambda unit: turns.leave(unit, simulated))

    @rule(data=st.data())
    def take_offer(self, data: st.DataObject) -> None:
        """Also one that is over: neither side revives it."""
        offered = [each for each in self.entries if self.card.waiters.rows[each[1]].hold is not None]
        if offered:
            entry, simulated = data.draw(st.sampled_from(offered))
            hold = self.box.look(lambda unit: waiting.find(unit.db, entry)).hold
            self.holds.append((hold, str(self.card.waiters.rows[simulated].hold)))
            real, mine = self.both(
                lambda unit: booking.confirm(unit, hold, client=desk()).id,
                lambda unit: till.confirm(unit, self.holds[-1][1]),
            )
            if isinstance(real, str):
                self.orders.append((real, mine))

    @rule(data=st.data(), quota=quotas, strangers=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), max_size=3))
    def the_cloud_tells_the_line(self, data: st.DataObject, quota: str, strangers: list[tuple[int, int]]) -> None:
        """Strangers and those who wait here, in some order."""
        rows = [
            each for each in self.card.open_waiters.rows.values() if each.quota == quota and each.state == "waiting"
        ]
        line = [InLine(0, *each) for each in strangers] + [InLine(each.number, each.quantity) for each in rows]
        told = tuple(data.draw(st.permutations(line)))

        def hear(unit: Any) -> None:
            grant = Granted(QUOTA[quota], self.epoch, self.granted[quota], 0, 0, 25, told)
            sync.apply_state(unit, device_state(unit, (grant,), revision=unit.device.state_revision + 1))

        def hear_too(unit: Unit) -> None:
            row, grant = unit.card.row, Granted(quota, self.epoch, self.granted[quota], 0, 0, 25, told)
            till.apply_state(unit, DeviceState("hall-1", row.inc, row.state_revision + 1, 0, (grant,), True, False, 1))

        self.both(hear, hear_too)

    @rule(quota=quotas, number=st.sampled_from((-5, -3, 1, 2)), quantity=st.integers(1, 3))
    def the_cloud_entrusts(self, quota: str, number: int, quantity: int) -> None:
        entry = self.secret()
        real = self.content(WaitlistEntrusted(entry, QUOTA[quota], number, (Wish(KIND[quota], quantity),), 0))
        simulated = self.content(WaitlistEntrusted(entry, quota, number, (Wish(f"t-{quota}", quantity),), 0))
        self.both(
            lambda unit: sync.apply_message(unit, real, None), lambda unit: till.apply_message(unit, simulated, None)
        )
        self.entries.append((entry, entry))

    @rule(up=st.booleans())
    def the_link_changes(self, up: bool) -> None:
        self.both(lambda unit: sync.link_changed(unit, up), lambda unit: till.link_changed(unit, up=up))

    @rule()
    def sweep(self) -> None:
        self.both(lambda unit: sweep(unit) and None, till.sweep)

    # --- time, and lives

    @rule(part=st.sampled_from((0.1, 0.6, 1.1)))
    def time_passes(self, part: float) -> None:
        self.box.turn.advance(round(part * LIFE_MS))

    @rule()
    def reboot(self) -> None:
        self.box.turn.reboot()

    @rule()
    def new_life(self) -> None:
        self.both(sync.begin_incarnation, lambda unit: till.begin_incarnation(unit, "told"))
        self.epoch += 1
        self.granted = dict.fromkeys("ab", 0)

    @staticmethod
    def content(body: Any) -> Content:
        return Content(1, "org", "cloud", "cloud", "1", 1, body, 1)

    @invariant()
    def shelves_orders_and_messages_are_alike(self) -> None:
        if not hasattr(self, "box"):
            return
        names = {quota: short for short, quota in QUOTA.items()}

        def seen(unit: Any) -> tuple[Any, Any, Any, Any]:
            shelves = {
                (names[each.quota], each.epoch): (each.totals, each.held, each.current)
                for each in allocations.every(unit.db)
            }
            statuses = Counter(str(unit.db.exec_driver_sql(_STATUS, (real,)).scalar()) for real, _ in self.orders)
            found = (waiting.find(unit.db, real) for real, _ in self.entries)
            line = [(row.number, row.state, row.rounds, row.passed) for row in found]
            return shelves, statuses, line, [row.kind for row in unit.mail.unacked("cloud", unit.inc)]

        rows = self.card.shelves.rows
        mine = {key: (each.totals, each.held, each.current) for key, each in rows.items()}
        statuses = Counter(self.card.orders.rows[simulated].status for _, simulated in self.orders)
        kinds = [row.kind for row in self.card.mail.unacked("cloud", self.card.row.inc)]
        found = (self.card.waiters.rows[simulated] for _, simulated in self.entries)
        line = [(row.number, row.state, row.rounds, row.passed) for row in found]
        assert self.box.look(seen) == (mine, statuses, line, kinds)


_STATUS = "SELECT status FROM orders WHERE id = ?"

TestTwoDevices = TwoDevices.TestCase
TestTwoDevices.settings = settings(max_examples=12, stateful_step_count=25, deadline=None)
