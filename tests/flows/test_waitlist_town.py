"""Three real box offices, the real cloud, and lines that break: one fair line, and never a ticket too many.

Simulated time and network (``tests.simulation``), real services on SQLite files, the product's relay and reconciler.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import pytest

from appliance.domain.clock import HOUR_MS, MINUTE_MS, Now
from appliance.domain.errors import Refusal
from appliance.services import booking, sync, turns, waitlist
from appliance.services.booking import Item
from appliance.services.sweep import sweep
from appliance.store import allocations
from mqtt_bridge.cloud.memory import MemoryStore
from mqtt_bridge.cloud.records import Entry, Line
from mqtt_bridge.cloud.service import Reconciler
from mqtt_bridge.edge import Names
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Quota, TicketType, Venue
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.waitlist import OPEN, serve
from mqtt_bridge.relay import Relay
from mqtt_bridge.transport import Will
from tests.simulation.clock import Alarm, Time
from tests.simulation.network import Network, Port
from tests.support.box import OPEN_LIMITS, ORG, START_MS, FakeClock, TestKey, guest, make_box

SEATS = 9
VENUES = ("north", "south", "west")
QUOTA, KIND = "q_seats", "t_seat"
OFFER_MS = 2 * MINUTE_MS


def catalogue() -> Catalogue:
    """One session tonight at the north venue, nine seats."""
    kinds = (TicketType(KIND, "Seat", QUOTA, 1000, "EUR"),)
    quotas = (Quota(QUOTA, "seats", SEATS),)
    at = EventSession("s_1", "only", "north", START_MS + 90 * HOUR_MS, START_MS + 99 * HOUR_MS, "UTC", quotas, kinds)
    event = Event("e_1", "night", "One Night", "", (at,))
    limits = msgspec.structs.replace(OPEN_LIMITS, offer_minutes=OFFER_MS / MINUTE_MS)
    return Catalogue(1, tuple(Venue(each, each.title(), "") for each in VENUES), (event,), limits)


class TownClock(FakeClock):
    """A device's clocks, driven by the town's."""

    def __init__(self, time: Time) -> None:
        super().__init__()
        self.time = time

    def __call__(self) -> Now:
        now_ms = self.time.now_ms
        return replace(self.now, wall_ms=START_MS + now_ms, boot_ms=1_000_000 + now_ms)


class Office:
    """A venue's device: a real box and the product's relay on a simulated line."""

    def __init__(self, town: Town, folder: Path, venue: str) -> None:
        self.town = town
        self.venue = venue
        self.box = make_box(folder, venue=venue, catalogue=town.catalogue, grants={}, clock=TownClock(town.time))
        name = self.box.identity.device
        mine = [topics.down(ORG, name, leaf) for leaf in ("state", "ack", "msg")]
        shared = [topics.everyone(ORG, "keys")]
        will = Will(topics.up(ORG, name, "link"), encode({"up": False}))
        self.port = Port(town.network, name, [*mine, *shared], will)
        self.port.wake_owner = lambda wait_ms: self._alarm.set(wait_ms)
        names = Names(ORG, name, town.key.public.hex())
        self._relay = Relay(
            self.port,
            names,
            self._run,
            self.box.look,
            sync,
            wall_ms=lambda: START_MS + town.time.now_ms,
            ticks_ms=lambda: town.time.now_ms,
        )
        self._alarm = Alarm(town.time, self._step)
        self._swept_ms = 0
        self.port.start()
        self._alarm.set(1)

    def _run(self, use_case):
        return self.box.run(use_case)

    def run(self, use_case):
        """A guest's or the desk's doing; the bridge is woken."""
        try:
            return self.box.run(use_case)
        finally:
            self._alarm.set(1)

    def _step(self) -> None:
        if self.town.time.now_ms - self._swept_ms >= 5_000:
            self._swept_ms = self.town.time.now_ms
            self.box.run(sweep)
        self._relay.step(0)
        self._alarm.set(20 if self.port.incoming else 1_000)

    def heal(self) -> None:
        self.port.cut = False


class Town:
    """Everything, with guests that come and go by a seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.time = Time()
        self.network = Network(self.time, random.Random(seed))
        self.catalogue = catalogue()
        self.key = TestKey(bytes(32))
        self.store = MemoryStore()
        self.store.found(self.catalogue)
        self.cloud_port = Port(self.network, "cloud", ())
        self.cloud_port.at_once = True
        self.cloud_port.wake_owner = lambda wait_ms: self._alarm.set(max(20, wait_ms))
        ticks = lambda: self.time.now_ms  # noqa: E731
        self.reconciler = Reconciler(self.store, self.cloud_port, self.key, ORG, lambda: START_MS + ticks(), ticks)
        self._alarm = Alarm(self.time, self._step)
        self.cloud_port.start()
        self._alarm.set(1)
        self.offices = []
        for venue in VENUES:
            office = Office(self, folder, venue)
            self.store.register(office.box.identity.device, venue, START_MS)
            self.offices.append(office)
        self.entries: list[tuple[Office, str]] = []
        self.orders: list[tuple[Office, str]] = []
        self.holds: list[tuple[Office, str]] = []
        self.guests = 0

    def _step(self) -> None:
        self.reconciler.step(_Never())
        self._alarm.set(20 if self.cloud_port.incoming else 1_000)

    def pass_time(self, ms: int) -> None:
        end = self.time.now_ms + ms
        while self.time.step(end):
            pass

    # --- what guests do

    def join(self, office: Office, quantity: int = 1) -> str | None:
        self.guests += 1
        who = guest(f"guest-{self.guests}", f"10.0.{self.guests}.1")
        try:
            entry = office.run(lambda unit: waitlist.join(unit, who, [Item(KIND, quantity)])).id
        except Refusal:
            return None
        self.entries.append((office, entry))
        return entry

    def hold(self, office: Office, quantity: int = 1) -> None:
        self.guests += 1
        who = guest(f"guest-{self.guests}", f"10.0.{self.guests}.1")
        try:
            self.holds.append((office, office.run(lambda u: booking.place_hold(u, who, [Item(KIND, quantity)])).id))
        except Refusal:
            pass

    def confirm(self, office: Office, hold: str) -> None:
        try:
            self.orders.append((office, office.run(lambda unit: booking.confirm(unit, hold)).id))
        except Refusal:
            pass

    def cancel(self, office: Office, order: str) -> None:
        office.run(lambda unit: booking.cancel(unit, order))

    def take_offer(self, office: Office, entry: str) -> None:
        seen = office.box.look(lambda unit: waitlist.look(unit, entry))
        if seen.state == "offered":
            self.confirm(office, seen.hold.id)

    def something(self) -> None:
        """Let one thing happen somewhere."""
        rng, office = self.rng, self.rng.choice(self.offices)
        match rng.choice(["joins", "joins", "holds", "confirms", "cancels", "takes", "breaks", "waits"]):
            case "joins":
                self.join(office, rng.choice((1, 1, 2, 4)))
            case "holds":
                self.hold(office, rng.choice((1, 2)))
            case "confirms" if self.holds:
                self.confirm(*rng.choice(self.holds))
            case "cancels" if self.orders:
                self.cancel(*rng.choice(self.orders))
            case "takes" if self.entries:
                self.take_offer(*rng.choice(self.entries))
            case "breaks" if not office.port.cut:
                self.network.cut(office.port)
            case "breaks":
                office.heal()
            case _:
                self.pass_time(rng.choice((1_000, 20_000, 3 * MINUTE_MS)))

    def states(self) -> list[str]:
        return [office.box.look(partial(waitlist.look, entry=entry)).state for office, entry in self.entries]

    # --- what must hold

    def sold(self) -> int:
        return sum(
            shelf.totals.sold - shelf.totals.cancelled
            for office in self.offices
            for shelf in office.box.look(lambda unit: allocations.every(unit.db))
        )

    def check(self) -> None:
        """Never a ticket too many, and nobody who is due waits."""
        assert self.sold() <= SEATS
        lines = self.store.look(lambda rows: rows.all(Line))
        assert sum(each.granted - each.returned + each.confirmed for each in lines) <= SEATS
        for office in self.offices:

            def due(unit):
                shelf = allocations.shelves(unit.db).get(QUOTA)
                queue = turns.queues(unit).get(QUOTA, [])
                return shelf is not None and serve(queue, shelf.free).offers

            assert not office.box.look(due)


