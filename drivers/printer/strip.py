"""The strip of paper inside an interpreted printer: an open line, finished rows, and receipts when it is cut."""

from __future__ import annotations

from drivers.printer.document import Align
from drivers.printer.model import DOTS_PER_LINE, Bits, Blank, Code, Letters, Line, Picture, Receipt, Row, Style

MAX_ROWS = 4000
MAX_RAW_BYTES = 1 << 20
MAX_PICTURE_BYTES = 4 << 20
DEFAULT_LINE_DOTS = 30


class Strip:
    """Collects rows within fixed bounds; what no longer fits is dropped and the receipt marked as not whole.

    Without `has_paper` everything is dropped.
    """

    def __init__(self) -> None:
        self.has_paper = True
        self.style = Style()
        self.align = Align.LEFT
        self.line_dots = DEFAULT_LINE_DOTS
        self._parts: list[Letters | Bits] = []
        self._cuts: list[Receipt] = []
        self._clear()

    def reset(self) -> None:
        """What ESC @ does: default style, and the open line is lost."""
        self.style = Style()
        self.align = Align.LEFT
        self.line_dots = DEFAULT_LINE_DOTS
        self._parts.clear()

    def keep_raw(self, piece: bytes | bytearray) -> None:
        """Remember the bytes that made this receipt."""
        if len(self._raw) + len(piece) <= MAX_RAW_BYTES:
            self._raw += piece
        else:
            self._whole = False

    def letter(self, letter: str) -> None:
        """Put one letter on the open line; a full line is printed first."""
        if self._used_dots() + self.style.cell_dots > DOTS_PER_LINE:
            self.end_line()
        last = self._parts[-1] if self._parts else None
        if isinstance(last, Letters) and last.style == self.style:
            self._parts[-1] = Letters(last.text + letter, self.style)
        else:
            self._parts.append(Letters(letter, self.style))

    def tab(self) -> None:
        """Go on to the next eighth column."""
        columns = self._used_dots() // self.style.cell_dots
        for _ in range(8 - columns % 8):
            self.letter(" ")

    def inline(self, bits: Bits) -> None:
        """Put a picture on the open line."""
        self._parts.append(bits)
        if self._used_dots() >= DOTS_PER_LINE:
            self.end_line()

    def picture(self, bits: Bits) -> None:
        """Print a picture on lines of its own."""
        self.flush_line()
        if bits.width and bits.height:
            self._add(Picture(bits, self.align))

    def code(self, data: bytes, module_dots: int, level: str) -> None:
        """Print a QR code."""
        self.flush_line()
        self._add(Code(data, module_dots, level, self.align))

    def feed(self, dots: int) -> None:
        """Print the open line, then move the paper."""
        self.flush_line()
        self._add(Blank(dots))

    def end_line(self) -> None:
        """Print the open line, or move by one line when it is empty."""
        if self._parts:
            self.flush_line()
        else:
            self._add(Blank(self.line_dots))

    def flush_line(self) -> None:
        """Print the open line if there is anything on it."""
        lines = self._open_line()
        self._parts.clear()
        for line in lines:
            self._add(line)

    def cut(self) -> None:
        """Cut what is printed off as a receipt; blank paper is thrown away."""
        self.flush_line()
        if any(not isinstance(row, Blank) for row in self._rows):
            self._cuts.append(Receipt(tuple(self._rows), bytes(self._raw), self._whole))
        self._clear()

    def take_receipts(self) -> list[Receipt]:
        """The receipts cut since the last call."""
        cuts, self._cuts = self._cuts, []
        return cuts

    def unfinished(self) -> Receipt | None:
        """What hangs out of the printer, not cut yet; None when there is nothing."""
        rows = (*self._rows, *self._open_line())
        return Receipt(rows, bytes(self._raw), self._whole) if rows else None

    def tear_off(self) -> None:
        """Throw away what was not cut."""
        self._parts.clear()
        self._clear()

    def mark_incomplete(self) -> None:
        """Something of this receipt was dropped."""
        self._whole = False

    def _clear(self) -> None:
        self._rows: list[Row] = []
        self._raw = bytearray()
        self._picture_bytes = 0
        self._whole = True

    def _used_dots(self) -> int:
        return sum(part.width_dots for part in self._parts)

    def _open_line(self) -> tuple[Line, ...]:
        if not self._parts:
            return ()
        tallest = max(part.height_dots for part in self._parts)
        return (Line(tuple(self._parts), self.align, max(self.line_dots, tallest)),)

    def _add(self, row: Row) -> None:
        size = _picture_bytes(row)
        if self.has_paper and len(self._rows) < MAX_ROWS and self._picture_bytes + size <= MAX_PICTURE_BYTES:
            self._picture_bytes += size
            self._rows.append(row)
        else:
            self._whole = False


def _picture_bytes(row: Row) -> int:
    match row:
        case Line(parts):
            return sum(len(part.rows) for part in parts if isinstance(part, Bits))
        case Picture(bits):
            return len(bits.rows)
        case Code(data):
            return len(data)
        case _:
            return 0
