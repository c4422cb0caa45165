"""The mailbox's rows in tables, on SQLite or PostgreSQL."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import BindParameter, Connection, Insert, Integer, and_, bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import sqlite

from mqtt_bridge.mailbox.rows import Outgoing
from mqtt_bridge.mailbox.tables import inbox, inbox_early, outbox
from mqtt_bridge.prepared import Prepared, PreparedChange
from mqtt_bridge.protocol.messages import Ack

# Statements are built once: building one costs as much as running it.
_PEER: BindParameter[str] = bindparam("peer_")
_INC: BindParameter[str] = bindparam("inc_")
_SEQ: BindParameter[int] = bindparam("seq_")
_AT: BindParameter[int] = bindparam("at_ms")
_LIMIT: BindParameter[int] = bindparam("limit_", type_=Integer)
_OURS = and_(outbox.c.peer == _PEER, outbox.c.inc == _INC)
_WAITING = and_(outbox.c.peer == _PEER, outbox.c.acked_at_ms.is_(None))
_PUT = PreparedChange(insert(outbox))
_LAST = Prepared(select(func.max(outbox.c.seq)).where(_OURS))
_LAST_ENVELOPE = Prepared(select(outbox.c.envelope).where(_OURS).order_by(outbox.c.seq.desc()).limit(1))
# The first row of the next incarnation: one look into the index for each, however long the backlog is.
_NEXT_STREAM = Prepared(
    select(outbox.c.inc, outbox.c.seq, outbox.c.created_at_ms)
    .where(_WAITING, outbox.c.inc > _INC)
    .order_by(outbox.c.inc, outbox.c.seq)
    .limit(1)
)
_INCARNATIONS = select(outbox.c.inc).where(outbox.c.peer == _PEER).distinct().order_by(outbox.c.inc)
_UNACKED = (
    select(outbox.c.inc, outbox.c.seq, outbox.c.kind, outbox.c.envelope, outbox.c.created_at_ms)
    .where(_WAITING, outbox.c.inc == _INC, outbox.c.seq > _SEQ)
    .order_by(outbox.c.seq)
)
_ALL_UNACKED = Prepared(_UNACKED)
_SOME_UNACKED = Prepared(_UNACKED.limit(_LIMIT))
_ACKNOWLEDGE = PreparedChange(
    update(outbox).where(_WAITING, outbox.c.inc == _INC, outbox.c.seq <= _SEQ).values(acked_at_ms=_AT)
)
_REWIND = update(outbox).where(_OURS, outbox.c.seq > _SEQ, outbox.c.acked_at_ms.is_not(None)).values(acked_at_ms=None)
_BACKLOG = select(func.count(), func.min(outbox.c.created_at_ms)).where(_WAITING)
_NEWEST = (
    select(func.max(outbox.c.seq).label("seq"), outbox.c.inc)
    .where(outbox.c.peer == _PEER)
    .group_by(outbox.c.inc)
    .subquery()
)
_KEEP = select(_NEWEST.c.seq).where(_NEWEST.c.inc == outbox.c.inc).scalar_subquery()
_PRUNE = delete(outbox).where(outbox.c.peer == _PEER, outbox.c.acked_at_ms < _AT, outbox.c.seq < _KEEP)
_UPTO = select(inbox.c.upto).where(inbox.c.peer == _PEER, inbox.c.inc == _INC)
_UPTO_LOCKED = _UPTO.with_for_update()
_ADVANCE = (
    update(inbox)
    .where(inbox.c.peer == _PEER, inbox.c.inc == _INC, inbox.c.upto < _SEQ)
    .values(upto=_SEQ, updated_at_ms=_AT)
)
_ADVANCED_LAST = (
    select(inbox.c.inc, inbox.c.upto)
    .where(inbox.c.peer == _PEER)
    .order_by(inbox.c.updated_at_ms.desc(), inbox.c.inc.desc())
    .limit(1)
)
_THEIRS = and_(inbox_early.c.peer == _PEER, inbox_early.c.inc == _INC)
_EARLY = select(inbox_early.c.envelope).where(_THEIRS, inbox_early.c.seq == _SEQ)
_KEEP_EARLY = insert(inbox_early)
_FORGET_EARLY = delete(inbox_early).where(_THEIRS, inbox_early.c.seq <= _SEQ)


@functools.cache
def _begin(dialect: str) -> Insert:
    """Begin a sender's row unless it is there."""
    if dialect == "sqlite":
        return sqlite.insert(inbox).on_conflict_do_nothing()
    # A device does without what speaks to PostgreSQL: two megabytes in each process.
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(inbox).on_conflict_do_nothing()


