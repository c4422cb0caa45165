"""Asking a printer over a link, without taking an old answer for a new one.

A printer that was busy answers late, and its answers carry no number. So questions whose wait has ended stay on a list,
and a new one counts as answered only after the answers to those have come. A printer that was switched off owes
nothing any more, and nobody tells; debts therefore lapse: real-time ones soon, since a printer answers those at once or
never, and those that wait for their turn once it has said for a while that it is well. An answer that got lost is never
made up for while new questions go out, since each answer then counts for the question before: so whoever owns the printer
asks nothing more, and sends no job, while it is `behind`. A printer that knows no real-time questions cannot say that it is
well; what it owes stays owed on this connection, because a roll that is changed late looks the same as an answer that got lost.
"""

from __future__ import annotations

from collections import deque

from drivers.health import Clock
from drivers.printer.answers import Answer, AnswerReader, Kind
from drivers.printer.link import Link

IN_ORDER_GRACE_S = 10.0
_MOST_READS = 64
"""How many reads a printer that babbles gets before it counts as rubbish."""


class Questions:
    """Both sides of the conversation; raises what the link raises. A real-time debt lapses after `grace_s`."""

    def __init__(self, link: Link, clock: Clock, grace_s: float) -> None:
        self._link = link
        self._clock = clock
        self._grace_s = grace_s
        self._reader = AnswerReader()
        # When each question was asked whose answer has not come yet, oldest first.
        self._open: dict[Kind, deque[float]] = {kind: deque(maxlen=1000) for kind in (Kind.REAL_TIME, Kind.IN_ORDER)}
        self._well_since: float | None = None
        self._well_at = 0.0
        self._silent_since: float | None = None
        self._speaks_in_order = False
        self.speaks_real_time = False

    def restart(self) -> None:
        """A new connection: half a block is lost, and with it all debts where the link carries no old answers."""
        self._reader.forget()
        self._well_since = None
        self._silent_since = None
        if self._link.fresh_on_connect:
            for asked in self._open.values():
                asked.clear()

    def ask(self, question: bytes, kind: Kind, until: float) -> int | None:
        """The byte that answers `question`; None for silence, for rubbish and for more answers than questions."""
        self._link.send(question, until)
        self.asked(kind)
        return self.answer(kind, until)

    def asked(self, kind: Kind) -> None:
        """Note a question that left with something else."""
        self._open[kind].append(self._clock())

    def answer(self, kind: Kind, until: float) -> int | None:
        """The byte that answers the last question of this kind; None as in `ask`."""
        for _ in range(_MOST_READS):
            answers = self._reader.feed(self._link.receive(until))
            mine = [answer.value for answer in answers if answer.kind is kind]
            if self._is_broken(answers, kind):
                return None
            self._settle(answers)
            if mine and not self._open[kind]:
                return None if self._more_comes(kind) else mine[-1]
            if self._clock() >= until:
                break
        if kind is Kind.IN_ORDER and self._silent_since is None:
            self._silent_since = self._clock()
        return None

    def owed(self, kind: Kind) -> int:
        """How many answers have not come yet."""
        return len(self._open[kind])

    @property
    def behind(self) -> bool:
        """Whether a printer that answers in order owes such an answer, and may still give it.

        When nothing more is asked meanwhile it stays so for at most `IN_ORDER_GRACE_S` in which the printer is well, or, of one that
        cannot say, after the first wait in vain.
        """
        if not self._speaks_in_order or not self.owed(Kind.IN_ORDER):
            return False
        if self.speaks_real_time:
            return self._well_since is not None
        return self._silent_since is not None and self._clock() - self._silent_since <= IN_ORDER_GRACE_S

    def drain(self) -> None:
        """Take in what came since the last question, so that it answers no new one; let old debts lapse."""
        for _ in range(_MOST_READS):
            received = self._link.receive(self._clock())
            if not received:
                break
            self._settle(self._reader.feed(received))
        self._lapse(Kind.REAL_TIME, self._clock() - self._grace_s)

    def judge(self, *, well: bool | None) -> None:
        """Take note of how the printer says it is: one that is well works off what it was sent. None: it did not say just now."""
        now = self._clock()
        if well is False or (well is None and now - self._well_at > IN_ORDER_GRACE_S):
            self._well_since = None
        if not well:
            return
        self._well_at = now
        if self._well_since is None:
            self._well_since = now
        if now - self._well_since > IN_ORDER_GRACE_S:
            self._lapse(Kind.IN_ORDER, now - IN_ORDER_GRACE_S)

    def _settle(self, answers: list[Answer]) -> None:
        for answer in answers:
            # Whether in time or not, and to whatever question: this printer knows that kind.
            self.speaks_real_time |= answer.kind is Kind.REAL_TIME
            self._speaks_in_order |= answer.kind is Kind.IN_ORDER
            asked = self._open.get(answer.kind)
            if asked:
                asked.popleft()
        if not self._open[Kind.IN_ORDER]:
            self._silent_since = None

    def _lapse(self, kind: Kind, before: float) -> None:
        asked = self._open[kind]
        if not asked:
            return
        while asked and asked[0] < before:
            asked.popleft()
        if kind is Kind.IN_ORDER and not asked:
            # Nobody waits a second time for one that has stopped answering.
            self._speaks_in_order = False

    def _is_broken(self, answers: list[Answer], kind: Kind) -> bool:
        """Whether the conversation makes no sense any more; then old debts mean nothing either."""
        mine = sum(answer.kind is kind for answer in answers)
        if mine <= len(self._open[kind]) and all(answer.kind is not Kind.RUBBISH for answer in answers):
            return False
        self._open[Kind.REAL_TIME].clear()
        return True

    def _more_comes(self, kind: Kind) -> bool:
        """Whether rubbish or a second answer stands behind the first."""
        answers = self._reader.feed(self._link.receive(self._clock()))
        return any(answer.kind in (kind, Kind.RUBBISH) for answer in answers)
