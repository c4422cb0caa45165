"""A receipt printer without the plastic: takes ESC/POS bytes, keeps the receipts, breaks on request."""

from __future__ import annotations

import enum
import threading
import time
from collections import deque
from collections.abc import Callable

from drivers.health import Clock
from drivers.printer import status as words
from drivers.printer.interpreter import Interpreter, Query
from drivers.printer.model import Receipt
from drivers.printer.paper import receipt_png

KEPT_RECEIPTS = 20
SLOW_BYTES_PER_S = 4000
LATE_S = 0.45
"""How long a late printer thinks before it answers."""
RESET_S = 0.2
"""How long a printer that resets itself is gone."""
RUBBISH = b"\xff\x00\xa5\x5a"
AUTOMATIC_STATUS = b"\x14\x00\x00\x0f"
"""Four bytes that a printer with automatic status (GS a) sends unasked."""


class Fault(enum.Enum):
    """What can be wrong with a simulated printer."""

    PAPER_OUT = "paper_out"
    PAPER_LOW = "paper_low"
    COVER_OPEN = "cover_open"
    OFFLINE = "offline"
    JAM = "jam"
    """The knife is stuck: nothing is printed, and the printer says why."""
    STALL = "stall"
    """It stops taking bytes and answering."""
    SILENT = "silent"
    UNPLUG = "unplug"
    RESET = "reset"
    """It restarts by itself: the cable is dead for a moment, what was not cut is lost, then all is well again."""
    GARBAGE = "garbage"
    LATE = "late"
    """It answers, but only after a while."""
    CHATTY = "chatty"
    """It sends its status unasked, between its answers."""
    SLOW = "slow"


_NOT_PRINTING = frozenset({Fault.PAPER_OUT, Fault.COVER_OPEN, Fault.OFFLINE, Fault.JAM})
GONE = frozenset({Fault.UNPLUG, Fault.RESET})
"""The faults in which there is no printer at the cable."""


