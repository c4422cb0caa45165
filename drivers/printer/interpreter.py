"""An ESC/POS printer's mind: bytes in, rows of paper and answers out. Pure, incremental, bounded, never raises.

Bytes may arrive in any pieces. Commands that are not known are skipped with the number of parameters that Epson's
reference gives; a stretch that declares more data than `MAX_BLOB_BYTES` is swallowed without being kept.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace

from drivers.printer.codepages import DEFAULT_PAGE, decode
from drivers.printer.document import Align
from drivers.printer.model import Bits, Style
from drivers.printer.strip import DEFAULT_LINE_DOTS, Strip

MAX_BLOB_BYTES = 1 << 20
MAX_KICKS = 1000
"""How many openings of the drawer are remembered (`Interpreter.drawer_kicks`: the pin of each)."""

DLE, ESC, FS, GS = 0x10, 0x1B, 0x1C, 0x1D


class Query(enum.Enum):
    """What a printer may be asked in the byte stream."""

    PRINTER = "DLE EOT 1"
    OFFLINE_CAUSE = "DLE EOT 2"
    ERROR_CAUSE = "DLE EOT 3"
    PAPER = "DLE EOT 4"
    PAPER_IN_ORDER = "GS r 1"


_REAL_TIME = {1: Query.PRINTER, 2: Query.OFFLINE_CAUSE, 3: Query.ERROR_CAUSE, 4: Query.PAPER}
_ALIGNS = {0: Align.LEFT, 1: Align.CENTER, 2: Align.RIGHT}

# How many parameter bytes follow the two command bytes, where it is a fixed number; commands not listed have none.
_ESC_PARAMETERS = {
    **dict.fromkeys(b" !%-3=?AEGJMRTUVadertu{}", 1),
    **dict.fromkeys(b"$\\Bc", 2),
    ord("p"): 3,
    ord("W"): 8,
}
_GS_PARAMETERS = {**dict.fromkeys(b"!/BEHITabfhrw", 1), **dict.fromkeys(b"$LPW\\", 2), ord("^"): 3}
_FS_PARAMETERS = {**dict.fromkeys(b"!-CW", 1), **dict.fromkeys(b"Sp", 2)}

# How far a command got: the position after it, or None when more bytes must come first.
_Next = int | None


@dataclass(slots=True)
class _QrSettings:
    module_dots: int = 3
    level: str = "L"
    stored: bytes = b""


class Interpreter:
    """One printer's parser and paper; not thread-safe."""

    def __init__(self) -> None:
        self.strip = Strip()
        self.drawer_kicks: list[int] = []
        self._pending = bytearray()
        self._skip = 0
        self._cut_due = False
        self._leads = {DLE: self._dle, ESC: self._esc, FS: self._fs, GS: self._gs}
        self._reset()

    def feed(self, data: bytes) -> list[Query]:
        """Work through `data`; returns what was asked, in order."""
        queries: list[Query] = []
        self._pending += data
        position = self._swallow(0)
        while position < len(self._pending):
            following = self._step(position, queries)
            if following is None:
                break
            self._finish_command(position, following)
            position = self._swallow(following)
        del self._pending[:position]
        return queries

    def _finish_command(self, start: int, end: int) -> None:
        if self._pending[start] != DLE:
            self.strip.keep_raw(self._pending[start:end])
        if self._cut_due:
            self._cut_due = False
            self.strip.cut()

    def switch_off(self) -> None:
        """Drop half a command, half a line and the uncut paper, as switching the printer off does."""
        self._pending.clear()
        self._skip = 0
        self.strip.tear_off()
        self._reset()

    def _reset(self) -> None:
        self.strip.reset()
        self._page = DEFAULT_PAGE
        self._graphics: Bits | None = None
        self._qr = _QrSettings()

    def _swallow(self, position: int) -> int:
        count = min(self._skip, len(self._pending) - position)
        self._skip -= count
        return position + count

    def _step(self, at: int, queries: list[Query]) -> _Next:
        byte = self._pending[at]
        if byte not in self._leads:
            self._plain(byte)
            return at + 1
        if at + 1 >= len(self._pending):
            return None
        return self._leads[byte](at, queries)

    def _plain(self, byte: int) -> None:
        if byte in (0x0A, 0x0C):
            self.strip.end_line()
        elif byte == 0x09:
            self.strip.tab()
        elif byte >= 0x20 and byte != 0x7F:
            self.strip.letter(decode(byte, self._page))

    def _dle(self, at: int, queries: list[Query]) -> _Next:
        kind = self._pending[at + 1]
        if kind == 0x04:
            if at + 2 >= len(self._pending):
                return None
            query = _REAL_TIME.get(self._pending[at + 2])
            if query is not None:
                queries.append(query)
            return at + 3
        if kind == 0x05:
            return self._after(at, 1)
        if kind == 0x14:
            return self._after(at, 3)
        return at + 1

    def _esc(self, at: int, _queries: list[Query]) -> _Next:
        kind = self._pending[at + 1]
        if kind == ord("*"):
            return self._column_picture(at)
        if kind == ord("D"):
            end = self._pending.find(0, at + 2, at + 2 + 33)
            return self._wait_or(end + 1 if end >= 0 else at + 2 + 33)
        if kind == ord("("):
            return self._sized(at, _ignore)
        end_of_parameters = self._after(at, _ESC_PARAMETERS.get(kind, 0))
        if end_of_parameters is not None:
            value = self._pending[at + 2] if end_of_parameters > at + 2 else 0
            self._apply_esc(chr(kind), value)
        return end_of_parameters

    def _apply_esc(self, kind: str, value: int) -> None:
        match kind:
            case "@":
                self._reset()
            case "!":
                self.strip.style = Style(
                    bold=bool(value & 8),
                    underline=bool(value & 128),
                    small=bool(value & 1),
                    tall=2 if value & 16 else 1,
                    wide=2 if value & 32 else 1,
                )
            case "E" | "G":
                self.strip.style = replace(self.strip.style, bold=bool(value & 1))
            case "-":
                self.strip.style = replace(self.strip.style, underline=value in (1, 2, 49, 50))
            case "M":
                self.strip.style = replace(self.strip.style, small=value in (1, 49))
            case "a":
                self.strip.align = _ALIGNS.get(value % 48, self.strip.align)
            case "t":
                self._page = value
            case "2" | "3":
                self.strip.line_dots = value if kind == "3" else DEFAULT_LINE_DOTS
            case "d":
                self.strip.feed(value * self.strip.line_dots)
            case "J":
                self.strip.feed(value)
            case "i" | "m":
                self._cut_due = True
            case "p" if len(self.drawer_kicks) < MAX_KICKS:
                self.drawer_kicks.append(5 if value in (1, 49) else 2)

    def _fs(self, at: int, _queries: list[Query]) -> _Next:
        kind = self._pending[at + 1]
        if kind == ord("("):
            return self._sized(at, _ignore)
        return self._after(at, _FS_PARAMETERS.get(kind, 0))

    def _gs(self, at: int, queries: list[Query]) -> _Next:
        kind = self._pending[at + 1]
        match chr(kind):
            case "v":
                return self._raster_picture(at)
            case "V":
                return self._cut_command(at)
            case "(":
                return self._sized(at, self._gs_function)
            case "8":
                return self._long_sized(at)
            case "k":
                return self._barcode(at)
            case "*":
                return self._download(at)
        end = self._after(at, _GS_PARAMETERS.get(kind, 0))
        if end is not None:
            self._apply_gs(chr(kind), self._pending[at + 2] if end > at + 2 else 0, queries)
        return end

    def _apply_gs(self, kind: str, value: int, queries: list[Query]) -> None:
        if kind == "!":
            self.strip.style = replace(self.strip.style, wide=(value >> 4 & 7) + 1, tall=(value & 7) + 1)
        elif kind == "B":
            self.strip.style = replace(self.strip.style, inverse=bool(value & 1))
        elif kind == "r" and value in (1, 49):
            queries.append(Query.PAPER_IN_ORDER)

    def _cut_command(self, at: int) -> _Next:
        if at + 2 >= len(self._pending):
            return None
        mode = self._pending[at + 2]
        end = self._after(at, 2 if mode in (65, 66, 97, 98, 103, 104) else 1)
        if end is not None:
            self._cut_due = True
        return end

    def _column_picture(self, at: int) -> _Next:
        if at + 5 > len(self._pending):
            return None
        mode = self._pending[at + 2]
        width = int.from_bytes(self._pending[at + 3 : at + 5], "little")
        per_column = 3 if mode in (32, 33) else 1
        start, end = at + 5, at + 5 + width * per_column
        if end > len(self._pending):
            return None
        if width:
            columns = bytes(self._pending[start:end])
            across = 1 if mode in (1, 33) else 2
            self.strip.inline(_bits_from_columns(columns, width, per_column, across))
        return end

    def _raster_picture(self, at: int) -> _Next:
        if at + 8 > len(self._pending):
            return None
        if self._pending[at + 2] not in (0, 48):
            return at + 3
        mode = self._pending[at + 3] & 3
        width_bytes = int.from_bytes(self._pending[at + 4 : at + 6], "little")
        height = int.from_bytes(self._pending[at + 6 : at + 8], "little")
        body = self._blob(at + 8, width_bytes * height)
        if isinstance(body, bytes):
            bits = Bits(width_bytes * 8, height, body, 2 if mode & 1 else 1, 2 if mode & 2 else 1)
            self.strip.picture(bits)
            return at + 8 + len(body)
        return body

    def _blob(self, start: int, size: int) -> bytes | _Next:
        """`size` bytes from `start`; or the position to go on from when they are too many; or None to wait."""
        if size > MAX_BLOB_BYTES:
            self._skip = size
            self.strip.mark_incomplete()
            return start
        if start + size > len(self._pending):
            return None
        return bytes(self._pending[start : start + size])

    def _sized(self, at: int, apply: Callable[[str, bytes], None]) -> _Next:
        """`( fn pL pH body`."""
        if at + 5 > len(self._pending):
            return None
        size = int.from_bytes(self._pending[at + 3 : at + 5], "little")
        end = at + 5 + size
        if end > len(self._pending):
            return None
        apply(chr(self._pending[at + 2]), bytes(self._pending[at + 5 : end]))
        return end

    def _long_sized(self, at: int) -> _Next:
        """`GS 8 L p1 p2 p3 p4 body`: graphics with a four-byte length."""
        if at + 7 > len(self._pending):
            return None
        size = int.from_bytes(self._pending[at + 3 : at + 7], "little")
        body = self._blob(at + 7, size)
        if isinstance(body, bytes):
            self._graphics_function(body)
            return at + 7 + size
        return body

    def _gs_function(self, function: str, body: bytes) -> None:
        if function == "k":
            self._code_function(body)
        elif function == "L":
            self._graphics_function(body)

    def _code_function(self, body: bytes) -> None:
        """GS ( k with cn = 49, QR: 67 module size, 69 error correction, 80 store, 81 print."""
        if len(body) < 3 or body[0] != 49:
            return
        function, value = body[1], body[2]
        if function == 67:
            self._qr.module_dots = max(1, min(value, 16))
        elif function == 69:
            self._qr.level = {48: "L", 49: "M", 50: "Q", 51: "H"}.get(value, self._qr.level)
        elif function == 80:
            self._qr.stored = body[3:]
        elif function == 81 and self._qr.stored:
            self.strip.code(self._qr.stored, self._qr.module_dots, self._qr.level)

    def _graphics_function(self, body: bytes) -> None:
        """GS ( L with m = 48: 112 stores a raster picture, 50 prints it."""
        if len(body) < 2 or body[0] != 48:
            return
        if body[1] in (2, 50) and self._graphics is not None:
            self.strip.picture(self._graphics)
            self._graphics = None
        elif body[1] == 112 and len(body) >= 10:
            width = int.from_bytes(body[6:8], "little")
            height = int.from_bytes(body[8:10], "little")
            rows = body[10:]
            if len(rows) == (width + 7) // 8 * height:
                self._graphics = Bits(width, height, rows, max(1, min(body[3], 2)), max(1, min(body[4], 2)))

    def _barcode(self, at: int) -> _Next:
        """GS k: skipped; old form up to NUL, new form with a length."""
        if at + 4 > len(self._pending):
            return None
        if self._pending[at + 2] >= 65:
            return self._wait_or(at + 4 + self._pending[at + 3])
        end = self._pending.find(0, at + 3, at + 3 + 256)
        return self._wait_or(end + 1 if end >= 0 else at + 3 + 256)

    def _download(self, at: int) -> _Next:
        """GS * x y: a downloaded bit image, skipped."""
        if at + 4 > len(self._pending):
            return None
        return self._wait_or(at + 4 + self._pending[at + 2] * self._pending[at + 3] * 8)

    def _after(self, at: int, parameters: int) -> _Next:
        return self._wait_or(at + 2 + parameters)

    def _wait_or(self, end: int) -> _Next:
        return end if end <= len(self._pending) else None


def _ignore(_function: str, _body: bytes) -> None:
    """A command with a length that changes nothing on paper."""


def _bits_from_columns(columns: bytes, width: int, per_column: int, across: int) -> Bits:
    """Turn ESC * data, column by column from the top, into rows."""
    height = per_column * 8
    row_bytes = (width + 7) // 8
    rows = bytearray(row_bytes * height)
    for x in range(width):
        column = int.from_bytes(columns[x * per_column : (x + 1) * per_column], "big")
        for y in range(height):
            if column >> (height - 1 - y) & 1:
                rows[y * row_bytes + x // 8] |= 0x80 >> (x % 8)
    return Bits(width, height, bytes(rows), across, 1 if per_column == 3 else 3)
