"""Tickets and orders that cannot all be right: listed once per (kind, subject), then resolved or dismissed by a person.

``add`` is all that other modules need; what is done about a contradiction is decided in ``repair``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row
from sqlalchemy.dialects import postgresql, sqlite

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.protocol.remedies import Kind

LONGEST_DETAIL = 2000
LONGEST_SUBJECT = 200
MOST_TICKETS = 500


@dataclass(frozen=True)
class Contradiction:
    """One row, see ``tables.contradiction``."""

    id: int
    kind: str
    subject: str
    detail: str
    order_id: str
    event_session: str
    tickets: tuple[str, ...]
    state: str
    remedy: str
    outcome: str
    decided_by: str
    decided_at_ms: int
    count: int
    first_at_ms: int
    last_at_ms: int


def add(
    db: Connection,
    kind: Kind,
    subject: str,
    detail: str,
    wall_ms: int,
    *,
    order: str = "",
    event_session: str = "",
    tickets: Iterable[str] = (),
) -> bool:
    """List a contradiction; tells whether it is new. Told again it is only counted, whatever became of it.

    ``subject`` is what it is about (a ticket, an order, a session and an order ...), ``tickets`` are the ids a remedy would
    change and ``order`` theirs.
    """
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    row = {
        "kind": kind,
        "subject": subject[:LONGEST_SUBJECT],
        "detail": detail[:LONGEST_DETAIL],
        "order_id": order,
        "event_session": event_session,
        "tickets": json.dumps(sorted(tickets)[:MOST_TICKETS]),
        "state": "open",
        "count": 1,
        "first_at_ms": wall_ms,
        "last_at_ms": wall_ms,
    }
    again = {"count": t.contradiction.c.count + 1, "last_at_ms": wall_ms}
    statement = insert(t.contradiction).values(**row)
    counted = statement.on_conflict_do_update(index_elements=["kind", "subject"], set_=again)
    return bool(db.execute(counted.returning(t.contradiction.c.count)).scalar_one() == 1)


def find(db: Connection, number: int) -> Contradiction | None:
    """Return one contradiction."""
    row = db.execute(sa.select(t.contradiction).where(t.contradiction.c.id == number)).first()
    return None if row is None else _of(row)


def listed(db: Connection, state: str = "open", limit: int = 500) -> tuple[Contradiction, ...]:
    """Return those in a state: open ones oldest first, decided ones latest first."""
    c = t.contradiction.c
    order = (c.first_at_ms, c.id) if state == "open" else (c.decided_at_ms.desc(), c.id.desc())
    where = c.state == "open" if state == "open" else c.state != "open"
    return tuple(_of(row) for row in db.execute(sa.select(t.contradiction).where(where).order_by(*order).limit(limit)))


def open_count(db: Connection) -> int:
    """Return how many wait for a decision."""
    query = sa.select(sa.func.count()).select_from(t.contradiction).where(t.contradiction.c.state == "open")
    return int(db.execute(query).scalar_one())


def decide(db: Connection, number: int, state: str, remedy: str, outcome: str, who: str, wall_ms: int) -> bool:
    """Close an open contradiction; False if somebody else was faster. Once decided it stays so."""
    mine = (t.contradiction.c.id == number, t.contradiction.c.state == "open")
    values = {"state": state, "remedy": remedy, "outcome": outcome, "decided_by": who, "decided_at_ms": wall_ms}
    return db.execute(sa.update(t.contradiction).where(*mine).values(**values)).rowcount > 0


def _of(row: Row[tuple[object, ...]]) -> Contradiction:
    values = dict(row._mapping)
    return Contradiction(**(values | {"tickets": tuple(json.loads(str(values["tickets"])))}))
