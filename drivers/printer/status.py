"""Status: what is asked of a printer, and what its answers mean (Epson ESC/POS reference, "DLE EOT", "GS r").

The status byte of a USB printer port (USB printer class 1.1, GET_PORT_STATUS; `LPGETSTATUS` of Linux) is asked of the
interface, not of the printer's program. Many printers say "all is well" there whatever happens, so it can only make a
reading worse.
"""

from __future__ import annotations

from dataclasses import replace

from drivers.printer.api import UNKNOWN_STATUS, Cover, Paper, PrinterStatus, Trouble

ASK_PRINTER = b"\x10\x04\x01"
ASK_OFFLINE_CAUSE = b"\x10\x04\x02"
ASK_ERROR_CAUSE = b"\x10\x04\x03"
ASK_PAPER = b"\x10\x04\x04"
ASK_IN_ORDER = b"\x1dr\x01"
"""GS r 1: answered only after everything sent before has been worked through."""

FIXED_BITS = 0x12
OFFLINE = 0x08
COVER_OPEN = 0x04
STOPPED_BY_PAPER_END = 0x20
ERROR_OCCURRED = 0x40
CUTTER_ERROR = 0x08
RECOVERS_BY_ITSELF = 0x40
PAPER_LOW = 0x0C
PAPER_END = 0x60
IN_ORDER_PAPER_LOW = 0x03
IN_ORDER_PAPER_END = 0x0C

PORT_PAPER_EMPTY = 0x20
PORT_SELECTED = 0x10
PORT_NO_ERROR = 0x08
_PORT_BITS = PORT_PAPER_EMPTY | PORT_SELECTED | PORT_NO_ERROR


def parse(
    printer: int | None, offline_cause: int | None, paper: int | None, error_cause: int | None = None
) -> PrinterStatus:
    """The status behind the answers to DLE EOT 1, 2, 4 and 3; None stands for an answer that did not come."""
    return PrinterStatus(
        paper=_paper(offline_cause, paper),
        cover=_cover(offline_cause),
        online=None if printer is None else not printer & OFFLINE,
        trouble=_trouble(offline_cause, error_cause),
    )


def parse_in_order(answer: int) -> PrinterStatus:
    """What GS r 1 alone tells, for printers that leave DLE EOT unanswered."""
    if answer & IN_ORDER_PAPER_END:
        return PrinterStatus(Paper.OUT)
    return PrinterStatus(Paper.LOW if answer & IN_ORDER_PAPER_LOW else Paper.OK)


def with_port_status(status: PrinterStatus, port: int | None) -> PrinterStatus:
    """`status`, made worse by what the interface says; bits that no port defines make it worthless."""
    if port is None or port & ~_PORT_BITS:
        return status
    if port & PORT_PAPER_EMPTY:
        return replace(status, paper=Paper.OUT)
    if port == PORT_SELECTED and status == UNKNOWN_STATUS:
        return replace(status, trouble=Trouble.MECHANICAL)
    return status


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


def _trouble(offline_cause: int | None, error_cause: int | None) -> Trouble | None:
    if offline_cause is None or not offline_cause & ERROR_OCCURRED:
        return None
    if error_cause is not None and error_cause & CUTTER_ERROR:
        return Trouble.CUTTER
    if error_cause is not None and error_cause & RECOVERS_BY_ITSELF:
        return Trouble.OVERHEATED
    return Trouble.MECHANICAL
