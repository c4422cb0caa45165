"""Real-time status: what DLE EOT answers look like (Epson ESC/POS reference, "DLE EOT")."""

from __future__ import annotations

from collections.abc import Callable

from drivers.printer.api import Cover, Paper, PrinterStatus

Fits = Callable[[int], bool]

ASK_PRINTER = b"\x10\x04\x01"
ASK_OFFLINE_CAUSE = b"\x10\x04\x02"
ASK_PAPER = b"\x10\x04\x04"
ASK_IN_ORDER = b"\x1dr\x01"
"""GS r 1: answered only after everything sent before has been worked through."""

FIXED_MASK, FIXED_BITS = 0x93, 0x12
OFFLINE = 0x08
COVER_OPEN = 0x04
STOPPED_BY_PAPER_END = 0x20
PAPER_LOW = 0x0C
PAPER_END = 0x60
IN_ORDER_MASK = 0x90
IN_ORDER_PAPER_END = 0x0C


def is_status(byte: int) -> bool:
    """Whether `byte` has the fixed bits of a DLE EOT answer; anything else is rubbish or another answer."""
    return byte & FIXED_MASK == FIXED_BITS


def is_in_order_answer(byte: int) -> bool:
    """Whether `byte` has the fixed bits of a GS r answer and does not say that the paper ended meanwhile."""
    return byte & (IN_ORDER_MASK | IN_ORDER_PAPER_END) == 0


def parse(printer: int | None, offline_cause: int | None, paper: int | None) -> PrinterStatus:
    """The status behind the answers to DLE EOT 1, 2 and 4; None stands for an answer that did not come."""
    return PrinterStatus(
        paper=_paper(offline_cause, paper),
        cover=_cover(offline_cause),
        online=None if printer is None else not printer & OFFLINE,
    )


def _paper(offline_cause: int | None, paper: int | None) -> Paper:
    if paper is not None and paper & PAPER_END:
        return Paper.OUT
    if offline_cause is not None and offline_cause & STOPPED_BY_PAPER_END:
        return Paper.OUT
    if paper is None:
        return Paper.UNKNOWN
    return Paper.LOW if paper & PAPER_LOW else Paper.OK


def _cover(offline_cause: int | None) -> Cover:
    if offline_cause is None:
        return Cover.UNKNOWN
    return Cover.OPEN if offline_cause & COVER_OPEN else Cover.CLOSED
