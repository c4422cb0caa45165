"""Pre-enrolments as an operator reads them, and the operator's word about one; the verifier acts on it at its next look."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud import words
from mqtt_bridge.cloud.directory import audit
from mqtt_bridge.database import Database

Word = Literal["approve", "refuse"]
WORDS: tuple[Word, ...] = ("approve", "refuse")
# Why an operator refuses, as guests are told it.
REASONS = {"operator": "The organiser decided", "member": "Not a member", "late": "Not proven in time"}
MOST_SHOWN = 500


@dataclass(frozen=True)
class PendingOrder:
    """An order that waits to be verified, and what for; ``tickets`` is how many, ``known`` whether who it is can still be asked."""

    order: str
    code: str
    device: str
    verify: str
    channel: str
    waits_for: str
    news: str
    codes: int
    tries: int
    next_ms: int
    received_at_ms: int
    event_session: str
    tickets: int
    known: bool


@dataclass(frozen=True)
class Job:
    """One kind of the verifier's work."""

    name: str
    state: str
    reason: str
    since_ms: int
    owner: str


@dataclass(frozen=True)
class Counts:
    """Figures beside the list: orders by state, mails by state, members on the list."""

    states: dict[str, int]
    mails: dict[str, int]
    members: int


def pending_orders(db: Connection) -> tuple[PendingOrder, ...]:
    """Return what waits, longest first."""
    v, k = t.verification.c, t.ticket.c
    number = sa.select(sa.func.count()).select_from(t.ticket).where(k.order_id == v.order_id).scalar_subquery()
    session = sa.select(sa.func.min(k.event_session)).where(k.order_id == v.order_id).scalar_subquery()
    rows = (
        sa.select(t.verification, t.order.c.code, number.label("tickets"), session.label("event_session"))
        .join_from(t.verification, t.order, t.order.c.id == v.order_id)
        .where(v.state == "waiting", t.order.c.status == "pending")
        .order_by(v.received_at_ms, v.order_id)
        .limit(MOST_SHOWN)
    )
    return tuple(
        PendingOrder(
            order=row.order_id,
            code=row.code,
            device=row.device,
            verify=row.verify,
            channel=row.channel,
            waits_for=row.waits_for,
            news=row.news,
            codes=row.codes,
            tries=row.standing_tries,
            next_ms=row.standing_due_ms,
            received_at_ms=row.received_at_ms,
            event_session=row.event_session or "",
            tickets=row.tickets,
            known=row.private is not None,
        )
        for row in db.execute(rows)
    )


def jobs(db: Connection) -> tuple[Job, ...]:
    """Return how the verifier's work is; empty before one ever ran."""
    rows = db.execute(sa.select(t.verifier_job).order_by(t.verifier_job.c.name))
    return tuple(Job(row.name, row.state, row.reason, row.since_ms, row.owner) for row in rows)


def number_pending(db: Connection) -> int:
    """Return how many orders wait to be verified."""
    waiting = sa.select(sa.func.count()).select_from(t.verification).where(t.verification.c.state == "waiting")
    return int(db.execute(waiting).scalar_one())


def alive_ms(db: Connection) -> int | None:
    """Return when a verifier was last heard of."""
    j = t.verifier_job.c
    found: int | None = db.execute(sa.select(j.beat_ms).where(j.name == "verdicts")).scalar()
    return found


def counts(db: Connection) -> Counts:
    """Return the figures."""
    v, m = t.verification.c, t.mail.c
    states = db.execute(sa.select(v.state, sa.func.count()).group_by(v.state))
    mails = db.execute(sa.select(m.state, sa.func.count()).group_by(m.state))
    members = db.execute(sa.select(sa.func.count()).select_from(t.standing)).scalar_one()
    return Counts({row[0]: row[1] for row in states}, {row[0]: row[1] for row in mails}, members)


def say(
    database: Database, orders: Collection[str], word: Word, who: str, wall_ms: int, reason: str = "operator"
) -> int:
    """Have these orders verified or refused by hand, for one of ``REASONS``; returns how many of them still waited."""

    def run(db: Connection) -> int:
        v = t.verification.c
        waiting = sa.select(v.order_id).where(v.order_id.in_(list(orders)), v.state == "waiting").order_by(v.order_id)
        found = list(db.execute(waiting).scalars())
        for order in found:
            words.say(db, order, word, wall_ms, reason)
            audit(db, wall_ms, who, f"pre-enrolment: {word}", order, reason)
        return len(found)

    return database.run(run)
