"""The process that verifies pre-enrolments: verdicts, mail, and asking whoever knows the members.

Any number may run; one at a time works, whoever holds the row ``verdicts`` of ``verifier_job``. It needs no broker: what it decides are
letters, which the reconciler numbers and sends. What may take long (a mail server, a plug-in) runs in a thread with a deadline, one
of each kind at a time; a thread that does not come back stops its kind of work and is shown, and nothing else waits for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection

from mqtt_bridge.cloud import mailing
from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.mailing import Claimed, Limits
from mqtt_bridge.cloud.records import Word
from mqtt_bridge.cloud.settling import Settled, settle
from mqtt_bridge.cloud.smtp import Delivery
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.cloud.standing import Standing
from mqtt_bridge.cloud.words import say
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import Private
from mqtt_bridge.protocol.proofs import member_number

log = structlog.get_logger("marquee.verifier")
T = TypeVar("T")
# Who has not been heard of for so long works no more; another one takes over.
GONE_MS = 15_000
BEAT_EVERY_MS = 3_000
LOOK_S, IDLE_S = 0.05, 0.4
SETTLE_EVERY_S = 0.1
MAIL_S, STANDING_S = 120.0, 20.0
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 10.0


class Post(Protocol):
    """Hands a mail in; blocks for as long as the server takes."""

    def __call__(self, mail: Claimed, /) -> Delivery:
        """Return what became of it."""
        ...


class Stop(Protocol):
    """What the loop needs of a ``threading.Event``."""

    def is_set(self) -> bool: ...  # noqa: D102
    def wait(self, timeout: float | None = None) -> bool: ...  # noqa: D102


class Errand(Generic[T]):
    """One piece of work in a thread of its own, with a deadline on ``ticks_s``."""

    def __init__(self, work: Callable[[], T], until_s: float) -> None:
        self.until_s = until_s
        self._result: list[T] = []
        self._error: list[Exception] = []
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)
        self._thread.start()

    def _run(self, work: Callable[[], T]) -> None:
        try:
            self._result.append(work())
        except Exception as error:  # noqa: BLE001  a plug-in may raise what it likes
            self._error.append(error)

    def wait(self, seconds: float) -> None:
        """Wait until it comes back, at most so long."""
        self._thread.join(seconds)

    @property
    def over(self) -> bool:
        """Whether it came back."""
        return not self._thread.is_alive()

    @property
    def result(self) -> T | None:
        """What it brought; None if it raised or did not come back."""
        return self._result[0] if self.over and self._result else None

    @property
    def error(self) -> str:
        """The kind of what it raised."""
        return type(self._error[0]).__name__ if self._error else ""


@dataclass
class Verifier:
    """``step`` does what is due. ``post`` is None without a mail server. ``clock`` is wall-clock ms, ``ticks_s`` only grows."""

    database: Database
    owner: str
    post: Post | None
    standing: Standing
    clock: Callable[[], int]
    ticks_s: Callable[[], float]
    random: Callable[[int], bytes]
    limits: Limits = field(default_factory=Limits)
    decided: int = 0
    _beat_s: float = -1.0
    _settled_s: float = -1.0
    _after: int = 0
    _leads: bool = False
    _states: dict[str, tuple[str, str]] = field(default_factory=dict)
    _mail: tuple[Claimed, Errand[Delivery]] | None = None
    _asked: tuple[str, Errand[str]] | None = None
    _catalogues: Catalogues = field(default_factory=Catalogues)

    def __post_init__(self) -> None:
        self._store = SqlStore(self.database)
        if self.post is None:
            self.limits = Limits(False, self.limits.waiting, self.limits.per_hour, self.limits.per_contact_and_hour)

    def step(self) -> bool:
        """Do what is due; return whether there was anything."""
        if not self._lead():
            return False
        settled = Settled(0, 0)
        if self._anything_said():
            settled = self._store.run(
                lambda rows: settle(rows, self._catalogues, self.limits, self.clock(), self._after)
            )
            self._after = settled.after
        self.decided += settled.decided
        mailed, asked = self._mails(), self._members()
        more = bool(settled.after)
        self._note("verdicts", "busy" if more and settled.words else "idle", "")
        return more or mailed or asked

    def _anything_said(self) -> bool:
        """Whether words wait; looked at ten times a second at most, so that those of single mails are taken together."""
        if self._after:
            return True
        if self.ticks_s() - self._settled_s < SETTLE_EVERY_S and (self._mail or self._asked):
            return False
        self._settled_s = self.ticks_s()
        with self.database.read() as db:
            return db.execute(sa.select(t.verification_word.c.id).limit(1)).first() is not None

    def pause(self, stop: Stop, *, busy: bool) -> None:
        """Wait until something may be due again: the end of an errand, or a moment."""
        under_way = [each[1] for each in (self._mail, self._asked) if each is not None and not each[1].over]
        if under_way and not busy:
            under_way[0].wait(LOOK_S)
        elif not busy and self._mail is None and self._asked is None:
            stop.wait(IDLE_S)

    def _lead(self) -> bool:
        """Take or keep the lead; looked at every few seconds."""
        if self._beat_s >= 0 and self.ticks_s() - self._beat_s < BEAT_EVERY_MS / 1000:
            return self._leads
        self._leads = self.database.run(lambda db: _take_lead(db, self.owner, self.clock()))
        self._beat_s = self.ticks_s()
        if self._leads:
            self.database.run(lambda db: mailing.give_up_lost(db, self.clock()))
        return self._leads

    # --- mail

    def _mails(self) -> bool:
        post = self.post
        if post is None:
            self._note("mail", "off", "no mail server is set (verifier.smtp)")
            return False
        if self._mail is not None:
            return self._finish_mail()
        with self.database.read() as db:
            if not mailing.any_due(db, self.clock()):
                return False
        self._begin_mail(post, self.database.run(self._claim))
        return self._mail is not None

    def _claim(self, db: Connection) -> Claimed | None:
        return mailing.claim(db, self.limits, self.clock(), self.random(40))

    def _begin_mail(self, post: Post, claimed: Claimed | None) -> None:
        self._mail = None if claimed is None else (claimed, Errand(lambda: post(claimed), self.ticks_s() + MAIL_S))

    def _finish_mail(self) -> bool:
        if self._mail is None or self.post is None:
            return False
        claimed, errand = self._mail
        if not errand.over:
            if self.ticks_s() > errand.until_s:
                self._note(
                    "mail", "trouble", f"the mail server has kept a mail for {MAIL_S:.0f} s; nothing else is mailed"
                )
            return False
        became = errand.result or Delivery("ambiguous", f"the verifier failed ({errand.error})")

        def go_on(db: Connection) -> Claimed | None:
            mailing.finish(db, claimed, became.outcome, became.reason, self.clock())
            return self._claim(db)

        following = self.database.run(go_on)
        fine = became.outcome == "sent"
        log.info("mail", kind=claimed.kind, outcome=became.outcome, reason=became.reason)
        self._note("mail", "idle" if fine else "trouble", became.reason)
        self._begin_mail(self.post, following)
        return True

    # --- members

    def _members(self) -> bool:
        if self._asked is not None:
            return self._finish_asking()
        with self.database.read() as db:
            due = _due(db, self.clock())
        if due is None:
            return False
        order, private = due
        person = decode(private, Private) if private is not None else Private("")
        number, contact = member_number(person.member), person.contact
        if not number:
            # Erased, or told again without its personal part: nothing can be asked, a person has to look.
            self.database.run(lambda db: say(db, order, "unknown", self.clock()))
            return True
        self._asked = (order, Errand(lambda: self.standing.check(number, contact), self.ticks_s() + STANDING_S))
        return True

    def _finish_asking(self) -> bool:
        if self._asked is None:
            return False
        order, errand = self._asked
        if not errand.over:
            if self.ticks_s() > errand.until_s:
                self._note(
                    "standing",
                    "trouble",
                    f"no answer about a member within {STANDING_S:.0f} s; no one else is asked about",
                )
            return False
        answer: Word = "good" if errand.result == "good" else "bad" if errand.result == "bad" else "unknown"
        self.database.run(lambda db: say(db, order, answer, self.clock()))
        trouble = f"whoever knows the members failed ({errand.error})" if errand.error else ""
        self._note("standing", "trouble" if trouble else "idle", trouble)
        self._asked = None
        return True

    def _note(self, name: str, state: str, reason: str) -> None:
        """Show how a job is, when that changes."""
        if self._states.get(name) != (state, reason):
            self._states[name] = (state, reason)
            self.database.run(lambda db: _show(db, name, self.owner, (state, reason), self.clock()))


def run_verifier(verifier: Verifier, stop: Stop) -> None:
    """Work until ``stop``; what the database refuses for now is done again later."""
    retry_s = FIRST_RETRY_S
    while not stop.is_set():
        try:
            busy = verifier.step()
        except SqlStore.failures as error:
            log.error("database.failed", error=type(error).__name__, retry_s=retry_s)
            stop.wait(retry_s)
            retry_s = min(2 * retry_s, LAST_RETRY_S)
        else:
            retry_s = FIRST_RETRY_S
            verifier.pause(stop, busy=busy)


def _take_lead(db: Connection, owner: str, wall_ms: int) -> bool:
    j = t.verifier_job.c
    row = db.execute(sa.select(t.verifier_job).where(j.name == "verdicts").with_for_update()).first()
    if row is None:
        _show(db, "verdicts", owner, ("idle", ""), wall_ms)
        return True
    # A beat in the future is of a clock that was set back since.
    alive = 0 <= wall_ms - row.beat_ms < GONE_MS
    if row.owner != owner and alive:
        return False
    db.execute(sa.update(t.verifier_job).where(j.name == "verdicts").values(owner=owner, beat_ms=wall_ms))
    return True


def _show(db: Connection, name: str, owner: str, how: tuple[str, str], wall_ms: int) -> None:
    values = {"owner": owner, "state": how[0], "reason": how[1], "since_ms": wall_ms, "beat_ms": wall_ms}
    where = t.verifier_job.c.name == name
    if not db.execute(sa.update(t.verifier_job).where(where).values(**values)).rowcount:
        db.execute(sa.insert(t.verifier_job).values(name=name, **values))


def _due(db: Connection, wall_ms: int) -> tuple[str, bytes | None] | None:
    """Return the order whose member has to be asked about now, unless a word about it waits to be taken."""
    v, w = t.verification.c, t.verification_word.c
    said = sa.select(w.id).where(w.order_id == v.order_id, w.word.in_(("good", "bad", "unknown")))
    due = sa.select(v.order_id, v.private).where(
        v.state == "waiting", v.waits_for == "standing", v.standing_due_ms <= wall_ms, ~said.exists()
    )
    row = db.execute(due.order_by(v.standing_due_ms, v.order_id).limit(1)).first()
    return None if row is None else (row.order_id, row.private)