class SqlMail:
    """The ``Mail`` of an open transaction on a database that has the tables of ``mailbox.tables``."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def next_seq(self, peer: str, inc: str) -> int:
        if self._db.dialect.name == "postgresql":  # SQLite has one writer; here another one could take the same number
            self._db.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"outbox {peer}"))))
        return self.last_seq(peer, inc) + 1

    def last_seq(self, peer: str, inc: str) -> int:
        return _LAST.scalar(self._db, peer_=peer, inc_=inc) or 0

    def last_envelope(self, peer: str, inc: str) -> bytes | None:
        found: bytes | None = _LAST_ENVELOPE.scalar(self._db, peer_=peer, inc_=inc)
        return found

    def put(self, peer: str, row: Outgoing) -> None:
        _PUT.run(self._db, peer=peer, **row._asdict())

    def streams(self, peer: str) -> dict[str, int]:
        found, inc = [], ""
        while (row := _NEXT_STREAM.first(self._db, peer_=peer, inc_=inc)) is not None:
            inc = row.inc
            found.append((row.created_at_ms, inc, row.seq - 1))
        return {inc: acked for _, inc, acked in sorted(found)}

    def incarnations(self, peer: str) -> list[str]:
        return list(self._db.execute(_INCARNATIONS, {"peer_": peer}).scalars())

    def unacked(self, peer: str, inc: str, after_seq: int = 0, limit: int | None = None) -> list[Outgoing]:
        after = {"peer_": peer, "inc_": inc, "seq_": after_seq}
        rows = (
            _ALL_UNACKED.all(self._db, **after) if limit is None else _SOME_UNACKED.all(self._db, **after, limit_=limit)
        )
        return list(map(Outgoing._make, rows))

    def acknowledge(self, peer: str, ack: Ack, wall_ms: int) -> int:
        return _ACKNOWLEDGE.run(self._db, peer_=peer, inc_=ack.inc, seq_=ack.upto, at_ms=wall_ms)

    def rewind(self, peer: str, ack: Ack) -> int:
        return self._count(_REWIND, peer_=peer, inc_=ack.inc, seq_=ack.upto)

    def backlog(self, peer: str) -> tuple[int, int]:
        count, oldest = self._db.execute(_BACKLOG, {"peer_": peer}).one()
        return count, oldest or 0

    def prune(self, peer: str, before_ms: int) -> int:
        return self._count(_PRUNE, peer_=peer, at_ms=before_ms)

    def received(self, peer: str, inc: str) -> int:
        return self._scalar(_UPTO, peer_=peer, inc_=inc) or 0

    def lock_stream(self, peer: str, inc: str, wall_ms: int) -> int:
        upto = self._scalar(_UPTO_LOCKED, peer_=peer, inc_=inc)
        if upto is None:
            row = {"peer": peer, "inc": inc, "upto": 0, "updated_at_ms": wall_ms}
            self._db.execute(_begin(self._db.dialect.name), row)
            upto = self._scalar(_UPTO_LOCKED, peer_=peer, inc_=inc)
        return upto or 0

    def advance(self, peer: str, ack: Ack, wall_ms: int) -> None:
        self._db.execute(_ADVANCE, {"peer_": peer, "inc_": ack.inc, "seq_": ack.upto, "at_ms": wall_ms})

    def newest(self, peer: str) -> Ack:
        row = self._db.execute(_ADVANCED_LAST, {"peer_": peer}).first()
        return Ack("", 0) if row is None else Ack(row.inc, row.upto)

    def early(self, peer: str, inc: str, seq: int) -> bytes | None:
        found: bytes | None = self._db.execute(_EARLY, {"peer_": peer, "inc_": inc, "seq_": seq}).scalar()
        return found

    def keep_early(self, peer: str, inc: str, seq: int, envelope: bytes) -> None:
        if self.early(peer, inc, seq) is None:
            self._db.execute(_KEEP_EARLY, {"peer": peer, "inc": inc, "seq": seq, "envelope": envelope})

    def forget_early(self, peer: str, inc: str, upto: int) -> None:
        self._db.execute(_FORGET_EARLY, {"peer_": peer, "inc_": inc, "seq_": upto})

    def step(self) -> AbstractContextManager[object]:
        return self._db.begin_nested()

    def _scalar(self, query: Any, **values: Any) -> int | None:
        found: int | None = self._db.execute(query, values).scalar()
        return found

    def _count(self, change: Any, **values: Any) -> int:
        return int(self._db.execute(change, values).rowcount)
