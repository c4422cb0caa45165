"""Forget what nobody can need any more, a portion at a time: what devices acknowledged and the log of what was applied.

Both are kept until some days after the last date of the catalogue, because a device that lost its card hears its messages
again and an old card that turns up is compared with what was applied; never longer than a year. What was verified, and mails that are over, go with them. Orders, tickets, payments and
check-ins are the books and stay. Samples look after themselves, early messages go when their predecessors came.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Table

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.catalogue import current_catalogue
from mqtt_bridge.mailbox.tables import outbox
from mqtt_bridge.protocol.moments import HOUR_MS

DAY_MS = 24 * HOUR_MS
KEPT_MS = 30 * DAY_MS
LONGEST_KEPT_MS = 366 * DAY_MS
# Deleting many rows at once would keep others waiting.
PORTION = 5_000


def prune(db: Connection, wall_ms: int) -> int:
    """Delete a portion of what is too old and return how many rows that were."""
    before_ms = kept_since_ms(db, wall_ms)
    newest = sa.select(sa.func.max(outbox.c.seq).label("seq"), outbox.c.peer, outbox.c.inc)
    last = newest.group_by(outbox.c.peer, outbox.c.inc).subquery()
    same = (last.c.peer == outbox.c.peer, last.c.inc == outbox.c.inc)
    # The newest of a stream stays, because the next number is counted from it.
    told = sa.select(outbox.c.peer, outbox.c.inc, outbox.c.seq).join(last, sa.and_(*same))
    told = told.where(outbox.c.acked_at_ms < before_ms, outbox.c.seq < last.c.seq)
    a = t.applied.c
    applied = sa.select(a.device, a.inc, a.seq).where(a.at_ms < before_ms)
    m, v = t.mail.c, t.verification.c
    mails = sa.select(m.id).where(m.state != "queued", m.state != "sending", m.changed_at_ms < before_ms)
    decided = sa.select(v.order_id).where(v.decided_at_ms < before_ms)
    return (
        _delete(db, outbox, told)
        + _delete(db, t.applied, applied)
        + _delete(db, t.mail, mails)
        + _delete(db, t.verification, decided)
    )


def kept_since_ms(db: Connection, wall_ms: int) -> int:
    """Messages handled before this time may go."""
    ends = [each.ends_at_ms for event in current_catalogue(db).events for each in event.sessions]
    going_on = any(end > wall_ms - KEPT_MS for end in ends)
    return wall_ms - (LONGEST_KEPT_MS if going_on else KEPT_MS)


def _delete(db: Connection, table: Table, old: sa.Select[Any]) -> int:
    key = sa.tuple_(*table.primary_key.columns)
    return db.execute(sa.delete(table).where(key.in_(old.limit(PORTION)))).rowcount