class SimulatedPrinter:
    """The printer behind every simulated transport; safe to use from several threads.

    With the paper out, the cover open, the knife stuck or offline it takes bytes but draws none of them. At most `kept`
    receipts stay in memory, oldest dropped first.
    """

    def __init__(self, kept: int = KEPT_RECEIPTS, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._interpreter = Interpreter()
        self._receipts: deque[Receipt] = deque(maxlen=kept)
        self._count = 0
        self._bytes = 0
        self._fault: Fault | None = None
        self._back_at = 0.0
        self._watchers: list[Callable[[], None]] = []
        self._drawn: tuple[Receipt, bytes] | None = None
        self._planned_receipt: tuple[int, Fault] | None = None
        self._planned_byte: tuple[int, Fault] | None = None
        self.reply_s = 0.0
        self.hang_ups = 0

    @property
    def fault(self) -> Fault | None:
        """What is wrong with it now."""
        if self._fault is Fault.RESET and self._clock() >= self._back_at:
            self.set_fault(None)
        return self._fault

    @property
    def plugged(self) -> bool:
        """Whether there is a printer at the cable; `hang_ups` counts how often there was none."""
        return self.fault not in GONE

    @property
    def answer_delay_s(self) -> float:
        """How long an answer takes now: `reply_s`, and more for a late printer."""
        return self.reply_s + (LATE_S if self.fault is Fault.LATE else 0.0)

    def set_fault(self, fault: Fault | str | None) -> None:
        """Break the printer in one way, or mend it with None; raises `ValueError` for a name it does not know."""
        with self._lock:
            self._fault = Fault(fault) if fault is not None else None
            self._interpreter.strip.has_paper = self._fault not in _NOT_PRINTING
            if self._fault in GONE:
                self._interpreter.switch_off()
                self.hang_ups += 1
                self._back_at = self._clock() + RESET_S
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher()

    def break_after(self, receipts: int, fault: Fault) -> None:
        """Break by itself once `receipts` more have been cut."""
        with self._lock:
            self._planned_receipt = (self._count + receipts, fault)

    def break_after_bytes(self, count: int, fault: Fault) -> None:
        """Break by itself once `count` more bytes have come, which may be in the middle of a job."""
        with self._lock:
            self._planned_byte = (self._bytes + count, fault)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after every change of the fault, except that a reset ends in silence."""
        with self._lock:
            self._watchers.append(watcher)

    def room(self, wanted: int) -> int:
        """How many of `wanted` bytes a transport may hand over at once; the next may meet another fault."""
        with self._lock:
            if self._planned_byte is None:
                return wanted
            return max(1, min(wanted, self._planned_byte[0] - self._bytes))

    def receive(self, data: bytes) -> bytes:
        """Work through bytes that arrived; returns what the printer sends back.

        Bytes beyond a planned break are lost, unless the cable kept them back by `room`.
        """
        answers = b""
        while data:
            size = self.room(len(data))
            answers += self._work(data[:size])
            data = data[size:] if self.plugged and self.fault is not Fault.STALL else b""
        return answers

    def _work(self, data: bytes) -> bytes:
        with self._lock:
            queries = self._interpreter.feed(data)
            self._bytes += len(data)
            for receipt in self._interpreter.strip.take_receipts():
                self._receipts.append(receipt)
                self._count += 1
            answers = b"".join(self._answer(query) for query in queries)
        self._break_as_planned()
        return answers

    def _break_as_planned(self) -> None:
        with self._lock:
            due = None
            if self._planned_receipt is not None and self._count >= self._planned_receipt[0]:
                (_, due), self._planned_receipt = self._planned_receipt, None
            if self._planned_byte is not None and self._bytes >= self._planned_byte[0]:
                (_, due), self._planned_byte = self._planned_byte, None
        if due is not None:
            self.set_fault(due)

    @property
    def drawer_kicks(self) -> int:
        """How often the cash drawer was opened."""
        return len(self._interpreter.drawer_kicks)

    @property
    def byte_count(self) -> int:
        """How many bytes have reached it since the start, questions among them."""
        return self._bytes

    @property
    def count(self) -> int:
        """How many receipts were cut since the start."""
        return self._count

    def receipts(self) -> list[Receipt]:
        """The kept receipts, oldest first."""
        with self._lock:
            return list(self._receipts)

    def last_receipt(self) -> Receipt | None:
        """The receipt cut last; before the first cut, whatever hangs out of the printer."""
        with self._lock:
            return self._receipts[-1] if self._receipts else self._interpreter.strip.unfinished()

    def receipt_png(self) -> bytes | None:
        """The last receipt as PNG, or None when nothing has been printed."""
        receipt = self.last_receipt()
        if receipt is None:
            return None
        drawn = self._drawn
        if drawn is None or drawn[0] is not receipt:
            drawn = (receipt, receipt_png(receipt))
            self._drawn = drawn
        return drawn[1]

    def _answer(self, query: Query) -> bytes:
        fault = self._fault
        if fault is Fault.SILENT:
            return b""
        if fault is Fault.GARBAGE:
            return RUBBISH
        if query is Query.PAPER_IN_ORDER:
            # A printer that has stopped does not get as far as this question.
            answer = b"" if fault in _NOT_PRINTING else bytes([0x03 if fault is Fault.PAPER_LOW else 0x00])
        else:
            answer = bytes([_status_byte(query, fault)])
        return AUTOMATIC_STATUS + answer + AUTOMATIC_STATUS if fault is Fault.CHATTY else answer


def _status_byte(query: Query, fault: Fault | None) -> int:
    byte = words.FIXED_BITS
    if query is Query.PRINTER and fault in _NOT_PRINTING:
        byte |= words.OFFLINE
    if query is Query.OFFLINE_CAUSE:
        causes = {
            Fault.COVER_OPEN: words.COVER_OPEN,
            Fault.PAPER_OUT: words.STOPPED_BY_PAPER_END,
            Fault.JAM: words.ERROR_OCCURRED,
        }
        byte |= causes.get(fault, 0) if fault else 0
    if query is Query.ERROR_CAUSE and fault is Fault.JAM:
        byte |= words.CUTTER_ERROR
    if query is Query.PAPER and fault is Fault.PAPER_OUT:
        byte |= words.PAPER_END | words.PAPER_LOW
    if query is Query.PAPER and fault is Fault.PAPER_LOW:
        byte |= words.PAPER_LOW
    return byte
