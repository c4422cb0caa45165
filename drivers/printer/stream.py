"""A printer at the end of a stream of bytes, whatever carries the stream."""

from __future__ import annotations

import time
from collections import Counter

from drivers.errors import DeviceError, DeviceTimeout, DeviceUnavailable, PrinterBehind
from drivers.health import Clock, Health, HealthRecord, State
from drivers.printer import status as words
from drivers.printer.answers import Kind
from drivers.printer.api import TROUBLES, UNKNOWN_STATUS, Cover, Paper, PrinterStatus, Trouble
from drivers.printer.link import Link
from drivers.printer.questions import Questions

MAX_COMMAND_BYTES = 80 * 256 + 8
"""The longest single command of a job: one band of a picture on the widest paper."""
_RETRY_REAL_TIME = 16
"""Every so many readings a printer that answers in order only is asked in real time after all."""
_TRIES = 3
"""So often a printer may leave a question open before it counts as one that it does not know."""
# NUL prints nothing and fills up whatever command was left half done; then the torso is fed out and cut off.
_CUT_OFF = b"\n\x1dV\x42\x00"


class StreamPrinter:
    """The `Printer` protocol over a `Link`; `timeout_s` bounds opening and each status question."""

    def __init__(self, link: Link, profile: str, timeout_s: float, clock: Clock = time.monotonic) -> None:
        self.profile = profile
        self.bytes_per_s = link.bytes_per_s
        self._link = link
        self._timeout_s = timeout_s
        self._clock = clock
        self._open = False
        self._health = HealthRecord(clock)
        self._questions = Questions(link, clock, 2 * timeout_s)
        self._in_order = False
        self._readings = 0
        self._left_open: Counter[bytes] = Counter()
        self._torso = 0
        self._torso_end = b""
        self._last_size = 0
        self._asked_with_job = False

    def open(self) -> None:
        """See `Printer.open`."""
        if self._open:
            return
        self._health.set(State.OPENING, f"Connecting to {self._link.name}.")
        try:
            self._link.connect(self._clock() + self._timeout_s)
        except DeviceError as error:
            self._health.set(State.ABSENT, str(error))
            raise
        self._open = True
        self._left_open.clear()
        self._asked_with_job = False
        self._questions.restart()
        self._health.set(State.DEGRADED, f"Connected to {self._link.name}, which has not yet said how it is.")

    def close(self) -> None:
        """See `Printer.close`."""
        if self._open:
            self._shut(State.ABSENT, "Closed.")

    def write(self, data: bytes, deadline_s: float) -> int:
        """See `Printer.write`."""
        self._require_open()
        until = self._clock() + deadline_s
        try:
            self._finish_torso(until)
            self._questions.drain()
            self._last_size = len(data)
            # The question of `confirm` leaves with the job: its answer carries the acknowledgement of the bytes, which the other
            # side of a network would otherwise keep to itself for a while (RFC 9293, delayed acknowledgements).
            self._link.send(data + words.ASK_IN_ORDER, until)
            self._questions.asked(Kind.IN_ORDER)
            self._asked_with_job = True
        except DeviceError as error:
            error.bytes_taken = min(error.bytes_taken, len(data))
            if error.bytes_taken:
                self._leave_torso(cut=True)
            self._fail(error)
            raise
        return len(data)

    def broke_off(self, size: int) -> None:
        """See `Printer.broke_off`."""
        self._last_size = size
        self._leave_torso(cut=True)

    def confirm(self, deadline_s: float) -> bool:
        """See `Printer.confirm`."""
        if not self._open:
            return False
        until = self._clock() + deadline_s
        try:
            if self._asked_with_job:
                self._asked_with_job = False
                answer = self._questions.answer(Kind.IN_ORDER, until)
            else:
                self._questions.drain()
                answer = self._questions.ask(words.ASK_IN_ORDER, Kind.IN_ORDER, until)
        except DeviceError as error:
            # All bytes had left for the printer, but maybe only as far as its network card. Printers that hang up after
            # each job end here too, so nothing is cut.
            self._leave_torso(cut=False)
            self._fail(error)
            return False
        return answer is not None and not answer & words.IN_ORDER_PAPER_END

    def status(self) -> PrinterStatus:
        """See `Printer.status`."""
        if not self._open:
            return UNKNOWN_STATUS
        try:
            self._questions.drain()
            status = self._ask() if self._asks_real_time() else self._ask_in_order()
            port = self._link.port_status(self._clock() + self._timeout_s)
        except DeviceError as error:
            self._fail(error)
            return UNKNOWN_STATUS
        status = words.with_port_status(status, port)
        state, reason = _state_of(status)
        self._questions.judge(well=None if status.online is None else status.online and state is not State.FAULT)
        self._health.set(state, reason, paper=status.paper.value, cover=status.cover.value)
        return status

    def raise_if_behind(self) -> None:
        """See `Printer.raise_if_behind`."""
        self._require_open()
        if self._questions.behind:
            error = PrinterBehind("The printer has not said yet whether an earlier job came out.")
            self._health.set(State.DEGRADED, str(error))
            raise error

    def health(self) -> Health:
        """See `Printer.health`."""
        return self._health()

    def _asks_real_time(self) -> bool:
        """Some makes know only the other kind of question; asking both at once would cost silent ones two timeouts."""
        self._readings += 1
        if self._questions.speaks_real_time:
            return True
        return self._readings % (_RETRY_REAL_TIME if self._in_order else 2) == 1

    def _ask(self) -> PrinterStatus:
        printer = self._real_time_answer(words.ASK_PRINTER)
        if printer is None:
            # A printer that leaves the first question open is not asked twice more: each would cost a timeout.
            return UNKNOWN_STATUS
        cause = self._detail(words.ASK_OFFLINE_CAUSE)
        paper = self._detail(words.ASK_PAPER)
        failed = cause is not None and cause & words.ERROR_OCCURRED
        return words.parse(printer, cause, paper, self._real_time_answer(words.ASK_ERROR_CAUSE) if failed else None)

    def _detail(self, question: bytes) -> int | None:
        """The answer of a printer that answers; what it never answers is soon not asked any more."""
        if self._left_open[question] >= _TRIES:
            return None
        # With an earlier question open too, nobody knows which of the two is answered.
        alone = not self._questions.owed(Kind.REAL_TIME)
        answer = self._real_time_answer(question)
        if answer is not None:
            self._left_open[question] = 0
        elif alone:
            self._left_open[question] += 1
        return answer

    def _real_time_answer(self, question: bytes) -> int | None:
        return self._questions.ask(question, Kind.REAL_TIME, self._clock() + self._timeout_s)

    def _ask_in_order(self) -> PrinterStatus:
        if self._questions.behind:
            return UNKNOWN_STATUS
        answer = self._questions.ask(words.ASK_IN_ORDER, Kind.IN_ORDER, self._clock() + self._timeout_s)
        self._in_order = answer is not None
        return UNKNOWN_STATUS if answer is None else words.parse_in_order(answer)

    def _leave_torso(self, *, cut: bool) -> None:
        self._torso = min(self._last_size, MAX_COMMAND_BYTES)
        self._torso_end = _CUT_OFF if cut else b""

    def _finish_torso(self, until: float) -> None:
        """End the job that broke off, so that its last command does not swallow the beginning of the next job."""
        if not self._torso:
            return
        try:
            self._link.send(bytes(self._torso) + self._torso_end, until)
        except DeviceError as error:
            # Of the job itself nothing has left yet.
            self._torso = max(1, self._torso - error.bytes_taken)
            error.bytes_taken = 0
            raise
        self._torso = 0

    def _require_open(self) -> None:
        if not self._open:
            raise DeviceUnavailable(f"The printer at {self._link.name} is not open.")

    def _fail(self, error: DeviceError) -> None:
        self._shut(State.FAULT if isinstance(error, DeviceTimeout) else State.ABSENT, str(error))

    def _shut(self, state: State, reason: str) -> None:
        self._open = False
        self._link.close()
        self._health.set(state, reason)


_REMEDIES = {
    Trouble.CUTTER: "Switch it off, open the cover and take out the paper that is stuck.",
    Trouble.OVERHEATED: "Wait; it goes on when it has cooled down.",
    Trouble.MECHANICAL: "Switch it off and on again; look for paper that is stuck.",
}


def _state_of(status: PrinterStatus) -> tuple[State, str]:
    if not status.answered:
        return State.DEGRADED, "The printer does not say how it is; look at it."
    if status.paper is Paper.OUT:
        return State.FAULT, "The printer has no paper. Put in a new roll."
    if status.cover is Cover.OPEN:
        return State.FAULT, "The cover of the printer is open. Close it."
    if status.trouble is not None:
        return State.FAULT, f"{TROUBLES[status.trouble]} {_REMEDIES[status.trouble]}"
    if status.online is False:
        return State.FAULT, "The printer says that it is offline."
    if status.paper is Paper.LOW:
        return State.DEGRADED, "The paper is nearly used up. Have a new roll ready."
    if status.paper is Paper.UNKNOWN:
        return State.DEGRADED, "The printer does not say whether it has paper."
    return State.READY, "The printer is ready."
