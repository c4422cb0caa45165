"""Rows of visits: how far each phone came with an event, and the totals of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from appliance.store.tables import conversion, visit_hold, visitor
from mqtt_bridge.prepared import Prepared, PreparedChange

# Every hold reads and writes these: built once, as all of the hot path.
_MINE = (
    visitor.c.event == bindparam("event_"),
    visitor.c.experiment == bindparam("experiment_"),
    visitor.c.visitor == bindparam("visitor_"),
)
_STAGE = Prepared(select(visitor.c.variant, visitor.c.stage).where(*_MINE))
_ADD_STAGE = insert(visitor)
_PUT_STAGE = PreparedChange(
    _ADD_STAGE.on_conflict_do_update(
        index_elements=["event", "experiment", "visitor"], set_={"stage": _ADD_STAGE.excluded.stage}
    )
)
_ADD_PHONES = insert(conversion)
_COUNT = PreparedChange(
    _ADD_PHONES.on_conflict_do_update(
        index_elements=["event", "experiment", "variant", "stage"],
        set_={"phones": conversion.c.phones + _ADD_PHONES.excluded.phones},
    )
)
_SEEN = Prepared(
    select(func.coalesce(func.sum(conversion.c.phones), 0).label("phones")).where(
        conversion.c.event == bindparam("event_"), conversion.c.stage == "seen"
    )
)
_BIND = PreparedChange(insert(visit_hold))
_OF_HOLD = Prepared(select(visit_hold).where(visit_hold.c.hold == bindparam("hold_")))


def stage_of(db: Connection, event: str, experiment: str, name: str) -> tuple[str, int]:
    """Return (variant, stage) of a visitor; ("", 0) for one that was never here."""
    row = _STAGE.first(db, event_=event, experiment_=experiment, visitor_=name)
    return ("", 0) if row is None else (row.variant, row.stage)


def stages_of(db: Connection, event: str, experiment: str, names: Collection[str]) -> set[str]:
    """Return which of these visitors were here."""
    c = visitor.c
    known = select(c.visitor).where(c.event == event, c.experiment == experiment, c.visitor.in_(list(names)))
    return set(db.execute(known).scalars())


def put_stage(db: Connection, event: str, experiment: str, name: str, variant: str, stage: int) -> None:
    """Write down how far a visitor came."""
    _PUT_STAGE.run(db, event=event, experiment=experiment, visitor=name, variant=variant, stage=stage)


def count(db: Connection, event: str, experiment: str, variant: str, stages: Iterable[str], phones: int = 1) -> None:
    """Count phones at each of these stages."""
    for stage in stages:
        key = {"event": event, "experiment": experiment, "variant": variant, "stage": stage}
        _COUNT.run(db, **key, phones=phones, told=0)


def seen_in_all(db: Connection, event: str) -> int:
    """Return how many phones were counted as having seen an event, whatever it looked like."""
    return int(_SEEN.scalar(db, event_=event) or 0)


def bind(db: Connection, hold: str, event: str, experiment: str, variant: str, name: str) -> None:
    """Remember for whom a hold counts."""
    _BIND.run(db, hold=hold, event=event, experiment=experiment, variant=variant, visitor=name)


def of_hold(db: Connection, hold: str) -> list[Row[Any]]:
    """Return for whom a hold counts, by event."""
    return _OF_HOLD.all(db, hold_=hold)


def totals(db: Connection) -> list[Row[Any]]:
    """Return every total."""
    c = conversion.c
    return list(db.execute(select(conversion).order_by(c.event, c.experiment, c.variant, c.stage)))


def untold(db: Connection, most: int) -> list[Row[Any]]:
    """Return totals that grew since the cloud was told."""
    c = conversion.c
    grown = select(conversion).where(c.phones > c.told).order_by(c.event, c.experiment, c.variant, c.stage)
    return list(db.execute(grown.limit(most)))


def set_told(db: Connection, rows: Iterable[Row[Any]]) -> None:
    """Write down that the cloud was told these totals."""
    c = conversion.c
    for row in rows:
        this = (c.event == row.event, c.experiment == row.experiment, c.variant == row.variant, c.stage == row.stage)
        db.execute(update(conversion).where(*this).values(told=row.phones))


def events(db: Connection) -> set[str]:
    """Return the events of which visitors are remembered."""
    return set(db.execute(select(visitor.c.event).distinct()).scalars())


def forget(db: Connection, events: Collection[str]) -> None:
    """Drop who visited these events; the totals stay."""
    for table in (visitor, visit_hold):
        db.execute(delete(table).where(table.c.event.in_(list(events))))
