"""The inbox: apply each message once and in order, keep early ones in rows, say how far we got."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Select, delete, insert, select, update

from mqtt_bridge.mailbox.machine import Place, place
from mqtt_bridge.mailbox.tables import inbox, inbox_early
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import Ack, Content, Envelope, Private

MAX_ENVELOPE_BYTES = 256 * 1024

Open = Callable[[Envelope], Content]
Apply = Callable[[Content, Private | None], None]


def receive(db: Connection, peer: str, envelope: bytes, open: Open, apply: Apply, wall_ms: int) -> Ack:
    """Apply a message and the early ones that now follow; return what to acknowledge after COMMIT.

    ``open`` verifies an envelope and raises ``ProtocolError``, ``apply`` changes the caller's rows. Raises ``ProtocolError``
    with nothing changed if the envelope cannot be opened or is not from ``peer``; whatever ``apply`` raises passes through, and
    the caller rolls back: the sender repeats the message.
    """
    content, private = _opened(peer, envelope, open)
    upto = _upto_for_update(db, peer, content.inc, wall_ms)
    where = place(content.seq, upto)
    if where is Place.NEXT:
        apply(content, private)
        upto = content.seq
    elif where is Place.EARLY:
        _keep_early(db, peer, content, envelope)
    drained = _drain(db, peer, content.inc, upto, open, apply)
    _advance(db, peer, Ack(content.inc, drained), wall_ms)
    return Ack(content.inc, drained)


def received(db: Connection, peer: str, inc: str) -> Ack:
    """Return how far the stream ``inc`` of ``peer`` was applied."""
    return Ack(inc, db.execute(_upto(peer, inc)).scalar() or 0)


def _opened(peer: str, envelope: bytes, open: Open) -> tuple[Content, Private | None]:
    if len(envelope) > MAX_ENVELOPE_BYTES:
        msg = f"an envelope of {len(envelope)} bytes is over {MAX_ENVELOPE_BYTES}"
        raise ProtocolError(msg)
    decoded = decode(envelope, Envelope)
    content = open(decoded)
    if content.sender != peer:
        msg = f"{peer} delivered a message signed by {content.sender}"
        raise ProtocolError(msg)
    if content.seq < 1:
        msg = f"messages are numbered from 1, this is {content.seq}"
        raise ProtocolError(msg)
    return content, decoded.private


def _upto_for_update(db: Connection, peer: str, inc: str, wall_ms: int) -> int:
    """Return how far we got, locking the row where several consumers may work on one stream."""
    upto = db.execute(_upto(peer, inc).with_for_update()).scalar()
    if upto is None:
        db.execute(insert(inbox).values(peer=peer, inc=inc, upto=0, updated_at_ms=wall_ms))
    return upto or 0


def _drain(db: Connection, peer: str, inc: str, upto: int, open: Open, apply: Apply) -> int:
    """Apply what was early and now follows; return the highest number applied.

    One that fails is forgotten instead of undoing those before it: it was not acknowledged, comes again, and fails in the open.
    """
    while (envelope := _early(db, peer, inc, upto + 1)) is not None:
        step = db.begin_nested()
        try:
            apply(*_opened(peer, envelope, open))
        except Exception:  # noqa: BLE001  not swallowed: the sender repeats it and then it is the caller's
            step.rollback()
            _forget_early(db, peer, inc, upto + 1)
            break
        step.commit()
        upto += 1
    _forget_early(db, peer, inc, upto)
    return upto


def _upto(peer: str, inc: str) -> Select[int]:
    return select(inbox.c.upto).where(inbox.c.peer == peer, inbox.c.inc == inc)


def _advance(db: Connection, peer: str, ack: Ack, wall_ms: int) -> None:
    row = (inbox.c.peer == peer, inbox.c.inc == ack.inc, inbox.c.upto < ack.upto)
    db.execute(update(inbox).where(*row).values(upto=ack.upto, updated_at_ms=wall_ms))


def _early(db: Connection, peer: str, inc: str, seq: int) -> bytes | None:
    row = (inbox_early.c.peer == peer, inbox_early.c.inc == inc, inbox_early.c.seq == seq)
    return db.execute(select(inbox_early.c.envelope).where(*row)).scalar()


def _keep_early(db: Connection, peer: str, content: Content, envelope: bytes) -> None:
    if _early(db, peer, content.inc, content.seq) is None:
        db.execute(insert(inbox_early).values(peer=peer, inc=content.inc, seq=content.seq, envelope=envelope))


def _forget_early(db: Connection, peer: str, inc: str, upto: int) -> None:
    rows = (inbox_early.c.peer == peer, inbox_early.c.inc == inc, inbox_early.c.seq <= upto)
    db.execute(delete(inbox_early).where(*rows))
