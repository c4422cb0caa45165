"""A receipt printer without the plastic: takes ESC/POS bytes, keeps the receipts, breaks on request."""

from __future__ import annotations

import enum
import threading
from collections import deque
from collections.abc import Callable

from drivers.printer import status as words
from drivers.printer.interpreter import Interpreter, Query
from drivers.printer.model import Receipt
from drivers.printer.paper import receipt_png

KEPT_RECEIPTS = 20
SLOW_BYTES_PER_S = 4000
RUBBISH = b"\xff\x00\xa5\x5a"


class Fault(enum.Enum):
    """What can be wrong with a simulated printer."""

    PAPER_OUT = "paper_out"
    PAPER_LOW = "paper_low"
    COVER_OPEN = "cover_open"
    OFFLINE = "offline"
    STALL = "stall"
    SILENT = "silent"
    UNPLUG = "unplug"
    GARBAGE = "garbage"
    SLOW = "slow"


_NOT_PRINTING = frozenset({Fault.PAPER_OUT, Fault.COVER_OPEN, Fault.OFFLINE})


class SimulatedPrinter:
    """The printer behind every simulated transport; safe to use from several threads.

    With the paper out, the cover open or offline it takes bytes but draws none of them. At most `kept` receipts
    stay in memory, oldest dropped first.
    """

    def __init__(self, kept: int = KEPT_RECEIPTS) -> None:
        self._lock = threading.Lock()
        self._interpreter = Interpreter()
        self._receipts: deque[Receipt] = deque(maxlen=kept)
        self._count = 0
        self._fault: Fault | None = None
        self._watchers: list[Callable[[], None]] = []
        self._drawn: tuple[Receipt, bytes] | None = None
        self._planned: tuple[int, Fault] | None = None

    @property
    def fault(self) -> Fault | None:
        """What is wrong with it now."""
        return self._fault

    def set_fault(self, fault: Fault | str | None) -> None:
        """Break the printer in one way, or mend it with None; raises `ValueError` for a name it does not know."""
        with self._lock:
            self._fault = Fault(fault) if fault is not None else None
            self._interpreter.strip.has_paper = self._fault not in _NOT_PRINTING
            if self._fault is Fault.UNPLUG:
                self._interpreter.switch_off()
            watchers = list(self._watchers)
        for watcher in watchers:
            watcher()

    def break_after(self, receipts: int, fault: Fault) -> None:
        """Break by itself once `receipts` more have been cut."""
        with self._lock:
            self._planned = (self._count + receipts, fault)

    def watch(self, watcher: Callable[[], None]) -> None:
        """Call `watcher` after every change of the fault."""
        with self._lock:
            self._watchers.append(watcher)

    def receive(self, data: bytes) -> bytes:
        """Work through bytes that arrived; returns what the printer sends back."""
        with self._lock:
            queries = self._interpreter.feed(data)
            for receipt in self._interpreter.strip.take_receipts():
                self._receipts.append(receipt)
                self._count += 1
            answers = b"".join(self._answer(query) for query in queries)
            due = self._planned is not None and self._count >= self._planned[0]
        if due:
            self._break_as_planned()
        return answers

    def _break_as_planned(self) -> None:
        with self._lock:
            planned, self._planned = self._planned, None
        if planned is not None:
            self.set_fault(planned[1])

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
            low = 0x03 if fault is Fault.PAPER_LOW else 0x00
            return b"" if fault in _NOT_PRINTING else bytes([low])
        return bytes([_status_byte(query, fault)])


def _status_byte(query: Query, fault: Fault | None) -> int:
    byte = words.FIXED_BITS
    if query is Query.PRINTER and fault in _NOT_PRINTING:
        byte |= words.OFFLINE
    if query is Query.OFFLINE_CAUSE and fault is Fault.COVER_OPEN:
        byte |= words.COVER_OPEN
    if query is Query.OFFLINE_CAUSE and fault is Fault.PAPER_OUT:
        byte |= words.STOPPED_BY_PAPER_END
    if query is Query.PAPER and fault is Fault.PAPER_OUT:
        byte |= words.PAPER_END | words.PAPER_LOW
    if query is Query.PAPER and fault is Fault.PAPER_LOW:
        byte |= words.PAPER_LOW
    return byte
