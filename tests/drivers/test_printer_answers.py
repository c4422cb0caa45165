"""Telling answers apart, and never taking an old answer for a new one."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.errors import DeviceUnavailable, PrinterBehind, PrinterJammed
from drivers.printer.answers import Answer, AnswerReader, Kind
from drivers.printer.api import UNKNOWN_STATUS, Cover, Paper, PrinterStatus, Trouble
from drivers.printer.questions import IN_ORDER_GRACE_S, Questions
from drivers.printer.stream import StreamPrinter

AUTOMATIC = b"\x1c\x00\x0f\x0f"
STATUS, PAPER_OK, XON, XOFF = b"\x12", b"\x00", b"\x11", b"\x13"


def kinds(data: bytes) -> list[Kind]:
    return [answer.kind for answer in AnswerReader().feed(data)]


def test_automatic_status_and_flow_control_do_not_pass_for_answers() -> None:
    assert kinds(AUTOMATIC) == [Kind.AUTOMATIC]
    assert kinds(AUTOMATIC + STATUS + AUTOMATIC) == [Kind.AUTOMATIC, Kind.REAL_TIME, Kind.AUTOMATIC]
    assert kinds(XOFF + PAPER_OK + XON) == [Kind.IN_ORDER]
    assert kinds(b"\xff") == [Kind.RUBBISH]


def test_what_began_like_automatic_status_and_goes_on_differently_is_rubbish() -> None:
    assert kinds(b"\x10\x00" + STATUS) == [Kind.RUBBISH, Kind.REAL_TIME]


PIECES = st.lists(st.sampled_from([AUTOMATIC, STATUS, PAPER_OK, XON, XOFF, b"\xff", b"\x16", b"\x03"]), max_size=20)


@given(PIECES.map(b"".join), st.integers(1, 7))
def test_answers_are_the_same_however_their_bytes_arrive(data: bytes, size: int) -> None:
    reader = AnswerReader()
    pieces = [answer for start in range(0, len(data), size) for answer in reader.feed(data[start : start + size])]
    assert pieces == AnswerReader().feed(data)


class ScriptedLink:
    """A link on a clock of its own: bytes sent are kept, bytes come at the times that were planned."""

    name = "scripted"
    bytes_per_s = 1000
    fresh_on_connect = False

    def __init__(self) -> None:
        self.now = 100.0
        self.sent = 0
        self.coming: deque[tuple[float, bytes]] = deque()

    def clock(self) -> float:
        return self.now

    def connect(self, until: float) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""

    def send(self, data: bytes, until: float) -> None:
        self.sent += 1

    def receive(self, until: float) -> bytes:
        if self.coming and self.coming[0][0] <= max(until, self.now):
            at, data = self.coming.popleft()
            self.now = max(self.now, at)
            return data
        self.now = max(self.now, until)
        return b""

    def port_status(self, until: float) -> None:
        return None


def conversation() -> tuple[ScriptedLink, Questions]:
    link = ScriptedLink()
    return link, Questions(link, link.clock, grace_s=1.0)


def ask(link: ScriptedLink, questions: Questions, wait_s: float, kind: Kind = Kind.IN_ORDER) -> int | None:
    questions.drain()
    return questions.ask(b"?", kind, link.now + wait_s)


def test_the_late_answer_to_the_last_job_does_not_confirm_this_one() -> None:
    link, questions = conversation()
    assert ask(link, questions, 1.0) is None
    link.coming.append((link.now + 0.5, PAPER_OK))
    assert ask(link, questions, 1.0) is None, "only the first question was answered"
    link.coming.append((link.now + 0.2, PAPER_OK))
    link.coming.append((link.now + 0.4, PAPER_OK))
    assert ask(link, questions, 1.0) == 0


def test_what_a_printer_owed_before_it_was_switched_off_is_struck_off_once_it_is_well_for_a_while() -> None:
    link, questions = conversation()
    assert ask(link, questions, 1.0) is None
    questions.judge(well=False)
    link.now += 60
    questions.judge(well=True)
    link.coming.append((link.now, PAPER_OK))
    assert ask(link, questions, 0.1) is None, "it may still have been working it off"
    link.now += IN_ORDER_GRACE_S + 1
    questions.judge(well=True)
    link.coming.append((link.now + 0.1, PAPER_OK))
    assert ask(link, questions, 1.0) == 0


def test_more_answers_than_questions_answer_nothing() -> None:
    link, questions = conversation()
    link.coming.append((link.now, PAPER_OK + PAPER_OK))
    assert ask(link, questions, 1.0) is None
    link.coming.append((link.now, b"\xff" + PAPER_OK))
    assert ask(link, questions, 1.0) is None


def test_a_real_time_debt_lapses_soon_because_such_answers_come_at_once_or_never() -> None:
    link, questions = conversation()
    assert ask(link, questions, 0.5, Kind.REAL_TIME) is None
    link.now += 1.1
    link.coming.append((link.now + 0.01, STATUS))
    assert ask(link, questions, 0.5, Kind.REAL_TIME) == STATUS[0]


@given(st.lists(st.tuples(st.floats(0.01, 3), st.booleans()), min_size=1, max_size=12))
def test_no_question_is_answered_by_an_answer_to_an_earlier_one(jobs: list[tuple[float, bool]]) -> None:
    """A printer works off its questions in order, each after some time; some jobs are asked about impatiently."""
    link, questions = conversation()
    free_at = link.now
    for work_s, patient in jobs:
        asked_at = link.now
        free_at = max(free_at, asked_at) + work_s
        link.coming.append((free_at, PAPER_OK))
        answered = ask(link, questions, 60.0 if patient else 0.5)
        if answered is not None:
            assert link.now >= free_at
        assert (answered is not None) or not patient


def test_pieces_carry_their_first_byte() -> None:
    assert AnswerReader().feed(AUTOMATIC) == [Answer(Kind.AUTOMATIC, 0x1C)]


class BrandLink(ScriptedLink):
    """A printer that answers the questions its makers thought of."""

    def __init__(self, answers: dict[bytes, bytes]) -> None:
        super().__init__()
        self._answers = answers
        self.asked: list[bytes] = []

    def send(self, data: bytes, until: float) -> None:
        super().send(data, until)
        self.asked.append(data)
        if data in self._answers:
            self.coming.append((self.now + 0.01, self._answers[data]))


def status_of(link: BrandLink) -> list[PrinterStatus]:
    printer = StreamPrinter(link, "TM-T20II", 1.0, clock=link.clock)
    printer.open()
    return [_next_status(link, printer) for _ in range(4)]


def _next_status(link: BrandLink, printer: StreamPrinter) -> PrinterStatus:
    link.now += 5
    return printer.status()


ALL_WELL = {b"\x10\x04\x01": b"\x16", b"\x10\x04\x02": b"\x12", b"\x10\x04\x04": b"\x12"}
"""With a drawer at its socket."""


def test_a_make_that_only_knows_questions_in_order_is_understood_all_the_same() -> None:
    link = BrandLink({b"\x1dr\x01": b"\x03"})
    readings = status_of(link)
    assert readings[0] == UNKNOWN_STATUS
    assert readings[1:] == [PrinterStatus(paper=Paper.LOW)] * 3
    assert link.asked.count(b"\x10\x04\x01") == 1


def test_a_make_that_leaves_single_questions_open_is_unknown_in_just_those() -> None:
    no_paper_sensor = BrandLink({**ALL_WELL, b"\x10\x04\x04": b""})
    assert status_of(no_paper_sensor)[0] == PrinterStatus(Paper.UNKNOWN, Cover.CLOSED, online=True)
    no_cover_switch = BrandLink({key: value for key, value in ALL_WELL.items() if key != b"\x10\x04\x02"})
    readings = status_of(no_cover_switch)
    assert readings[0] == PrinterStatus(Paper.UNKNOWN, Cover.UNKNOWN, online=True), "it may be a late answer"
    assert readings[-1] == PrinterStatus(Paper.OK, Cover.UNKNOWN, online=True)
    assert no_cover_switch.asked.count(b"\x10\x04\x02") == 3, "what it does not know is not asked for ever"


def test_a_make_that_answers_everything_with_nothing_is_not_fine() -> None:
    zeros = BrandLink(dict.fromkeys(ALL_WELL, b"\x00"))
    assert not any(status.answered for status in status_of(zeros)[:1])
    assert status_of(BrandLink({}))[-1] == UNKNOWN_STATUS


@pytest.mark.parametrize(
    ("cause", "trouble"),
    [
        (b"\x1a", Trouble.CUTTER),
        (b"\x52", Trouble.OVERHEATED),
        (b"\x32", Trouble.MECHANICAL),
        (b"\x16", Trouble.MECHANICAL),
        (b"", Trouble.MECHANICAL),
    ],
)
def test_an_error_is_asked_about_and_named(cause: bytes, trouble: Trouble) -> None:
    link = BrandLink({**ALL_WELL, b"\x10\x04\x02": b"\x52", b"\x10\x04\x03": cause})
    status = status_of(link)[0]
    assert status.trouble is trouble
    with pytest.raises(PrinterJammed):
        status.raise_if_not_ready()


def test_all_is_well_costs_three_questions() -> None:
    link = BrandLink(ALL_WELL)
    assert set(status_of(link)) == {PrinterStatus(Paper.OK, Cover.CLOSED, online=True)}
    assert link.sent == 12


JOB_S = 1.5


class LosesAnswers(ScriptedLink):
    """A printer that does everything it is told, each job in `JOB_S`; as many answers to jobs get lost as `to_lose` says.

    Before `freed` it works nothing off that waits for its turn. `done` is when the last job is on paper.
    """

    def __init__(self, *, real_time: bool) -> None:
        super().__init__()
        self.to_lose = 0
        self.freed = self.done = 0.0
        self._idle_at = 0.0
        self._answers = ALL_WELL if real_time else {}

    def send(self, data: bytes, until: float) -> None:
        super().send(data, until)
        if data in self._answers:
            self.coming.append((self.now + 0.01, self._answers[data]))
        elif data.endswith(b"\x1dr\x01"):
            job = len(data) > 3
            self._idle_at = max(self._idle_at, self.now, self.freed) + (JOB_S if job else 0.01)
            self.done = self._idle_at if job else self.done
            if self.to_lose:
                self.to_lose -= 1
            else:
                self.coming.append((self._idle_at, PAPER_OK))


class HangsUp(ScriptedLink):
    """A printer whose plug is pulled when it is asked how it is."""

    def send(self, data: bytes, until: float) -> None:
        raise DeviceUnavailable("The other end hung up.")


def test_a_printer_that_hangs_up_when_it_is_asked_is_sent_nothing() -> None:
    """That it does not know how it is stops nobody, since many printers never say; that it is gone does."""
    link = HangsUp()
    printer = StreamPrinter(link, "default", 0.5, link.clock)
    printer.open()
    assert printer.status() == UNKNOWN_STATUS
    with pytest.raises(DeviceUnavailable, match="not open"):
        printer.raise_if_behind()


def wait_until_not_behind(link: LosesAnswers, printer: StreamPrinter) -> float:
    """Ask as the desk does, every second; return how long it took in seconds."""
    began = link.now
    while True:
        printer.status()
        try:
            printer.raise_if_behind()
        except PrinterBehind:
            link.now += 1
        else:
            return link.now - began


def print_job(printer: StreamPrinter) -> bool:
    """Whether a job that is sent now is said to have come out."""
    printer.write(b"a stub", 5.0)
    return printer.confirm(5.0)


@pytest.mark.parametrize("lost", [1, 3])
def test_lost_answers_cost_one_pause_and_not_every_later_job_its_confirmation(lost: int) -> None:
    """Each later answer would otherwise count for the job before, for the rest of the evening."""
    link = LosesAnswers(real_time=True)
    printer = StreamPrinter(link, "TM-T20II", 1.0, clock=link.clock)
    printer.open()
    assert wait_until_not_behind(link, printer) < 3
    assert print_job(printer)
    link.to_lose = lost
    assert [print_job(printer) for _ in range(lost)] == [False] * lost
    assert wait_until_not_behind(link, printer) <= IN_ORDER_GRACE_S + 3
    for _ in range(5):
        assert wait_until_not_behind(link, printer) < 3
        assert print_job(printer)


@pytest.mark.parametrize("freed_after_s", [2.0, 8.0, 12.0, 14.0, 18.0, 24.0, 60.0])
def test_a_printer_that_cannot_say_that_it_is_well_never_confirms_a_job_by_word_on_an_earlier_one(
    freed_after_s: float,
) -> None:
    """Its roll ends in a job and is changed some time later; it waits its pause and prints on, out of step."""
    link = LosesAnswers(real_time=False)
    printer = StreamPrinter(link, "TM-T20II", 1.0, clock=link.clock)
    printer.open()
    wait_until_not_behind(link, printer)
    assert print_job(printer)
    link.freed = link.now + freed_after_s
    for _ in range(4):
        assert wait_until_not_behind(link, printer) <= IN_ORDER_GRACE_S + 3
        assert not print_job(printer) or link.now >= link.done


def test_one_reading_without_an_answer_lets_no_job_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that loses word on jobs loses other answers too."""
    link = LosesAnswers(real_time=True)
    printer = StreamPrinter(link, "TM-T20II", 1.0, clock=link.clock)
    printer.open()
    assert wait_until_not_behind(link, printer) < 3
    assert print_job(printer)
    link.to_lose = 1
    assert not print_job(printer)
    for silent in (False, True, False):
        with monkeypatch.context() as line:
            if silent:
                line.setattr(link, "_answers", {})
            printer.status()
        with pytest.raises(PrinterBehind):
            printer.raise_if_behind()


def test_a_printer_that_never_answers_in_order_is_never_waited_for() -> None:
    """It cannot tell; pauses would not change that."""
    link = LosesAnswers(real_time=True)
    link.to_lose = 100
    printer = StreamPrinter(link, "TM-T20II", 1.0, clock=link.clock)
    printer.open()
    for _ in range(3):
        assert wait_until_not_behind(link, printer) < 1
        printer.write(b"a stub", 5.0)
        assert not printer.confirm(5.0)
