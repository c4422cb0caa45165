"""A printer at the end of a stream of bytes, whatever carries the stream."""

from __future__ import annotations

import fcntl
import select
import struct
import termios
import time
from typing import Protocol

from drivers.errors import DeviceError, DeviceTimeout, DeviceUnavailable
from drivers.health import Clock, Health, HealthRecord, State
from drivers.printer import status as words
from drivers.printer.api import UNKNOWN_STATUS, Cover, Paper, PrinterStatus

_POLL_S = 0.002


class Link(Protocol):
    """A byte stream on which every wait ends at `until`, a time of the same clock that the printer uses."""

    name: str

    def connect(self, until: float) -> None:
        """Open the stream; raises `DeviceUnavailable` or `DeviceTimeout`."""

    def close(self) -> None:
        """Close at once; bytes that have not left are dropped."""

    def send(self, data: bytes, until: float) -> None:
        """Send all; raises a `DeviceError` whose `bytes_taken` says how far it came."""

    def receive(self, until: float) -> bytes:
        """At least one byte, or none when nothing came in time; raises `DeviceUnavailable` when it is gone."""


def wait_for(descriptor: int, until: float, *, write: bool) -> bool:
    """Whether `descriptor` can be written or read before the monotonic time `until`."""
    left_ms = max(0, int((until - time.monotonic()) * 1000))
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT if write else select.POLLIN)
    return bool(poll.poll(left_ms))


def wait_until_left(descriptor: int, until: float) -> bool:
    """Whether the kernel's send buffer is empty before `until`: on TCP, the other side has acknowledged it all."""
    while struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
        if time.monotonic() >= until:
            return False
        # The kernel signals a free buffer, but never an empty one.
        time.sleep(_POLL_S)
    return True


class StreamPrinter:
    """The `Printer` protocol over a `Link`; `timeout_s` bounds opening and each status question."""

    def __init__(self, link: Link, profile: str, timeout_s: float, clock: Clock = time.monotonic) -> None:
        self.profile = profile
        self._link = link
        self._timeout_s = timeout_s
        self._clock = clock
        self._open = False
        self._health = HealthRecord(clock)

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
        self._health.set(State.DEGRADED, f"Connected to {self._link.name}, which has not yet said how it is.")

    def close(self) -> None:
        """See `Printer.close`."""
        if self._open:
            self._shut(State.ABSENT, "Closed.")

    def write(self, data: bytes, deadline_s: float) -> int:
        """See `Printer.write`."""
        self._require_open()
        try:
            self._link.send(data, self._clock() + deadline_s)
        except DeviceError as error:
            self._fail(error)
            raise
        return len(data)

    def confirm(self, deadline_s: float) -> bool:
        """See `Printer.confirm`."""
        if not self._open:
            return False
        until = self._clock() + deadline_s
        try:
            self._discard_stale_answers()
            self._link.send(words.ASK_IN_ORDER, until)
            return self._answer(words.is_in_order_answer, until) is not None
        except DeviceError as error:
            self._fail(error)
            return False

    def status(self) -> PrinterStatus:
        """See `Printer.status`."""
        if not self._open:
            return UNKNOWN_STATUS
        try:
            status = self._ask()
        except DeviceError as error:
            self._fail(error)
            return UNKNOWN_STATUS
        self._health.set(*_state_of(status), paper=status.paper.value, cover=status.cover.value)
        return status

    def health(self) -> Health:
        """See `Printer.health`."""
        return self._health()

    def _ask(self) -> PrinterStatus:
        self._discard_stale_answers()
        answers: list[int | None] = []
        for question in (words.ASK_PRINTER, words.ASK_OFFLINE_CAUSE, words.ASK_PAPER):
            until = self._clock() + self._timeout_s
            self._link.send(question, until)
            answers.append(self._answer(words.is_status, until))
            if answers[0] is None:
                # A printer that leaves the first question open is not asked twice more: each would cost a timeout.
                return UNKNOWN_STATUS
        return words.parse(*answers)

    def _answer(self, fits: words.Fits, until: float) -> int | None:
        """The one byte that answers; anything more, or with the wrong fixed bits, is rubbish and no answer."""
        received = self._link.receive(until)
        if len(received) != 1 or not fits(received[0]) or self._link.receive(self._clock()):
            return None
        return received[0]

    def _discard_stale_answers(self) -> None:
        """An answer that came too late for the last question must not answer the next; 64 reads bound a babbler."""
        for _ in range(64):
            if not self._link.receive(self._clock()):
                return

    def _require_open(self) -> None:
        if not self._open:
            raise DeviceUnavailable(f"The printer at {self._link.name} is not open.")

    def _fail(self, error: DeviceError) -> None:
        self._shut(State.FAULT if isinstance(error, DeviceTimeout) else State.ABSENT, str(error))

    def _shut(self, state: State, reason: str) -> None:
        self._open = False
        self._link.close()
        self._health.set(state, reason)


def _state_of(status: PrinterStatus) -> tuple[State, str]:
    if not status.answered:
        return State.DEGRADED, "The printer does not say how it is; look at it."
    if status.paper is Paper.OUT:
        return State.FAULT, "The printer has no paper. Put in a new roll."
    if status.cover is Cover.OPEN:
        return State.FAULT, "The cover of the printer is open. Close it."
    if status.online is False:
        return State.FAULT, "The printer says that it is offline."
    if status.paper is Paper.LOW:
        return State.DEGRADED, "The paper is nearly used up. Have a new roll ready."
    if status.paper is Paper.UNKNOWN:
        return State.DEGRADED, "The printer does not say whether it has paper."
    return State.READY, "The printer is ready."
