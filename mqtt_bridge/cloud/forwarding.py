"""Pass facts on to the devices they concern, through their outboxes; park what cannot be routed yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.directory import CLOUD
from mqtt_bridge.cloud.facts import sale_of
from mqtt_bridge.cloud.routing import Fact, route
from mqtt_bridge.mailbox import sender
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol.codec import Signer, decode, encode
from mqtt_bridge.protocol.messages import Downlink, Private


class Forwarder:
    """Writes downlink rows of one transaction."""

    def __init__(
        self,
        db: Connection,
        signer: Signer,
        org: str,
        inc: str,
        wall_ms: int,
        doors: Mapping[str, str],
        venue_of: Callable[[str], str | None],
    ) -> None:
        self._db = db
        self._mail = SqlMail(db)
        self._signer = signer
        self._org = org
        self._inc = inc
        self._wall_ms = wall_ms
        self._doors = doors
        self._venue_of = venue_of

    def send(self, device: str, origin: str, body: Downlink, private: Private | None = None) -> None:
        """Put a message into a device's outbox."""
        names = {"org": self._org, "sender": CLOUD, "origin": origin}
        sender.enqueue(
            self._mail, device, self._inc, body, signer=self._signer, wall_ms=self._wall_ms, private=private, **names
        )

    def forward(self, origin: str, body: Fact, private: Private | None) -> None:
        """Send a fact to whom it concerns, or park it until its sale or its door is known."""
        way = route(body, origin, sale_of(self._db, body, origin, self._venue_of), self._doors)
        for name in sorted(way.devices):
            self.send(name, origin, body, private)
        for about in sorted(way.waits_for):
            row = {"about": about, "device": origin, "body": encode(body)}
            self._db.execute(sa.insert(t.parked).values(**row, private=encode(private) if private else None))

    def release(self, order: str, tickets: tuple[str, ...]) -> None:
        """Pass on what waited for a sale that has now arrived."""
        for origin, body, private in self._unpark(f"order:{order}", *(f"ticket:{each}" for each in tickets)):
            self.forward(origin, body, private)

    def open_doors(self) -> None:
        """Send doors that exist by now what waited for them."""
        for venue, door in self._doors.items():
            for origin, body, private in self._unpark(f"venue:{venue}"):
                if origin != door:
                    self.send(door, origin, body, private)

    def _unpark(self, *subjects: str) -> list[tuple[str, Fact, Private | None]]:
        c = t.parked.c
        waiting = sa.select(c.id, c.device, c.body, c.private).where(c.about.in_(subjects)).order_by(c.id)
        rows = self._db.execute(waiting).all()
        if rows:
            self._db.execute(sa.delete(t.parked).where(c.id.in_([row.id for row in rows])))
        return [
            (row.device, decode(row.body, Fact), decode(row.private, Private) if row.private else None)  # type: ignore[arg-type]
            for row in rows
        ]
