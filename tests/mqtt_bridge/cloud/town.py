"""A cloud with two dates of one event at two venues, whose tickets sell and are paid for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mqtt_bridge.cloud import contradictions
from mqtt_bridge.cloud.contradictions import Contradiction
from mqtt_bridge.cloud.store import apply_catalogue, open_cloud
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Quota, TicketType, Venue
from mqtt_bridge.protocol.messages import CheckedIn, PaymentTaken
from tests.mqtt_bridge.cloud.world import START_MS, FakeDevice, World

HOUR_MS = 3_600_000


def two_dates(hall: int = 25, yard: int = 25, **changed: object) -> Catalogue:
    """Tonight in the hall (``s``, ``q``, ``t``) and tomorrow in the yard (``s2``, ``q2``, ``t2``)."""
    tonight = EventSession(
        "s",
        "tonight",
        "hall",
        START_MS + HOUR_MS,
        START_MS + 3 * HOUR_MS,
        "Europe/Berlin",
        (Quota("q", "seats", hall),),
        (TicketType("t", "Seat", "q", 1250, "EUR"),),
        **changed,  # type: ignore[arg-type]
    )
    tomorrow = EventSession(
        "s2",
        "tomorrow",
        "yard",
        START_MS + 24 * HOUR_MS,
        START_MS + 26 * HOUR_MS,
        "Europe/Berlin",
        (Quota("q2", "benches", yard),),
        (TicketType("t2", "Seat", "q2", 1500, "EUR"),),
    )
    venues = (Venue("hall", "Old Hall", ""), Venue("yard", "The Yard", ""))
    return Catalogue(0, venues, (Event("e", "night", "One Night", "", (tonight, tomorrow)),))


class Town(World):
    """The cloud of these dates with a device at each venue."""

    hall: FakeDevice
    yard: FakeDevice

    def begin(self, catalogue: Catalogue | None = None) -> Town:
        """Import and let both devices in."""
        apply_catalogue(self.database, catalogue or two_dates(), {}, self.now_ms)
        self.hall, self.yard = self.add("hall-1", "hall"), self.add("yard-1", "yard")
        return self

    def sold(self, order: str, quantity: int = 2, *, paid: bool = True, by: FakeDevice | None = None) -> None:
        """Sell tickets for tonight and take the money."""
        device = by or self.hall
        self.tell(device, device.sell(order, quantity))
        if paid:
            tickets = tuple(f"{order}-{k}" for k in range(quantity))
            money = PaymentTaken(order, f"p-{order}", "cash", 1250 * quantity, "EUR", "A7", paid=True, tickets=tickets)
            self.tell(device, device.envelope(money))

    def admit(self, ticket: str, scan: str = "c1") -> None:
        """Somebody comes in at the hall."""
        self.tell(self.hall, self.hall.envelope(CheckedIn(scan, "admitted", None, ticket, "s", "A7", START_MS)))

    def listed(self, state: str = "open") -> tuple[Contradiction, ...]:
        """The list."""
        with self.database.read() as db:
            return contradictions.listed(db, state)

    def check_stock(self) -> None:
        """Hold the invariant for every quota: nothing beyond limit and extra, no pool below zero."""
        rows = self.rows('SELECT id, "limit", extra FROM quota')
        for quota, limit, extra in rows:
            sums = "coalesce(sum(granted - returned + confirmed), 0), coalesce(sum(sold - cancelled + confirmed), 0)"
            (out, valid) = self.rows(f"SELECT {sums} FROM allocation WHERE quota = '{quota}'")[0]
            assert int(str(out)) <= int(str(limit)) + int(str(extra)), quota
            assert int(str(valid)) <= int(str(limit)) + int(str(extra)), quota
        assert self.alarms() <= {"sealed"}


@contextmanager
def town_in(url: object) -> Iterator[Town]:
    """Open a town over a database of its own."""
    database = open_cloud(url)  # type: ignore[arg-type]
    yield Town(database).begin()
    database.close()
