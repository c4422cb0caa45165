"""Pass facts on to the devices they concern: as letters, numbered later; park what cannot be routed yet.

A letter takes no number, and so no lock that another device's messages would wait for; ``telling`` numbers them, one
addressee at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mqtt_bridge.cloud.closed_epochs import sealed
from mqtt_bridge.cloud.records import Device, Letter, Order, Parked, Request, Ticket
from mqtt_bridge.cloud.routing import Fact, Sale, is_fact, route
from mqtt_bridge.cloud.stand_ins import named
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.codec import decode, decode_downlink, encode
from mqtt_bridge.protocol.messages import (
    CancelRequested,
    CheckedIn,
    CheckInUndone,
    Downlink,
    Exited,
    OrderCancelled,
    OrderRefused,
    OrderRequested,
    Private,
    RequestWithdrawn,
    Sold,
    TicketsVoided,
)
from mqtt_bridge.protocol.receipts import order_known_by

CANCELS = (TicketsVoided, CancelRequested, OrderCancelled)


class Forwarder:
    """Writes the letters of one transaction; ``addressees`` are the devices they are for."""

    def __init__(self, work: Work, venue_of: Callable[[str], str | None]) -> None:
        self._work = work
        self._venue_of = venue_of
        self.addressees: set[str] = set()

    def send(self, device: str, origin: str, body: Downlink, private: Private | None = None) -> None:
        """Write a letter to a device."""
        self._work.of(Letter).add(Letter(device, origin, encode(body), encode(private) if private else None, 0))
        self.addressees.add(device)

    def door(self, venue: str) -> str | None:
        """The door device of a venue."""
        doors = [each.name for each in self._work.of(Device).where("venue", venue) if each.door]
        return doors[0] if doors else None

    def to_door(self, venue: str, origin: str, body: Downlink) -> None:
        """Write a letter to the door of a venue, or park the message until it has one."""
        door = self.door(venue)
        if door is None:
            self._work.of(Parked).add(Parked(f"venue:{venue}", origin, encode(body), None, 0))
        elif door != origin:
            self.send(door, origin, body)

    def forward(self, origin: str, body: Fact, private: Private | None) -> None:
        """Send a fact to whom it concerns, or park it until its sale or its door is known.

        For a sealed issuer whoever answers for it asks, hears and is answered; that its tickets were voided is its cancel.
        """
        sender, (origin, body) = origin, self._for_sealed(origin, body)
        sale = self._concerns(body, origin)
        doors = {venue: door for venue in (sale.venues if sale else ()) if (door := self.door(venue)) is not None}
        way = route(body, origin, sale, doors)
        told = {found for each in way.devices if (found := self._answering(each))}
        if sale is not None and (heir := self._heir(sale.issuer)):
            told.add(heir)
        told -= {origin} if isinstance(body, OrderCancelled) else {origin, sender}
        for name in sorted(told):
            self.send(name, origin, body, private)
        for about in sorted(way.waits_for):
            parked = Parked(about, origin, encode(body), encode(private) if private else None, 0)
            self._work.of(Parked).add(parked)

    def _concerns(self, body: Fact, origin: str) -> Sale | None:
        """Return who issued the tickets of a fact and which venues host them, None while the sale is unknown."""
        if isinstance(body, (Sold, CancelRequested, OrderRequested)):
            return Sale(origin, self._venues(each.event_session for each in body.tickets))
        if isinstance(body, (CheckedIn, Exited, CheckInUndone)):
            ticket = self._work.of(Ticket).get(body.ticket)
            order = None if ticket is None else self._work.of(Order).get(ticket.order_id)
        else:
            order = self._work.of(Order).get(body.order)
        if order is None:
            return self._asked_for(body, origin)
        tickets = self._work.of(Ticket).where("order_id", order.id)
        return Sale(order.issuer, self._venues(each.event_session for each in tickets))

    def _asked_for(self, body: Fact, origin: str) -> Sale | None:
        """Return the same of what was only asked for; nobody else need hear of a request that never arrived."""
        if not isinstance(body, (OrderRefused, RequestWithdrawn)):
            return None
        asked = next(iter(self._work.of(Request).where("order_id", body.order)), None)
        tickets = decode(asked.body, OrderRequested).tickets if asked is not None else ()
        return Sale(origin, self._venues(each.event_session for each in tickets))

    def _venues(self, sessions: Iterable[str]) -> frozenset[str]:
        return frozenset([venue for each in set(sessions) if (venue := self._venue_of(each)) is not None])

    def _for_sealed(self, origin: str, body: Fact) -> tuple[str, Fact]:
        """Return (whose fact it is, the fact) as it concerns others."""
        if not isinstance(body, CANCELS):
            return origin, body
        order = self._work.of(Order).get(body.order)
        if order is None or not sealed(self._work, order.issuer):
            return origin, body
        if isinstance(body, TicketsVoided):
            return order.issuer, OrderCancelled(body.order, body.tickets, ())
        return (order.issuer if self._heir(order.issuer) == origin else origin), body

    def _heir(self, device: str) -> str:
        """Who answers for a sealed device, empty for any other."""
        found = self._work.of(Device).get(device)
        return found.answered_by if found is not None and found.status == "sealed" else ""

    def _answering(self, device: str) -> str:
        return self._heir(device) if sealed(self._work, device) else device

    def release(self, order: str, tickets: tuple[str, ...]) -> None:
        """Pass on what waited for a sale that has now arrived."""
        receipts = (f"order:{order_known_by(each)}" for each in tickets)
        for origin, body, private in self._unpark(f"order:{order}", *(f"ticket:{each}" for each in tickets), *receipts):
            if is_fact(body):
                self.forward(origin, named(self._work, body), private)

    def open_door(self, venue: str) -> None:
        """Send the door of a venue, if there is one by now, what waited for it."""
        door = self.door(venue)
        if door is not None:
            for origin, body, private in self._unpark(f"venue:{venue}"):
                if origin != door:
                    self.send(door, origin, body, private)

    def _unpark(self, *subjects: str) -> list[tuple[str, Downlink, Private | None]]:
        rows = [row for about in subjects for row in self._work.of(Parked).where("about", about)]
        for row in rows:
            self._work.of(Parked).remove(row)
        return [
            (row.device, decode_downlink(row.body), decode(row.private, Private) if row.private else None)
            for row in sorted(rows, key=lambda row: (row.id < 0, abs(row.id)))  # as they came, those of today last
        ]
