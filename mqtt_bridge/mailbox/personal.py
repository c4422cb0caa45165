"""Taking the personal part out of messages that wait in rows: the signed part, and with it every signature, stays."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import ColumnElement, Connection, LargeBinary, Table, func, literal, select, update

from mqtt_bridge.mailbox.tables import inbox_early, outbox
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Content, Envelope, Private
from mqtt_bridge.protocol.privacy import without_private

# How an envelope with a personal part looks in its JSON.
_MARK = b'"private":{'


def forget_private(db: Connection, peer: str | None, concerned: Callable[[Content, Private], bool]) -> int:
    """Strip the messages to and from ``peer`` (None: of everybody) whose content is ``concerned``; return how many."""
    number = 0
    for table in (outbox, inbox_early):
        rows = select(table.c.peer, table.c.inc, table.c.seq, table.c.envelope).where(_marked(db, table))
        for row in db.execute(rows if peer is None else rows.where(table.c.peer == peer)).all():
            envelope = decode(row.envelope, Envelope)
            if envelope.private and concerned(decode(envelope.content, Content), envelope.private):
                key = (table.c.peer == row.peer, table.c.inc == row.inc, table.c.seq == row.seq)
                db.execute(update(table).where(*key).values(envelope=without_private(row.envelope)))
                number += 1
    return number


def _marked(db: Connection, table: Table) -> ColumnElement[bool]:
    """Select envelopes with a personal part; the same letters in a ticket's text only cost a look."""
    if db.dialect.name == "postgresql":
        return func.position(literal(_MARK, LargeBinary).op("IN")(table.c.envelope)) > 0
    return func.instr(table.c.envelope, _MARK) > 0
