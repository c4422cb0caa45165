"""Outbox and inbox rows; they live in whichever database the caller's transaction is open on."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

# Messages waiting to be sent to ``peer``; a row is deleted only after the receiver's own ack and its retention.
outbox = Table(
    "outbox",
    metadata,
    Column("peer", String, primary_key=True),
    Column("inc", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("envelope", LargeBinary, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("acked_at_ms", BigInteger),
)
# The cloud's migrations make the same in PostgreSQL; to name its dialect here would load it into every process of a device.
Index(
    "outbox_unacked",
    outbox.c.peer,
    outbox.c.inc,
    outbox.c.seq,
    sqlite_where=outbox.c.acked_at_ms.is_(None),
)

# One row per stream we receive: everything of ``inc`` up to ``upto`` was applied and committed.
inbox = Table(
    "inbox",
    metadata,
    Column("peer", String, primary_key=True),
    Column("inc", String, primary_key=True),
    Column("upto", Integer, nullable=False),
    Column("updated_at_ms", BigInteger, nullable=False),
)

# Messages that arrived before their predecessors wait in rows, never in a process.
inbox_early = Table(
    "inbox_early",
    metadata,
    Column("peer", String, primary_key=True),
    Column("inc", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("envelope", LargeBinary, nullable=False),
)
