"""The outbox: number, sign and keep messages until the receiver's own ack."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, update

from mqtt_bridge.mailbox.tables import outbox
from mqtt_bridge.protocol.codec import VERSION, Signer, decode, encode, private_hash, seal_envelope
from mqtt_bridge.protocol.messages import Ack, Content, Downlink, Envelope, Private, Uplink

_ALL = 2**31 - 1


class Outgoing(NamedTuple):
    """A row of the outbox, ready to be published."""

    inc: str
    seq: int
    kind: str
    envelope: bytes
    created_at_ms: int


def enqueue(
    db: Connection,
    peer: str,
    inc: str,
    body: Uplink | Downlink,
    *,
    signer: Signer,
    org: str,
    sender: str,
    origin: str,
    wall_ms: int,
    private: Private | None = None,
) -> int:
    """Put a message into the outbox and return its number: 1, 2, 3 ... without gaps within (peer, inc)."""
    if db.dialect.name == "postgresql":  # SQLite has one writer; here another one could take the same number
        db.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"outbox {peer}"))))
    seq = last_seq(db, peer, inc) + 1
    content = Content(
        v=VERSION,
        org=org,
        sender=sender,
        origin=origin,
        inc=inc,
        seq=seq,
        body=body,
        wall_ms=wall_ms,
        private_hash=None if private is None else private_hash(private),
    )
    envelope = encode(seal_envelope(content, signer, private))
    kind = type(body).__name__
    row = {"peer": peer, "inc": inc, "seq": seq, "kind": kind, "envelope": envelope, "created_at_ms": wall_ms}
    db.execute(insert(outbox).values(row))
    return seq


def last_seq(db: Connection, peer: str, inc: str) -> int:
    """Return the highest number ever given within (peer, inc), 0 before the first."""
    newest = select(func.max(outbox.c.seq)).where(outbox.c.peer == peer, outbox.c.inc == inc)
    return db.execute(newest).scalar() or 0


def streams(db: Connection, peer: str) -> dict[str, int]:
    """Return, per incarnation with something unacked, the number before its first unacked message.

    Oldest first. A device that began a new incarnation still delivers what the last one left.
    """
    first = func.min(outbox.c.seq)
    waiting = (
        select(outbox.c.inc, first)
        .where(outbox.c.peer == peer, outbox.c.acked_at_ms.is_(None))
        .group_by(outbox.c.inc)
        .order_by(func.min(outbox.c.created_at_ms), outbox.c.inc)
    )
    return {inc: seq - 1 for inc, seq in db.execute(waiting)}


def unacked(
    db: Connection, peer: str, after_seq: int = 0, limit: int = 64, *, inc: str | None = None
) -> list[Outgoing]:
    """Return at most ``limit`` unacked messages after ``after_seq``, in order; of one incarnation, or one after the other."""
    columns = (outbox.c.inc, outbox.c.seq, outbox.c.kind, outbox.c.envelope, outbox.c.created_at_ms)
    rows = select(*columns).where(outbox.c.peer == peer, outbox.c.acked_at_ms.is_(None), outbox.c.seq > after_seq)
    if inc is not None:
        rows = rows.where(outbox.c.inc == inc)
    return [Outgoing(*row) for row in db.execute(rows.order_by(outbox.c.inc, outbox.c.seq).limit(limit))]


def acknowledge(db: Connection, peer: str, ack: Ack, wall_ms: int) -> int:
    """Mark everything up to ``ack.upto`` as committed at the receiver and return how many rows that was new for."""
    rows = (outbox.c.peer == peer, outbox.c.inc == ack.inc, outbox.c.seq <= ack.upto, outbox.c.acked_at_ms.is_(None))
    return db.execute(update(outbox).where(*rows).values(acked_at_ms=wall_ms)).rowcount


def rewind(db: Connection, peer: str, ack: Ack) -> int:
    """Send again what the peer says it no longer has (it lost its database); return how many messages that is."""
    rows = (outbox.c.peer == peer, outbox.c.inc == ack.inc, outbox.c.seq > ack.upto, outbox.c.acked_at_ms.is_not(None))
    return db.execute(update(outbox).where(*rows).values(acked_at_ms=None)).rowcount


def carry_over(db: Connection, peer: str, old_inc: str, new_inc: str, *, signer: Signer, wall_ms: int) -> int:
    """Put what ``old_inc`` left unacked into the outbox again as ``new_inc``, in order, and return how many that is.

    For a device that begins a new incarnation: under the old one, numbers that an earlier copy of its database used too would
    count as delivered. The receiver may get a fact twice this way; facts carry their own ids and totals merge by maximum.
    """
    count = 0
    for row in unacked(db, peer, limit=_ALL, inc=old_inc):
        envelope = decode(row.envelope, Envelope)
        told = decode(envelope.content, Content)
        names = {"org": told.org, "sender": told.sender, "origin": told.origin}
        enqueue(db, peer, new_inc, told.body, signer=signer, wall_ms=told.wall_ms, private=envelope.private, **names)
        count += 1
    rows = (outbox.c.peer == peer, outbox.c.inc == old_inc, outbox.c.acked_at_ms.is_(None))
    db.execute(update(outbox).where(*rows).values(acked_at_ms=wall_ms))
    return count


def backlog(db: Connection, peer: str) -> tuple[int, int]:
    """Return how many messages wait for an ack and when the oldest was created (ms since the Unix epoch, 0 if none)."""
    waiting = select(func.count(), func.min(outbox.c.created_at_ms))
    count, oldest = db.execute(waiting.where(outbox.c.peer == peer, outbox.c.acked_at_ms.is_(None))).one()
    return count, oldest or 0


def prune(db: Connection, peer: str, before_ms: int) -> int:
    """Delete messages that were acked before ``before_ms`` and return how many.

    The newest of each incarnation stays, because the next number is counted from it.
    """
    newest = (
        select(func.max(outbox.c.seq).label("seq"), outbox.c.inc)
        .where(outbox.c.peer == peer)
        .group_by(outbox.c.inc)
        .subquery()
    )
    keep = select(newest.c.seq).where(newest.c.inc == outbox.c.inc).scalar_subquery()
    rows = (outbox.c.peer == peer, outbox.c.acked_at_ms < before_ms, outbox.c.seq < keep)
    return db.execute(delete(outbox).where(*rows)).rowcount
