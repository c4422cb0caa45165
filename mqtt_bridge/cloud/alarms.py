"""What a person has to look at: contradictions are listed, never allowed to stop the stream."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t

# Names in a topic are a stranger's choice: beyond this many subjects of one kind the rest is counted in one row.
SUBJECTS_PER_KIND = 200
OTHERS = "(others)"
LONGEST_DETAIL = 2000


@dataclass(frozen=True)
class Alarm:
    """One thing that went wrong, how often, and when first and last (ms)."""

    kind: str
    subject: str
    detail: str
    count: int
    first_at_ms: int
    last_at_ms: int


def raise_alarm(
    db: Connection, kind: str, subject: str, detail: str, wall_ms: int, evidence: bytes | None = None
) -> bool:
    """Add the alarm, or count it again; tells whether this subject was not listed by name. The first evidence is kept."""
    detail = detail[:LONGEST_DETAIL]
    if _again(db, kind, subject, detail, wall_ms):
        return False
    known = db.execute(sa.select(sa.func.count()).where(t.alarm.c.kind == kind)).scalar_one()
    if known >= SUBJECTS_PER_KIND:
        subject, evidence = OTHERS, None
        if _again(db, kind, subject, detail, wall_ms):
            return True
    row = {"kind": kind, "subject": subject, "detail": detail, "evidence": evidence}
    db.execute(sa.insert(t.alarm).values(**row, count=1, first_at_ms=wall_ms, last_at_ms=wall_ms))
    return True


def _again(db: Connection, kind: str, subject: str, detail: str, wall_ms: int) -> bool:
    same = (t.alarm.c.kind == kind) & (t.alarm.c.subject == subject)
    again = sa.update(t.alarm).where(same).values(count=t.alarm.c.count + 1, last_at_ms=wall_ms, detail=detail)
    return db.execute(again).rowcount > 0


def alarms(db: Connection, limit: int = 100) -> tuple[Alarm, ...]:
    """The alarms, latest first."""
    columns = [t.alarm.c[name] for name in ("kind", "subject", "detail", "count", "first_at_ms", "last_at_ms")]
    rows = db.execute(sa.select(*columns).order_by(t.alarm.c.last_at_ms.desc(), t.alarm.c.id.desc()).limit(limit))
    return tuple(Alarm(*row) for row in rows)
