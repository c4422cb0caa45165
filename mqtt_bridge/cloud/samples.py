"""The inventory minute by minute, for charts: a few figures per quota and per device, written only when they changed.

Every statement works on sets and repeats harmlessly, so any number of processes may sample at once. Nothing reads a
sample to decide anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.records import SILENT_MS
from mqtt_bridge.protocol.moments import HOUR_MS

EVERY_MS = 60_000
KEPT_MS = 48 * HOUR_MS


@dataclass(frozen=True)
class Sample:
    """Figures from ``at_ms`` on, until the next sample: tickets sold, held, free at devices and in the pool.

    Of a device also the messages it had not synced and whether its link was up.
    """

    at_ms: int
    sold: int
    held: int
    free: int
    pool: int
    unsynced: int
    up: bool


def of_quota(quota: str) -> str:
    """Name the series of a quota."""
    return f"quota:{quota}"


def of_device(device: str) -> str:
    """Name the series of a device, over all its quotas."""
    return f"device:{device}"


def take(db: Connection, wall_ms: int) -> None:
    """Write down what is different from the last sample, at the beginning of this minute; drop what is old."""
    at_ms = wall_ms - wall_ms % EVERY_MS
    _insert(db, _quotas(), at_ms)
    _insert(db, _devices(wall_ms), at_ms)
    db.execute(sa.delete(t.sample).where(t.sample.c.at_ms < wall_ms - KEPT_MS, t.sample.c.superseded))


def oldest_ms(db: Connection) -> int | None:
    """Return when the first sample was taken that is still kept."""
    found: int | None = db.execute(sa.select(sa.func.min(t.sample.c.at_ms))).scalar()
    return found


def read(db: Connection, subjects: Iterable[str], since_ms: int) -> dict[str, list[Sample]]:
    """Return the samples of each series since ``since_ms``, oldest first, led by the one that was true then."""
    wanted = sorted(set(subjects))
    s, before = t.sample.c, t.sample.alias("before").c
    led = sa.select(sa.func.max(before.at_ms)).where(before.subject == s.subject, before.at_ms <= since_ms)
    rows = sa.select(t.sample).where(
        s.subject.in_(wanted), s.at_ms >= sa.func.coalesce(led.scalar_subquery(), since_ms)
    )
    series: dict[str, list[Sample]] = {each: [] for each in wanted}
    for row in db.execute(rows.order_by(s.subject, s.at_ms)):
        figures = (row.at_ms, row.sold, row.held, row.free, row.pool, row.unsynced)
        series[row.subject].append(Sample(*figures, bool(row.up)))
    return series


_FIGURES = ("sold", "held", "free", "pool", "unsynced", "up")


def _quotas() -> sa.Subquery:
    a, q = t.allocation.c, t.quota.c
    unsold = sa.func.coalesce(sa.func.sum(a.granted - a.returned - a.sold + a.cancelled - a.held), 0)
    out = sa.func.coalesce(sa.func.sum(a.granted - a.returned + a.confirmed), 0)
    return (
        sa.select(
            (sa.literal(of_quota("")) + q.id).label("subject"),
            sa.func.coalesce(sa.func.sum(a.sold - a.cancelled + a.confirmed), 0).label("sold"),
            sa.func.coalesce(sa.func.sum(a.held), 0).label("held"),
            unsold.label("free"),
            (q.limit + q.extra - out).label("pool"),
            sa.literal(0).label("unsynced"),
            sa.literal(1).label("up"),
        )
        .select_from(t.quota.outerjoin(t.allocation, a.quota == q.id))
        .where(q.retired.is_(False))
        .group_by(q.id, q.limit, q.extra)
        .subquery("figures")
    )


def _devices(wall_ms: int) -> sa.Subquery:
    a, d = t.allocation.c, t.device.c
    # ``Device.present`` in SQL: they are one rule.
    present = d.link_up & (d.last_seen_ms > wall_ms - SILENT_MS)
    return (
        sa.select(
            (sa.literal(of_device("")) + d.name).label("subject"),
            sa.func.coalesce(sa.func.sum(a.sold - a.cancelled + a.confirmed), 0).label("sold"),
            sa.func.coalesce(sa.func.sum(a.held), 0).label("held"),
            sa.func.coalesce(sa.func.sum(a.granted - a.returned - a.sold + a.cancelled - a.held), 0).label("free"),
            sa.literal(0).label("pool"),
            d.unsynced.label("unsynced"),
            sa.case((present, 1), else_=0).label("up"),
        )
        .select_from(t.device.outerjoin(t.allocation, (a.device == d.name) & (a.epoch == d.epoch)))
        .where(d.inc.is_not(None))
        .group_by(d.name, d.unsynced, d.link_up, d.last_seen_ms)
        .subquery("figures")
    )


def _insert(db: Connection, figures: sa.Subquery, at_ms: int) -> None:
    """Add the figures that differ from the newest sample of their series, and mark the ones they replace."""
    s, f = t.sample.c, figures.c
    newest = sa.and_(s.subject == f.subject, s.superseded.is_(False))
    same = sa.exists().where(newest, *(s[name] == f[name] for name in _FIGURES))
    columns = [f.subject, sa.literal(at_ms), *(f[name] for name in _FIGURES), sa.false()]
    names = ["subject", "at_ms", *_FIGURES, "superseded"]
    insert = postgresql.insert if db.dialect.name == "postgresql" else sqlite.insert
    changed = insert(t.sample).from_select(names, sa.select(*columns).where(~same))
    update = {name: changed.excluded[name] for name in _FIGURES}
    db.execute(changed.on_conflict_do_update(index_elements=["subject", "at_ms"], set_=update))
    later = t.sample.alias("later")
    overtaken = sa.exists().where(later.c.subject == s.subject, later.c.at_ms > s.at_ms)
    db.execute(sa.update(t.sample).where(s.superseded.is_(False), overtaken).values(superseded=True))