class _Never:
    def is_set(self) -> bool:
        return False

    def wait(self, timeout: float | None = None) -> bool:
        return False


def sell_out(town: Town) -> None:
    """Let every venue sell what it has, and what it gets then, until all seats are sold."""
    for _ in range(20):
        town.pass_time(3_000)
        for office in town.offices:
            town.hold(office)
            if town.holds and town.holds[-1][0] is office:
                town.confirm(*town.holds[-1])
        if town.sold() == SEATS:
            break
    assert town.sold() == SEATS
    town.pass_time(3_000)


def test_single_guests_are_offered_tickets_in_the_order_they_joined_wherever_stock_comes_free(tmp_path: Path) -> None:
    """Three linked venues; each offer goes to the next in the one line, and walk-ups get nothing."""
    town = Town(tmp_path, 1)
    sell_out(town)
    for _ in range(9):
        town.join(town.rng.choice(town.offices))
        town.pass_time(3_000)
    assert len(town.entries) == 9
    served = 0
    host = town.offices[0]
    own = [order for office, order in town.orders if office is host]
    for order in own:
        town.cancel(host, order)
        town.hold(town.rng.choice(town.offices))
        town.pass_time(8_000)
        served += 1
        assert [each != "waiting" for each in town.states()] == [True] * served + [False] * (9 - served)
        town.check()
        town.take_offer(*town.entries[served - 1])
    assert served >= 2


@pytest.mark.parametrize("seed", range(2))
def test_whatever_breaks_nobody_who_is_due_waits_and_everybody_is_served_in_the_end(tmp_path: Path, seed: int) -> None:
    """A few towns of a few minutes."""
    live_through(Town(tmp_path, seed), 40)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(2, 8))
def test_the_line_holds_over_longer_histories(tmp_path: Path, seed: int) -> None:
    """More towns, more of everything."""
    live_through(Town(tmp_path, seed), 80)


def live_through(town: Town, steps: int) -> None:
    """Guests, groups and broken links by a seed; then all heals, everything is cancelled, and the line runs empty."""
    sell_out(town)
    for office in town.offices:
        town.join(office, town.rng.choice((1, 2, 3)))
    for _ in range(steps):
        town.something()
        town.pass_time(town.rng.choice((0, 200, 2_000)))
        town.check()
    for office in town.offices:
        office.heal()
    town.pass_time(30_000)
    for each in town.orders:
        town.cancel(*each)
    for _ in range(40):
        town.pass_time(OFFER_MS + 10_000)
        town.check()
        if not any(each in OPEN for each in town.states()):
            break
    assert not [each for each in town.states() if each in OPEN]
    assert {"taken", "lapsed"} & set(town.states())
    town.pass_time(30_000)
    places = town.store.look(lambda rows: rows.all(Entry))
    assert {each.entry: each.state for each in places} == {
        entry: state for (_, entry), state in zip(town.entries, town.states(), strict=True)
    }
