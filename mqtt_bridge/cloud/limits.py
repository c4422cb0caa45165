"""A quota's limit changed by an operator: the situation from the rows, and the change under the lock on the quota's row.

The catalogue file keeps its own word: an import changes a limit only where the file says something else than it said before.
"""

from __future__ import annotations

from sqlalchemy import Connection

from mqtt_bridge.cloud import price
from mqtt_bridge.cloud.books import Book
from mqtt_bridge.cloud.closed_epochs import doubt_of, net
from mqtt_bridge.cloud.directory import audit, lock
from mqtt_bridge.cloud.price import Holding, LimitPrice, Situation
from mqtt_bridge.cloud.records import Device, Line, Quota
from mqtt_bridge.cloud.rows import Lock
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.database import Database

LARGEST_LIMIT = 1_000_000


class Dearer(Exception):
    """Meanwhile the decision costs more than was shown; ``now`` is its price."""

    def __init__(self, now: LimitPrice) -> None:
        super().__init__("the price has risen meanwhile")
        self.now = now


def situation(work: Work, quota: str, wall_ms: int) -> Situation | None:
    """Return what the cloud knows of a quota, None if there is none of that id.

    What came back from lost devices has lowered what was released of it.
    """
    found = work.of(Quota).get(quota)
    if found is None or found.retired:
        return None
    book = Book(work, found, work.of(Line).where("quota", quota))
    devices = work.of(Device).fetch_all()
    known = {each.name: each for each in devices}
    net(book, known)
    doubt = doubt_of(book.quota.released, book.lines.values(), known)
    holdings = [
        _holding(each, line, wall_ms)
        for each in devices
        if each.status != "sealed" and (line := book.line(each.name, each.epoch)) is not None
    ]
    return Situation(
        limit=book.quota.limit,
        extra=book.quota.extra,
        sold=book.known_sales,
        holdings=tuple(holdings),
        doubt=doubt,
        target=book.quota.target,
    )


def _holding(device: Device, line: Line, wall_ms: int) -> Holding:
    memory = device.outage_memory
    outage_h = memory.hours / memory.count if memory.count else None
    return Holding(device.name, line.unsold, line.held, device.live(wall_ms), outage_h)


def read(db: Connection, quota: str, wall_ms: int) -> Situation | None:
    """Return the situation as of now."""
    return situation(Work(SqlRows(db)), quota, wall_ms)


def change_limit(
    database: Database, quota: str, new: int, who: str, wall_ms: int, *, shown: int | None = None
) -> LimitPrice:
    """Set a quota's limit and return what it cost.

    Raises ``price.Refused`` for what cannot be, ``LookupError`` for an unknown quota and ``Dearer`` if more could be oversold
    than the ``shown`` number that the operator agreed to; then nothing changed.
    """

    def change(db: Connection) -> LimitPrice:
        lock(db)
        work = Work(SqlRows(db))
        # Whoever plans this quota has its row: its limit changes when nobody does.
        work.of(Quota).lock("id", [quota], Lock.ALONE)
        at, row = situation(work, quota, wall_ms), work.of(Quota).get(quota)
        if at is None or row is None:
            raise LookupError(quota)
        if new > LARGEST_LIMIT:
            raise price.Refused(f"a limit is {LARGEST_LIMIT} at most")
        cost = price.limit(at, new)
        if shown is not None and cost.oversold > shown:
            raise Dearer(cost)
        work.of(Quota).change(row, limit=cost.now, target=cost.limit if cost.gap else None)
        work.write()
        before = at.limit if at.target is None else at.target
        audit(db, wall_ms, who, "limit changed", quota, f"{before} -> {new}, {cost.gap} still to come back")
        return cost

    return database.run(change)
