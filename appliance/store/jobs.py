"""Rows of the print spool."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Row, and_, func, or_, select, update

from appliance.domain.clock import Now
from appliance.store.tables import print_job
from mqtt_bridge.prepared import Prepared, PreparedChange

_WAITS = or_(print_job.c.state == "queued", and_(print_job.c.state == "failed", print_job.c.given_up.is_(False)))

_ADD = PreparedChange(print_job.insert())
_NEW = Prepared(select(func.last_insert_rowid(type_=Integer)))
_NEXT = {
    failed_only: Prepared(
        select(print_job)
        .where(and_(_WAITS, print_job.c.state == "failed") if failed_only else _WAITS)
        .order_by(print_job.c.id)
        .limit(1)
    )
    for failed_only in (False, True)
}


def add(db: Connection, kind: str, document: bytes, now: Now, reprint_of: int | None, *, training: bool = False) -> int:
    """Queue a job; return its id."""
    _ADD.run(
        db,
        kind=kind,
        document=document,
        state="queued",
        reprint_of=reprint_of,
        created_at_ms=now.wall_ms,
        changed_at_ms=now.wall_ms,
        training=training,
        made_boot_id=now.boot_id,
        made_boot_ms=now.boot_ms,
    )
    return int(_NEW.scalar(db))


def find(db: Connection, job: int) -> Row[Any] | None:
    """Return a job."""
    return db.execute(select(print_job).where(print_job.c.id == job)).first()


def queued(db: Connection) -> list[Row[Any]]:
    """Return the jobs that no printer had yet, oldest first."""
    return list(db.execute(select(print_job).where(print_job.c.state == "queued").order_by(print_job.c.id)))


def next_for(db: Connection, *, failed_only: bool) -> Row[Any] | None:
    """Return the oldest job that waits; with ``failed_only`` the oldest that some printer could not take."""
    return _NEXT[failed_only].first(db)


def waiting_copy(db: Connection, job: int) -> Row[Any] | None:
    """Return the copy of a job that no printer took yet."""
    return db.execute(select(print_job).where(print_job.c.reprint_of == job, _WAITS).limit(1)).first()


def practised(db: Connection, document: bytes) -> int | None:
    """Return the first job made in training with this document."""
    query = select(func.min(print_job.c.id)).where(print_job.c.training, print_job.c.document == document)
    return db.execute(query).scalar()


def change(db: Connection, job: int, **values: Any) -> None:
    """Set columns of a job."""
    db.execute(update(print_job).where(print_job.c.id == job).values(**values))


def fail_queued(db: Connection, printer: str, reason: str, at_ms: int) -> int:
    """Mark every queued job as failed at ``printer``; return how many."""
    values = {"state": "failed", "printer": printer, "reason": reason, "given_up": False, "changed_at_ms": at_ms}
    return db.execute(update(print_job).where(print_job.c.state == "queued").values(**values)).rowcount


def give_up_old(db: Connection, now: Now, stub_kept_ms: int, kept_ms: int, reason: str) -> None:
    """Give up what waits and was made longer ago than that, stubs sooner than the rest.

    The age of what was made since this boot is certain; the rest has one only where the wall clock is trusted.
    """
    old = or_(_older(now, kept_ms), and_(print_job.c.kind == "stub", _older(now, stub_kept_ms)))
    values = {"state": "failed", "given_up": True, "reason": reason, "changed_at_ms": now.wall_ms}
    db.execute(update(print_job).where(_WAITS, old).values(**values))


def _older(now: Now, age_ms: int) -> ColumnElement[bool]:
    since_boot = and_(print_job.c.made_boot_id == now.boot_id, print_job.c.made_boot_ms < now.boot_ms - age_ms)
    if not now.trusted:
        return since_boot
    before = and_(print_job.c.made_boot_id != now.boot_id, print_job.c.created_at_ms < now.wall_ms - age_ms)
    return or_(since_boot, before)


def with_text(db: Connection, kind: str, text: str) -> list[Row[Any]]:
    """Return the jobs of a kind with a text in them that are or may come on paper and repeat no other, oldest first."""
    c = print_job.c
    # Of documents to search there are few, of other rows a week's: the kind comes first.
    query = select(print_job).where(c.kind == kind, c.reprint_of.is_(None), ~and_(c.state == "failed", c.given_up))
    return list(db.execute(query.where(func.instr(c.document, text.encode()) > 0).order_by(c.id)))


def in_state(db: Connection, state: str) -> list[int]:
    """Return ids of the jobs in a state."""
    return list(db.execute(select(print_job.c.id).where(print_job.c.state == state)).scalars())


def recent(db: Connection, limit: int) -> list[Row[Any]]:
    """Return the latest jobs, newest first."""
    return list(db.execute(select(print_job).order_by(print_job.c.id.desc()).limit(limit)))


def drop_before(db: Connection, made_before_ms: int) -> None:
    """Delete jobs that are over and were made before."""
    db.execute(
        print_job.delete().where(print_job.c.created_at_ms < made_before_ms, ~_WAITS, print_job.c.state != "sending")
    )


def drop_with_names(db: Connection) -> None:
    """Delete the jobs that show people's names and are over; which names no query can tell."""
    named = print_job.c.kind.in_(("badge", "door_list", "staff_badge"))
    db.execute(print_job.delete().where(named, ~_WAITS, print_job.c.state != "sending"))
