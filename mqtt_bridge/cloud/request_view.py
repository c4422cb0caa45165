"""Open requests as an operator reads them, and the operator's word about one; the planner acts on it at its next look."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.directory import audit
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import OrderRequested

Word = Literal["confirm", "refuse"]
WORDS: tuple[Word, ...] = ("confirm", "refuse")


@dataclass(frozen=True)
class OpenRequest:
    """An order that waits: its ``place`` in the queue, ticket types as often as asked for, and what was said about it."""

    place: int
    code: str
    device: str
    ticket_types: tuple[str, ...]
    quotas: tuple[str, ...]
    received_at_ms: int
    wishes: frozenset[str]


def tickets_asked(db: Connection) -> dict[str, int]:
    """Return how many tickets of each quota open requests wait for."""
    c = t.asked.c
    rows = db.execute(sa.select(c.quota, sa.func.sum(c.quantity).label("tickets")).group_by(c.quota))
    return {row.quota: int(row.tickets) for row in rows}


def open_number(db: Connection) -> int:
    """Return how many requests are open."""
    waiting = sa.select(sa.func.count()).select_from(t.request).where(t.request.c.state == "waiting")
    return int(db.execute(waiting).scalar_one())


def open_requests(db: Connection) -> tuple[OpenRequest, ...]:
    """Return every open request in the order of the queue."""
    r, w = t.request.c, t.request_wish.c
    wishes: dict[str, set[str]] = {}
    for row in db.execute(sa.select(w.order_id, w.wish)):
        wishes.setdefault(row.order_id, set()).add(row.wish)
    found = []
    for row in db.execute(sa.select(t.request).where(r.state == "waiting").order_by(r.place)):
        body = decode(row.body, OrderRequested)
        types = tuple(each.ticket_type for each in body.tickets)
        quotas = tuple(sorted({each.quota for each in body.tickets}))
        said = frozenset(wishes.get(row.order_id, ()))
        found.append(OpenRequest(row.place, body.code, row.device, types, quotas, row.received_at_ms, said))
    return tuple(found)


def say(database: Database, places: Collection[int], word: Word, who: str, wall_ms: int) -> int:
    """Have these open requests met first or refused; the latest word counts. Returns how many still were open."""

    def run(db: Connection) -> int:
        r = t.request.c
        waiting = sa.select(r.order_id).where(r.place.in_(list(places)), r.state == "waiting").order_by(r.place)
        orders = list(db.execute(waiting).scalars())
        w = t.request_wish.c
        db.execute(sa.delete(t.request_wish).where(w.order_id.in_(orders), w.wish.in_(WORDS)))
        for order in orders:
            db.execute(sa.insert(t.request_wish).values(order_id=order, wish=word, at_ms=wall_ms))
        if orders:
            audit(db, wall_ms, who, f"requests: {word}", "", f"{len(orders)} in all")
        return len(orders)

    return database.run(run)
