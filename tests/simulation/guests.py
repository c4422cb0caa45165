"""People: they arrive, hold tickets, think, confirm or do not, try again when something breaks, cancel, and come to the door."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from appliance.domain.errors import Refusal, SaleClosed, SoldOutHere
from mqtt_bridge.protocol.catalogue import Limits
from mqtt_bridge.protocol.messages import TicketFact
from tests.simulation import requests, till, turns
from tests.simulation.card import DiskFull, Ticket, Waiter
from tests.simulation.device import Crashed, Device

if TYPE_CHECKING:
    from tests.simulation.world import World

ON_REQUEST = ("b",)  # as in ``world``
LIMITS = Limits(hold_minutes=0.5, offer_minutes=0.25)
PATIENCE = 6


class Wish(NamedTuple):
    """What somebody wants, and where."""

    device: Device
    quota: str
    quantity: int


class Guests:
    """The workload of one run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rng = world.rng
        self.attempts = 0
        self.confirmed = 0
        self.cancels = 0
        self.elsewhere = 0
        self.scans = 0
        self.asked = 0
        self.withdrawn = 0

    def invite(self, number: int, during_ms: int) -> None:
        """Have so many people arrive."""
        for _ in range(number):
            self.world.time.at(self.rng.randint(0, during_ms), self.arrive)

    def arrive(self) -> None:
        """Somebody new wants some tickets; some places and dates are liked better than others."""
        world = self.world
        device = world.devices[min(int(self.rng.expovariate(0.4)), len(world.devices) - 1)]
        quota = world.quota_ids[min(int(self.rng.expovariate(0.9)), len(world.quota_ids) - 1)]
        self.attempts += 1
        self.hold(Wish(device, quota, self.rng.choice((1, 1, 1, 2, 2, 3))), PATIENCE, asked=False)

    def _later(self, wish: Wish, patience: int, *, asked: bool = False) -> None:
        if patience > 0 and not self.world.closing:
            self.world.time.after(self.rng.randint(500, 3_000), lambda: self.hold(wish, patience - 1, asked=asked))

    def hold(self, wish: Wish, patience: int, *, asked: bool) -> None:
        """Choose tickets; where none are left here, let the cloud be asked once."""
        device = wish.device
        if not device.on:
            self._later(wish, patience)
            return
        try:
            hold = device.run(
                lambda unit: requests.place_hold(unit, [(wish.quota, wish.quantity)], LIMITS, asked=asked)
            )
        except Crashed:
            device.crashed()
            self._later(wish, patience)
        except SoldOutHere as refusal:
            self._sold_out_here(wish, patience, refusal, asked=asked)
        except (SaleClosed, DiskFull):
            self._later(wish, patience)
        except Refusal:
            self._refused(wish)
        else:
            self.world.time.after(self.rng.randint(200, 25_000), lambda: self.decide(wish, hold))

    def _sold_out_here(self, wish: Wish, patience: int, refusal: SoldOutHere, *, asked: bool) -> None:
        device, short = wish.device, int(refusal.facts["short"])
        try:
            if asked:
                device.run(lambda unit: till.remember_no(unit, wish.quota))
                self._refused(wish)
            elif device.run(lambda unit: till.ask(unit, wish.quota, short)):
                device.relay.wake()
                self.world.time.after(2_000, lambda: self.hold(wish, patience, asked=True))
            elif wish.quota in ON_REQUEST:
                self.hold(wish, patience, asked=True)
            else:
                self._refused(wish)
        except Crashed:
            device.crashed()
        except DiskFull:
            pass

    # --- the waitlist

    def _refused(self, wish: Wish) -> None:
        """Many of those who got nothing wait; some of them leave again."""
        self.world.truth.refused += 1
        if self.world.closing or self.rng.random() > 0.3:
            return
        entries: list[str] = []
        self._quietly(wish.device, lambda unit: entries.append(turns.join(unit, wish.quota, wish.quantity)))
        if not entries or entries[0] not in wish.device.card.waiters.rows:
            return
        number = wish.device.card.waiters.rows[entries[0]].number
        self.world.tell(wish.device.label, f"takes number {number} in line for {wish.quantity} of {wish.quota}")
        if self.rng.random() < 0.1:
            wait_ms = self.rng.randint(1_000, 30_000)
            self.world.time.after(
                wait_ms, lambda: self._quietly(wish.device, lambda unit: turns.leave(unit, entries[0]))
            )

    def offered(self, device: Device, waiter: Waiter) -> None:
        """Most take what they are offered, sooner or later, perhaps too late; some give it back, some are gone."""
        hold = waiter.hold or ""
        self.world.tell(device.label, f"offers {waiter.quantity} of {waiter.quota} to number {waiter.number} in line")
        wish, wait_ms = Wish(device, waiter.quota, waiter.quantity), self.rng.randint(500, 22_000)
        chance = self.rng.random()
        if chance < 0.7:
            self.world.time.after(wait_ms, lambda: self.confirm(wish, hold, PATIENCE))
        elif chance < 0.8:
            self.world.time.after(wait_ms, lambda: self._quietly(device, lambda unit: turns.leave(unit, waiter.id)))

    def decide(self, wish: Wish, hold: str) -> None:
        """Most confirm, some give back, some walk away."""
        chance = self.rng.random()
        if chance < 0.06:
            return
        if chance < 0.1:
            self._quietly(wish.device, lambda unit: till.release_hold(unit, hold))
            return
        self.confirm(wish, hold, PATIENCE)

    def confirm(self, wish: Wish, hold: str, patience: int) -> None:
        """Confirm, and again with the same hold when no answer came."""
        device = wish.device
        if not device.on:
            self._again(wish, hold, patience)
            return
        try:
            order = device.run(lambda unit: requests.confirm(unit, hold, LIMITS))
        except Crashed:
            device.crashed()
            self._again(wish, hold, patience)
        except DiskFull:
            self._again(wish, hold, patience)
        except Refusal:
            self.world.truth.refused += 1
        else:
            if order not in self.world.truth.sales:  # no sale, or not yet one: only asked for
                self._asked(wish, order)
                return
            self.confirmed += 1
            self.world.truth.told(hold, order)
            self.world.tell(device.label, f"confirms {wish.quantity} of {wish.quota} as order {order[:6]}")
            self._and_then(device, order)

    def _again(self, wish: Wish, hold: str, patience: int) -> None:
        if patience > 0:
            self.world.time.after(self.rng.randint(1_000, 4_000), lambda: self.confirm(wish, hold, patience - 1))

    def _asked(self, wish: Wish, order: str) -> None:
        """Some take a request back, perhaps just when it is answered; the others wait, come, or cancel as ever."""
        self.asked += 1
        self.world.truth.requested(order, wish.device)
        self.world.tell(wish.device.label, f"takes a request for {wish.quantity} of {wish.quota} as order {order[:6]}")
        wait_ms = self.rng.randint(100, 30_000)
        if self.rng.random() < 0.25:
            self.withdrawn += 1
            self.world.time.after(
                wait_ms, lambda: self._quietly(wish.device, lambda unit: requests.cancel(unit, order))
            )
        else:
            self.world.time.after(wait_ms, lambda: self._and_then(wish.device, order))

    def _and_then(self, device: Device, order: str) -> None:
        chance = self.rng.random()
        wait_ms = self.rng.randint(500, 40_000)
        if chance < 0.2:
            self.world.time.after(wait_ms, lambda: self.cancel(device, order))
        elif chance < 0.35:
            self.world.time.after(wait_ms, lambda: self.come(device, order))

    def cancel(self, device: Device, order: str) -> None:
        """Cancel where it was bought, or at the door that hosts it."""
        tickets = self._tickets(device, order)
        if not tickets or self.world.closing:
            return
        at = device
        if self.rng.random() < 0.4:
            at = self.world.door_of(tickets[0].event_session)
        self.cancels += 1
        if self.world.door_of(tickets[0].event_session) is not device:
            self.elsewhere += 1
            self.world.fault_happened("cancel at another venue")
        self._quietly(at, lambda unit: till.cancel(unit, order))

    def come(self, device: Device, order: str) -> None:
        """Show a ticket at the door."""
        tickets = self._tickets(device, order)
        if not tickets or self.world.closing:
            return
        ticket = tickets[0]
        fact = TicketFact(
            ticket.id, ticket.id[:8], f"t-{ticket.quota}", ticket.event_session, ticket.quota, ticket.epoch, 1000, "EUR"
        )
        self.scans += 1
        self._quietly(self.world.door_of(ticket.event_session), lambda unit: till.check_in(unit, fact, device.name))

    def _tickets(self, device: Device, order: str) -> list[Ticket]:
        rows = device.card.tickets.rows
        known = device.card.orders.get(order)
        if known is None or known.status in {"requested", "refused"}:
            return []
        return [rows[each] for each in known.tickets if not rows[each].voided]

    @staticmethod
    def _quietly(device: Device, use_case: object) -> None:
        if not device.on:
            return
        try:
            device.run(use_case)  # type: ignore[arg-type]
        except Crashed:
            device.crashed()
        except (Refusal, DiskFull):
            pass
