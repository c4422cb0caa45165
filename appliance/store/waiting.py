"""Waitlist entries of this device, and the line as the cloud last told it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, bindparam, exists, func, select, update
from sqlalchemy.dialects.sqlite import insert

from appliance.domain.clock import Now
from appliance.store.tables import allocation, hold_item, waiting, waitlist_line, wish
from mqtt_bridge.prepared import Prepared
from mqtt_bridge.protocol.messages import InLine, Wish
from mqtt_bridge.protocol.waitlist import OPEN, Waiting

FRESH_MS = 60_000
_LINE = msgspec.json.Decoder(tuple[InLine, ...])

# Statements of the hot path are built once: building one costs as much as running it.
_ALL_WAITING = select(waiting).where(waiting.c.state == "waiting").order_by(waiting.c.number)
_WAITING = Prepared(_ALL_WAITING)
_WAITING_FOR = Prepared(_ALL_WAITING.where(waiting.c.quota.in_(bindparam("quotas", expanding=True))))
_LINES = Prepared(select(waitlist_line))
_LINES_OF = Prepared(select(waitlist_line).where(waitlist_line.c.quota.in_(bindparam("quotas", expanding=True))))
_FIND = Prepared(select(waiting).where(waiting.c.entry == bindparam("entry_")))
_IS_OPEN = waiting.c.state.in_(OPEN)


class Told(NamedTuple):
    """A quota's waitlist as the cloud told it; ``longer`` more stand behind ``line``."""

    line: tuple[InLine, ...] = ()
    longer: int = 0
    heard_boot_id: str = ""
    heard_boot_ms: int = 0

    def fresh(self, now: Now) -> bool:
        """Tell whether it was heard a moment ago, in this boot: the cloud repeats itself several times a minute."""
        return self.heard_boot_id == now.boot_id and now.boot_ms - self.heard_boot_ms < FRESH_MS


def add(db: Connection, values: dict[str, Any], wishes: Iterable[Wish]) -> int:
    """Insert an entry that waits; return its number, the next one unless ``values`` name it."""
    row = waiting.insert().values(**{"state": "waiting", "contact": "", "passed": 0, "rounds": 0, **values})
    number = int(db.execute(row.returning(waiting.c.number)).scalar_one())
    db.execute(wish.insert(), [{"number": number, **msgspec.structs.asdict(each)} for each in wishes])
    return number


def find(db: Connection, entry: str) -> Row[Any] | None:
    """Return an entry."""
    return _FIND.first(db, entry_=entry)


def numbered(db: Connection, number: int) -> bool:
    """Return whether an entry has this number."""
    return db.execute(select(waiting.c.number).where(waiting.c.number == number)).first() is not None


def wishes(db: Connection, number: int) -> tuple[Wish, ...]:
    """Return what an entry wants, in a stable order."""
    rows = db.execute(select(wish).where(wish.c.number == number).order_by(wish.c.ticket_type))
    return tuple(Wish(row.ticket_type, row.quantity) for row in rows)


def change(db: Connection, number: int, **values: Any) -> None:
    """Set columns of an entry."""
    db.execute(update(waiting).where(waiting.c.number == number).values(**values))


def rows_waiting(db: Connection, quotas: Iterable[str] | None = None) -> list[Row[Any]]:
    """Return the entries that wait (for these quotas), in the order they joined."""
    if quotas is None:
        return _WAITING.all(db)
    return _WAITING_FOR.all(db, quotas=list(quotas))


def entry_of(row: Row[Any]) -> Waiting:
    """Return an entry as the rule knows it."""
    return Waiting(row.entry, row.quantity, rounds=row.rounds, passed=row.passed)


def rows_open(db: Connection) -> list[Row[Any]]:
    """Return every entry that has not ended."""
    return list(db.execute(select(waiting).where(_IS_OPEN).order_by(waiting.c.number)))


def open_of(db: Connection, client: str) -> list[Row[Any]]:
    """Return a client's entries that have not ended, newest first."""
    mine = select(waiting).where(waiting.c.client == client, _IS_OPEN)
    return list(db.execute(mine.order_by(waiting.c.number.desc())))


def open_by_address(db: Connection, quota: str) -> Counter[str]:
    """Return how many entries of a quota have not ended, per address."""
    query = select(waiting.c.address, func.count().label("number")).where(waiting.c.quota == quota, _IS_OPEN)
    return Counter({row.address: row.number for row in db.execute(query.group_by(waiting.c.address))})


def open_per_quota(db: Connection) -> dict[str, int]:
    """Return how many entries of each quota have not ended."""
    query = select(waiting.c.quota, func.count().label("number")).where(_IS_OPEN).group_by(waiting.c.quota)
    return {row.quota: row.number for row in db.execute(query)}


def offers_without_stock(db: Connection) -> list[Row[Any]]:
    """Return entries whose offer is backed by an allocation of an earlier epoch."""
    backed = exists().where(
        hold_item.c.hold == waiting.c.hold,
        hold_item.c.quota == allocation.c.quota,
        hold_item.c.epoch == allocation.c.epoch,
        allocation.c.current,
    )
    return list(db.execute(select(waiting).where(waiting.c.state == "offered", ~backed)))


def told(db: Connection, quotas: Iterable[str] | None = None) -> dict[str, Told]:
    """Return the lines the cloud told, of these quotas or all; a quota nobody waits for has none."""
    rows = _LINES.all(db) if quotas is None else _LINES_OF.all(db, quotas=list(quotas))
    return {row.quota: Told(_LINE.decode(row.line), row.longer, row.heard_boot_id, row.heard_boot_ms) for row in rows}


def put_told(db: Connection, quota: str, line: Sequence[InLine], longer: int, now: Now) -> None:
    """Write a line as the cloud told it just now."""
    if not line and not longer:
        db.execute(waitlist_line.delete().where(waitlist_line.c.quota == quota))
        return
    values = {"line": msgspec.json.encode(line), "longer": longer}
    values |= {"heard_boot_id": now.boot_id, "heard_boot_ms": now.boot_ms}
    row = insert(waitlist_line).values(quota=quota, **values)
    db.execute(row.on_conflict_do_update(index_elements=["quota"], set_=values))


def drop_ended(db: Connection, before_ms: int) -> None:
    """Delete entries that ended before then."""
    old = select(waiting.c.number).where(~_IS_OPEN, waiting.c.ended_at_ms < before_ms)
    db.execute(wish.delete().where(wish.c.number.in_(old)))
    db.execute(waiting.delete().where(~_IS_OPEN, waiting.c.ended_at_ms < before_ms))
