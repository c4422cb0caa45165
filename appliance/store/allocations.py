"""What this device may sell, row by row."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Row, bindparam, func, select, update
from sqlalchemy.dialects.sqlite import insert

from appliance.domain.inventory import Shelf
from appliance.store.tables import allocation
from mqtt_bridge.protocol.messages import Granted, StockCount
from mqtt_bridge.protocol.stock import Totals


def _totals(row: Row[tuple[object, ...]]) -> Totals:
    return Totals(row.granted, row.confirmed, row.returned, row.sold, row.cancelled)


# Statements of the hot path are built once: building one costs as much as running it.
_SHELVES = select(allocation).where(allocation.c.current)
_SHELVES_OF = _SHELVES.where(allocation.c.quota.in_(bindparam("quotas", expanding=True)))
_COUNT = select(allocation).where(allocation.c.quota == bindparam("of"), allocation.c.epoch == bindparam("in_epoch"))
_ADD = (
    update(allocation)
    .where(allocation.c.quota == bindparam("of"), allocation.c.epoch == bindparam("in_epoch"))
    .values(
        held=allocation.c.held + bindparam("more_held"),
        sold=allocation.c.sold + bindparam("more_sold"),
        cancelled=allocation.c.cancelled + bindparam("more_cancelled"),
        returned=allocation.c.returned + bindparam("more_returned"),
    )
)


def shelves(db: Connection, quotas: Iterable[str] | None = None) -> dict[str, Shelf]:
    """Return the current shelf per quota (all, or those asked for); a quota never granted here has none."""
    rows = db.execute(_SHELVES) if quotas is None else db.execute(_SHELVES_OF, {"quotas": list(quotas)})
    return {
        row.quota: Shelf(row.quota, row.epoch, _totals(row), row.held, row.elsewhere if row.as_of_ms else None)
        for row in rows
    }


def count(db: Connection, quota: str, epoch: int) -> StockCount | None:
    """Return this device's own totals of one quota and epoch as they travel; None if it never had any."""
    row = db.execute(_COUNT, {"of": quota, "in_epoch": epoch}).first()
    return None if row is None else StockCount(quota, epoch, _totals(row), row.held)


def counts(db: Connection) -> tuple[StockCount, ...]:
    """Return the totals of every quota and epoch."""
    rows = db.execute(select(allocation).order_by(allocation.c.quota, allocation.c.epoch))
    return tuple(StockCount(row.quota, row.epoch, _totals(row), row.held) for row in rows)


def add(
    db: Connection, quota: str, epoch: int, *, held: int = 0, sold: int = 0, cancelled: int = 0, returned: int = 0
) -> None:
    """Add to the device's own totals; only ``held`` may be negative. An epoch unknown here has nothing to add to."""
    more = {"more_held": held, "more_sold": sold, "more_cancelled": cancelled, "more_returned": returned}
    db.execute(_ADD, {"of": quota, "in_epoch": epoch, **more})


def merge_grant(db: Connection, grant: Granted, as_of_ms: int) -> bool:
    """Merge the cloud's totals by max and take its knowledge of the rest; return whether more was granted.

    A grant answers what was wanted. Which epoch is current is decided by ``choose_epoch``.
    """
    key = (allocation.c.quota == grant.quota) & (allocation.c.epoch == grant.epoch)
    before = db.execute(select(allocation.c.granted, allocation.c.confirmed).where(key)).first()
    known = {"elsewhere": grant.elsewhere, "quota_limit": grant.limit, "as_of_ms": as_of_ms}
    if before is None:
        totals = {"granted": grant.granted, "confirmed": grant.confirmed}
        db.execute(insert(allocation).values(quota=grant.quota, epoch=grant.epoch, current=False, **totals, **known))
        return True
    more = bool(grant.granted > before.granted)
    totals = {"granted": max(grant.granted, before.granted), "confirmed": max(grant.confirmed, before.confirmed)}
    answered = {"wanted": 0, "refused_boot_ms": None} if more else {}
    db.execute(update(allocation).where(key).values(**totals, **known, **answered))
    return more


def ensure(db: Connection, quota: str, epoch: int) -> None:
    """Have a row to count in, also for an epoch whose grants have not arrived yet."""
    row = insert(allocation).values(quota=quota, epoch=epoch, current=False)
    db.execute(row.on_conflict_do_nothing())


def merge_confirmed(db: Connection, quota: str, epoch: int, confirmed: int) -> None:
    """Take the cloud's total of confirmed requests, also of an epoch that was granted nothing (yet)."""
    row = insert(allocation).values(quota=quota, epoch=epoch, current=False, confirmed=confirmed)
    larger = {"confirmed": func.max(allocation.c.confirmed, row.excluded.confirmed)}
    db.execute(row.on_conflict_do_update(index_elements=[allocation.c.quota, allocation.c.epoch], set_=larger))


def choose_epoch(db: Connection, quota: str, epoch: int) -> None:
    """Make ``epoch`` the current one of ``quota`` unless a later one already is."""
    mine = allocation.c.quota == quota
    later = select(allocation.c.epoch).where(mine, allocation.c.current, allocation.c.epoch >= epoch)
    if db.execute(later).first() is None:
        db.execute(update(allocation).where(mine).values(current=False))
        db.execute(update(allocation).where(mine, allocation.c.epoch == epoch).values(current=True))


def forget_current(db: Connection) -> None:
    """Leave every allocation to its old life: nothing may be sold from it any more."""
    db.execute(update(allocation).values(current=False, wanted=0, refused_boot_ms=None))


def want(db: Connection, quota: str, more: int) -> None:
    """Note that ``more`` tickets are missing right now."""
    db.execute(
        update(allocation)
        .where(allocation.c.quota == quota, allocation.c.current)
        .values(wanted=allocation.c.wanted + more)
    )


def want_nothing(db: Connection) -> None:
    """Forget what was wanted: who waits when the link breaks is refused, and who crashed waits no more."""
    db.execute(update(allocation).where(allocation.c.wanted > 0).values(wanted=0))


def wanted(db: Connection) -> list[tuple[str, int]]:
    """Return (quota, tickets) that somebody waits for."""
    query = select(allocation.c.quota, allocation.c.wanted).where(allocation.c.current, allocation.c.wanted > 0)
    return [(row.quota, row.wanted) for row in db.execute(query.order_by(allocation.c.quota))]


def remember_no(db: Connection, quota: str, boot_ms: int) -> None:
    """Note when asking for more was in vain."""
    db.execute(
        update(allocation)
        .where(allocation.c.quota == quota, allocation.c.current)
        .values(wanted=0, refused_boot_ms=boot_ms)
    )


def asked_in_vain(db: Connection, quota: str) -> int | None:
    """Return when (boot-time) asking for more of ``quota`` was last in vain."""
    query = select(allocation.c.refused_boot_ms).where(allocation.c.quota == quota, allocation.c.current)
    return db.execute(query).scalar()
