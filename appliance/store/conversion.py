"""Rows of visits: how far each phone came with an event, and the totals of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from appliance.store.tables import conversion, visit_hold, visitor


def stage_of(db: Connection, event: str, experiment: str, name: str) -> tuple[str, int]:
    """Return (variant, stage) of a visitor; ("", 0) for one that was never here."""
    c = visitor.c
    row = db.execute(
        select(c.variant, c.stage).where(c.event == event, c.experiment == experiment, c.visitor == name)
    ).first()
    return ("", 0) if row is None else (row.variant, row.stage)


def stages_of(db: Connection, event: str, experiment: str, names: Collection[str]) -> set[str]:
    """Return which of these visitors were here."""
    c = visitor.c
    known = select(c.visitor).where(c.event == event, c.experiment == experiment, c.visitor.in_(list(names)))
    return set(db.execute(known).scalars())


def put_stage(db: Connection, event: str, experiment: str, name: str, variant: str, stage: int) -> None:
    """Write down how far a visitor came."""
    values = {"event": event, "experiment": experiment, "visitor": name, "variant": variant, "stage": stage}
    statement = insert(visitor).values(**values)
    db.execute(
        statement.on_conflict_do_update(
            index_elements=[visitor.c.event, visitor.c.experiment, visitor.c.visitor], set_={"stage": stage}
        )
    )


def count(db: Connection, event: str, experiment: str, variant: str, stages: Iterable[str], phones: int = 1) -> None:
    """Count phones at each of these stages."""
    for stage in stages:
        values = {"event": event, "experiment": experiment, "variant": variant, "stage": stage, "told": 0}
        statement = insert(conversion).values(**values, phones=phones)
        db.execute(
            statement.on_conflict_do_update(
                index_elements=[
                    conversion.c.event,
                    conversion.c.experiment,
                    conversion.c.variant,
                    conversion.c.stage,
                ],
                set_={"phones": conversion.c.phones + phones},
            )
        )


def seen_in_all(db: Connection, event: str) -> int:
    """Return how many phones were counted as having seen an event, whatever it looked like."""
    total = select(func.coalesce(func.sum(conversion.c.phones), 0))
    return int(db.execute(total.where(conversion.c.event == event, conversion.c.stage == "seen")).scalar_one())


def bind(db: Connection, hold: str, event: str, experiment: str, variant: str, name: str) -> None:
    """Remember for whom a hold counts."""
    values = {"hold": hold, "event": event, "experiment": experiment, "variant": variant, "visitor": name}
    db.execute(insert(visit_hold).values(**values))


def of_hold(db: Connection, hold: str) -> list[Row[Any]]:
    """Return for whom a hold counts, by event."""
    return list(db.execute(select(visit_hold).where(visit_hold.c.hold == hold)))


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
