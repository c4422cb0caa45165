"""Mails to guests as rows: bounded, one under way at a time, none twice by itself once it may have left.

queued -> sending -> sent | queued (certainly not sent: later again) | failed | ambiguous (it may have been sent: nobody sends it again)

A code is made in the transaction that claims its mail, so that it stands in no row, only its hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.records import Mail
from mqtt_bridge.cloud.words import say
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol import ids, proofs
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Private
from mqtt_bridge.protocol.moments import HOUR_MS
from mqtt_bridge.protocol.privacy import contact_digest

RETRY_MS = (30_000, 2 * 60_000, 10 * 60_000, 30 * 60_000)
# Whoever sent this died or hangs; what became of it nobody knows.
LOST_MS = 3 * 60_000
Kind = Literal["code", "verified", "refused"]
Outcome = Literal["sent", "again", "failed", "ambiguous"]


@dataclass(frozen=True)
class Limits:
    """How much is mailed. ``mails``: whether there is a server at all."""

    mails: bool = True
    waiting: int = 2_000
    per_hour: int = 500
    per_contact_and_hour: int = 4


class Mails:
    """Adds mails within a transaction; ``why`` says what came of the last one that was not added."""

    def __init__(self, work: Work, limits: Limits, wall_ms: int, salt: str) -> None:
        self.why: Literal["limited", "undeliverable"] = "limited"
        self._work = work
        self._limits = limits
        self._wall_ms = wall_ms
        self._salt = salt
        self._waiting: int | None = None

    def add(self, order: str, kind: Kind, private: bytes | None) -> bool:
        """Queue a mail; return whether it was."""
        contact = decode(private, Private).contact if private is not None else ""
        if not self._limits.mails or proofs.mail_of(contact) is None:
            self.why = "undeliverable"
            return False
        digest = contact_digest(self._salt, contact)
        recent = [
            each
            for each in self._work.of(Mail).where("contact_digest", digest)
            if self._wall_ms - each.created_at_ms < HOUR_MS
        ]
        if len(recent) >= self._limits.per_contact_and_hour or self._queue() >= self._limits.waiting:
            self.why = "limited"
            return False
        new = Mail(order, kind, "queued", "", 0, digest, private, self._wall_ms, self._wall_ms, self._wall_ms, 0)
        self._work.of(Mail).add(new)
        self._waiting = self._queue() + 1
        return True

    def _queue(self) -> int:
        if self._waiting is None:
            self._waiting = self._work.rows.count(Mail, "state", "queued")
        return self._waiting


class Claimed(NamedTuple):
    """A mail that is being sent: to whom, in which language, and what to say; ``code`` and ``link`` are empty but for a code."""

    id: int
    kind: Kind
    order: str
    booking: str
    contact: str
    language: str
    event_session: str
    code: str
    link: str


def any_due(db: Connection, wall_ms: int) -> bool:
    """Whether a mail waits that may go now."""
    m = t.mail.c
    due = sa.select(m.id).where(m.state == "queued", m.due_at_ms <= wall_ms).limit(1)
    return db.execute(due).first() is not None


def claim(db: Connection, limits: Limits, wall_ms: int, random: bytes) -> Claimed | None:
    """Return the next mail, now ``sending``; None if there is none, one is under way, or the hour's are used up.

    ``random`` are 40 random bytes, for code, salt and link.
    """
    m, v = t.mail.c, t.verification.c
    if db.execute(sa.select(m.id).where(m.state == "sending").limit(1)).first() is not None:
        return None
    lately = sa.and_(m.attempts > 0, m.changed_at_ms > wall_ms - HOUR_MS)
    if db.execute(sa.select(sa.func.count()).select_from(t.mail).where(lately)).scalar_one() >= limits.per_hour:
        return None
    due = sa.select(t.mail).where(m.state == "queued", m.due_at_ms <= wall_ms).order_by(m.due_at_ms, m.id).limit(1)
    row = db.execute(due.with_for_update()).first()
    if row is None:
        return None
    about = db.execute(sa.select(t.verification).where(v.order_id == row.order_id).with_for_update()).first()
    over = about is None or row.private is None or (row.kind == "code" and (about.state != "waiting" or about.proven))
    if over or about is None:
        _end(db, row.id, "failed", "not wanted any more", wall_ms)
        return claim(db, limits, wall_ms, random)
    code = link = ""
    if row.kind == "code":
        code, link = proofs.new_code(random[:8]), ids.secret(random[8:24])
        kept = proofs.keep(code, random[24:40].hex())
        fresh = {**kept._asdict(), "link_digest": proofs.link_digest(link), "code_at_ms": wall_ms}
        db.execute(sa.update(t.verification).where(v.order_id == row.order_id).values(**fresh))
    started = {"state": "sending", "attempts": row.attempts + 1, "changed_at_ms": wall_ms}
    db.execute(sa.update(t.mail).where(m.id == row.id).values(**started))
    booking = db.execute(sa.select(t.order.c.code).where(t.order.c.id == row.order_id)).scalar() or ""
    where = t.ticket.c.order_id == row.order_id
    session = db.execute(sa.select(t.ticket.c.event_session).where(where).limit(1)).scalar() or ""
    person = decode(row.private, Private)
    names = (row.order_id, booking, person.contact, about.language, session)
    return Claimed(row.id, row.kind, *names, code, link)


def finish(db: Connection, mail: Claimed, outcome: Outcome, reason: str, wall_ms: int) -> None:
    """Say what became of a mail that was being sent, and leave a word about a code; one that was given up stays so."""
    m = t.mail.c
    row = db.execute(sa.select(t.mail).where(m.id == mail.id).with_for_update()).first()
    if row is None or row.state != "sending":
        return
    if outcome == "again" and row.attempts <= len(RETRY_MS):
        later = {"state": "queued", "reason": reason, "due_at_ms": wall_ms + RETRY_MS[row.attempts - 1]}
        db.execute(sa.update(t.mail).where(m.id == mail.id).values(**later, changed_at_ms=wall_ms))
        return
    state = {"sent": "sent", "ambiguous": "ambiguous"}.get(outcome, "failed")
    _end(db, mail.id, state, reason, wall_ms)
    if row.kind == "code":
        # What may have arrived is told as sent: whoever has no mail can ask for another code.
        say(db, row.order_id, "undeliverable" if state == "failed" else "sent", wall_ms)


def give_up_lost(db: Connection, wall_ms: int) -> int:
    """Whoever was sending these is gone: they may have been sent, so nobody sends them again."""
    m = t.mail.c
    lost = sa.select(m.id, m.order_id, m.kind).where(m.state == "sending", m.changed_at_ms < wall_ms - LOST_MS)
    rows = db.execute(lost).all()
    for row in rows:
        _end(db, row.id, "ambiguous", "the verifier stopped while this was being sent", wall_ms)
        if row.kind == "code":
            say(db, row.order_id, "sent", wall_ms)
    return len(rows)


def _end(db: Connection, mail: int, state: str, reason: str, wall_ms: int) -> None:
    over = {"state": state, "reason": reason[:200], "private": None, "changed_at_ms": wall_ms}
    db.execute(sa.update(t.mail).where(t.mail.c.id == mail).values(**over))
