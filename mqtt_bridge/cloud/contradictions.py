"""The list of contradictions as people read and decide it; rules add to it with ``alarms.contradict``, ``repair`` resolves."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from mqtt_bridge.cloud import tables as t


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


def undecided(db: Connection, kinds: Iterable[str], limit: int, wall_ms: int) -> list[int]:
    """Return open ones that a rule for these kinds may decide, or that wait for stock; oldest first.

    Where there are more than ``limit`` each second begins further on, so that none waits behind those that cannot be decided.
    """
    c = t.contradiction.c
    waiting = (c.state == "open", c.kind.in_(list(kinds)) | (c.remedy != ""))
    found = list(db.execute(sa.select(c.id).where(*waiting).order_by(c.first_at_ms, c.id)).scalars())
    start = wall_ms // 1000 * limit % len(found) if len(found) > limit else 0
    return [*found[start:], *found[:start]][:limit]


def decide(db: Connection, number: int, state: str, remedy: str, outcome: str, who: str, wall_ms: int) -> bool:
    """Close an open contradiction; False if somebody else was faster. Once decided it stays so."""
    mine = (t.contradiction.c.id == number, t.contradiction.c.state == "open")
    values = {"state": state, "remedy": remedy, "outcome": outcome, "decided_by": who, "decided_at_ms": wall_ms}
    return db.execute(sa.update(t.contradiction).where(*mine).values(**values)).rowcount > 0


def _of(row: Row[tuple[object, ...]]) -> Contradiction:
    values = dict(row._mapping)
    return Contradiction(**(values | {"tickets": tuple(json.loads(str(values["tickets"])))}))
