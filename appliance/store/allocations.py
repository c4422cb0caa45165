"""What this device may sell, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select
from sqlalchemy.dialects.sqlite import insert

from appliance.domain.inventory import Shelf
from appliance.store.tables import allocation
from mqtt_bridge.prepared import Prepared, PreparedChange
from mqtt_bridge.protocol.messages import StockCount
from mqtt_bridge.protocol.stock import Totals

# Statements of the hot path are built once: building one costs as much as running it.
_ALL = Prepared(select(allocation).order_by(allocation.c.quota, allocation.c.epoch))
_CURRENT = select(allocation).where(allocation.c.current)
_SHELVES = Prepared(_CURRENT)
_SHELVES_OF = Prepared(_CURRENT.where(allocation.c.quota.in_(bindparam("quotas", expanding=True))))
_OF_QUOTA = Prepared(select(allocation).where(allocation.c.quota == bindparam("of")).order_by(allocation.c.epoch))
_FIND = Prepared(
    select(allocation).where(allocation.c.quota == bindparam("of"), allocation.c.epoch == bindparam("in_epoch"))
)
_ROW = insert(allocation)
_PUT = PreparedChange(
    _ROW.on_conflict_do_update(
        index_elements=[allocation.c.quota, allocation.c.epoch],
        set_={each.name: _ROW.excluded[each.name] for each in allocation.c if not each.primary_key},
    )
)


def _shelf(row: Row[Any]) -> Shelf:
    return Shelf(
        quota=row.quota,
        epoch=row.epoch,
        totals=Totals(row.granted, row.confirmed, row.returned, row.sold, row.cancelled),
        held=row.held,
        elsewhere=row.elsewhere if row.as_of_ms else None,
        limit=row.quota_limit,
        as_of_ms=row.as_of_ms,
        current=row.current,
        wanted=row.wanted,
        refused_boot_ms=row.refused_boot_ms,
    )


def shelves(db: Connection, quotas: Iterable[str] | None = None) -> dict[str, Shelf]:
    """Return the current shelf per quota (all, or those asked for); a quota never granted here has none."""
    rows = _SHELVES.all(db) if quotas is None else _SHELVES_OF.all(db, quotas=list(quotas))
    return {row.quota: _shelf(row) for row in rows}


def every(db: Connection, quota: str | None = None) -> list[Shelf]:
    """Return the shelves of all epochs, of one quota or of all."""
    rows = _ALL.all(db) if quota is None else _OF_QUOTA.all(db, of=quota)
    return [_shelf(row) for row in rows]


def find(db: Connection, quota: str, epoch: int) -> Shelf | None:
    """Return the shelf of one quota and epoch; None if this device never had any."""
    row = _FIND.first(db, of=quota, in_epoch=epoch)
    return None if row is None else _shelf(row)


def put(db: Connection, shelf: Shelf) -> None:
    """Write a shelf as it is now."""
    totals = {name: getattr(shelf.totals, name) for name in Totals.__struct_fields__}
    row = {
        "quota": shelf.quota,
        "epoch": shelf.epoch,
        "current": shelf.current,
        "held": shelf.held,
        "elsewhere": shelf.elsewhere or 0,
        "quota_limit": shelf.limit,
        "as_of_ms": shelf.as_of_ms,
        "wanted": shelf.wanted,
        "refused_boot_ms": shelf.refused_boot_ms,
    }
    _PUT.run(db, **row | totals)


def change(db: Connection, quota: str, epoch: int, step: Callable[[Shelf], Shelf]) -> Shelf | None:
    """Read a shelf, write and return what ``step`` makes of it; an epoch unknown here has nothing to change."""
    before = find(db, quota, epoch)
    if before is None:
        return None
    after = step(before)
    if after != before:
        put(db, after)
    return after


def count(db: Connection, quota: str, epoch: int) -> StockCount | None:
    """Return this device's own totals of one quota and epoch as they travel; None if it never had any."""
    shelf = find(db, quota, epoch)
    return None if shelf is None else shelf.count


def counts(db: Connection) -> tuple[StockCount, ...]:
    """Return the totals of every quota and epoch."""
    return tuple(each.count for each in every(db))


def ensure(db: Connection, quota: str, epoch: int) -> None:
    """Have a row to count in, also for an epoch whose grants have not arrived yet."""
    row = insert(allocation).values(quota=quota, epoch=epoch, current=False)
    db.execute(row.on_conflict_do_nothing())


def forget_current(db: Connection) -> None:
    """Leave every allocation to its old life: nothing may be sold from it any more."""
    for shelf in every(db):
        put(db, shelf.old_life())


def want(db: Connection, quota: str, more: int) -> None:
    """Note that ``more`` tickets are missing right now."""
    for shelf in shelves(db, [quota]).values():
        put(db, shelf.want(more))


def want_nothing(db: Connection) -> None:
    """Forget what was wanted: who waits when the link breaks is refused, and who crashed waits no more."""
    for shelf in every(db):
        if shelf.wanted:
            put(db, shelf.want(-shelf.wanted))


def wanted(db: Connection) -> list[tuple[str, int]]:
    """Return (quota, tickets) that somebody waits for."""
    query = select(allocation.c.quota, allocation.c.wanted).where(allocation.c.current, allocation.c.wanted > 0)
    return [(row.quota, row.wanted) for row in db.execute(query.order_by(allocation.c.quota))]


def remember_no(db: Connection, quota: str, boot_ms: int) -> None:
    """Note when asking for more was in vain."""
    for shelf in shelves(db, [quota]).values():
        put(db, shelf.refused(boot_ms))


def asked_in_vain(db: Connection, quota: str) -> int | None:
    """Return when (boot-time) asking for more of ``quota`` was last in vain."""
    query = select(allocation.c.refused_boot_ms).where(allocation.c.quota == quota, allocation.c.current)
    return db.execute(query).scalar()
