"""The alarms, for a person to read."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t


@dataclass(frozen=True)
class Alarm:
    """One thing that went wrong, how often, and when first and last (ms)."""

    kind: str
    subject: str
    detail: str
    count: int
    first_at_ms: int
    last_at_ms: int


def alarms(db: Connection, limit: int = 100) -> tuple[Alarm, ...]:
    """The alarms, latest first."""
    columns = [t.alarm.c[name] for name in ("kind", "subject", "detail", "count", "first_at_ms", "last_at_ms")]
    rows = db.execute(sa.select(*columns).order_by(t.alarm.c.last_at_ms.desc(), t.alarm.c.id.desc()).limit(limit))
    return tuple(Alarm(*row) for row in rows)
