"""The outboxes of all devices at once: one question for however many of them, where ``mailbox`` asks for each peer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.arrays import columns_of
from mqtt_bridge.cloud.driver import Driver
from mqtt_bridge.cloud.rows import Head, Want
from mqtt_bridge.mailbox import tables as mailbox
from mqtt_bridge.mailbox.rows import Outgoing
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol.messages import Ack

LARGEST_SEQ = 2**31 - 1


class SqlOutboxes:
    """The ``rows.Outboxes`` of one transaction."""

    def __init__(self, db: Connection, driver: Driver | None) -> None:
        self._db = db
        self._driver = driver

    def heads(self) -> list[Head]:
        found = self._db.execute(_HEADS_ON_SQLITE) if self._driver is None else self._driver.rows(_HEADS, ())
        return sorted((Head(*row) for row in found), key=lambda each: (each.peer, each.created_at_ms, each.inc))

    def unacked(self, wants: Sequence[Want]) -> list[tuple[str, Outgoing]]:
        if not wants:
            return []
        if self._driver is None:
            mail = SqlMail(self._db)
            return [
                (each.peer, row) for each in wants for row in mail.unacked(each.peer, each.inc, each.after, each.room)
            ]
        return [(peer, Outgoing(*row)) for peer, *row in self._driver.rows(_UNACKED, columns_of(wants))]

    def acknowledge(self, acks: Sequence[tuple[str, Ack]], wall_ms: int) -> None:
        if not acks:
            return
        rows = [(peer, ack.inc, min(ack.upto, LARGEST_SEQ), wall_ms) for peer, ack in acks]
        if self._driver is not None:
            self._driver.run(_ACKNOWLEDGE, columns_of(rows))
            return
        mail = SqlMail(self._db)
        for peer, inc, upto, at_ms in rows:
            mail.acknowledge(peer, Ack(inc, upto), at_ms)

    def owing(self, peers: Collection[str], kind: str) -> set[str]:
        if not peers:
            return set()
        waits = _OUT.c.acked_at_ms.is_(None), _OUT.c.kind == kind
        return set(self._db.execute(sa.select(_OUT.c.peer).where(*waits, _OUT.c.peer.in_(peers))).scalars())

    def last_seqs(self, peers: Collection[str], inc: str) -> dict[str, int]:
        if not peers:
            return {}
        if self._driver is None:
            mail = SqlMail(self._db)
            return {each: mail.last_seq(each, inc) for each in peers}
        found = dict.fromkeys(peers, 0)
        found.update(self._driver.rows(_LAST, columns_of([(each, inc) for each in peers])))
        return found

    def post(self, rows: Sequence[tuple[str, Outgoing]]) -> None:
        if not rows:
            return
        if self._driver is None:
            self._db.execute(sa.insert(_OUT), [{"peer": peer, **each._asdict()} for peer, each in rows])
        else:
            self._driver.run(_POST, columns_of([(peer, *each) for peer, each in rows]))


_OUT = mailbox.outbox
# From stream to stream through the index of what is unacknowledged: one look for each, however long the backlogs are.
_HEADS = """
WITH RECURSIVE head AS (
    (SELECT peer, inc, seq, created_at_ms FROM outbox WHERE acked_at_ms IS NULL ORDER BY peer, inc, seq LIMIT 1)
    UNION ALL
    SELECT next.peer, next.inc, next.seq, next.created_at_ms FROM head CROSS JOIN LATERAL (
        SELECT o.peer, o.inc, o.seq, o.created_at_ms FROM outbox AS o
        WHERE o.acked_at_ms IS NULL AND (o.peer, o.inc) > (head.peer, head.inc) ORDER BY o.peer, o.inc, o.seq LIMIT 1
    ) AS next
)
SELECT head.peer, head.inc, head.seq, head.created_at_ms
FROM head JOIN device ON device.name = head.peer AND device.link_up
"""
_FIRST = (
    sa.select(_OUT.c.peer, _OUT.c.inc, sa.func.min(_OUT.c.seq).label("seq"))
    .where(_OUT.c.acked_at_ms.is_(None))
    .group_by(_OUT.c.peer, _OUT.c.inc)
    .subquery()
)
_HEADS_ON_SQLITE = (
    sa.select(_OUT.c.peer, _OUT.c.inc, _OUT.c.seq, _OUT.c.created_at_ms)
    .join(_FIRST, sa.and_(*(_OUT.c[name] == _FIRST.c[name] for name in ("peer", "inc", "seq"))))
    .join(t.device, t.device.c.name == _OUT.c.peer)
    .where(t.device.c.link_up)
)
_UNACKED = """
SELECT w.peer, o.inc, o.seq, o.kind, o.envelope, o.created_at_ms
FROM unnest(CAST(%s AS text[]), CAST(%s AS text[]), CAST(%s AS integer[]), CAST(%s AS integer[]))
    WITH ORDINALITY AS w(peer, inc, after, room, place)
CROSS JOIN LATERAL (
    SELECT * FROM outbox
    WHERE peer = w.peer AND inc = w.inc AND seq > w.after AND acked_at_ms IS NULL ORDER BY seq LIMIT w.room
) AS o
ORDER BY w.place, o.seq
"""
_ACKNOWLEDGE = """
UPDATE outbox AS o SET acked_at_ms = a.at_ms
FROM unnest(CAST(%s AS text[]), CAST(%s AS text[]), CAST(%s AS integer[]), CAST(%s AS bigint[]))
    AS a(peer, inc, upto, at_ms)
WHERE o.peer = a.peer AND o.inc = a.inc AND o.seq <= a.upto AND o.acked_at_ms IS NULL
"""
_LAST = """
SELECT w.peer, o.seq FROM unnest(CAST(%s AS text[]), CAST(%s AS text[])) AS w(peer, inc)
CROSS JOIN LATERAL (SELECT seq FROM outbox WHERE peer = w.peer AND inc = w.inc ORDER BY seq DESC LIMIT 1) AS o
"""
_POST = """
INSERT INTO outbox (peer, inc, seq, kind, envelope, created_at_ms)
SELECT * FROM unnest(CAST(%s AS text[]), CAST(%s AS text[]), CAST(%s AS integer[]), CAST(%s AS text[]),
    CAST(%s AS bytea[]), CAST(%s AS bigint[]))
"""
