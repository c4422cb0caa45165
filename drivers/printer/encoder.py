"""From a `Document` to the bytes that one printer model understands."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

import segno
from PIL import Image

from drivers.fonts import draw_text
from drivers.printer.document import QR, Align, Block, Columns, Cut, Document, Drawer, Feed, Rule, Text, Title
from drivers.printer.document import Image as Picture
from drivers.printer.escpos_library import escpos_module
from drivers.printer.layout import LINE_DOTS, NO_PAGE, cells, spelled, split_runs, wrap
from drivers.printer.profile import DEFAULT_PROFILE, Profile, load_profile
from drivers.printer.raster import column_command, placed, printable_picture, raster_bytes, raster_commands

MAX_SIZE = 4
MAX_FEED_LINES = 50
MAX_PICTURE_S = 4.0
"""A picture that would hold up the line for longer is left out: a guest waits for the paper."""
_FAST_BYTES_PER_S = 500_000
_QUIET_MODULES = 4
_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+\-./:]+")
"""What a QR code holds in its alphanumeric mode (ISO/IEC 18004, table 5)."""
_PULSE_ON, _PULSE_OFF = 50, 250
"""How long the drawer's coil is driven and left alone, in units of 2 ms."""


def render(
    document: Document, profile: Profile | str = DEFAULT_PROFILE, *, bytes_per_s: int = _FAST_BYTES_PER_S
) -> bytes:
    """The whole job, starting with a reset, so that nothing of an earlier job shows through.

    `bytes_per_s` is `Printer.bytes_per_s`; it decides which pictures are worth their time. Raises `ValueError` when the
    data of a QR code is longer than any QR code holds, or a picture cannot be read.
    """
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    encoder = _Encoder(chosen, bytes_per_s)
    for block in document.blocks:
        encoder.block(block)
    return encoder.output()


def qr_module_dots(data: str, width_dots: int) -> int:
    """The largest module, up to 8 dots, at which the code with its quiet zone fills three quarters of the paper."""
    # Its size depends on nothing but how many characters of which kind it holds, and receipts are much alike in that.
    alike = "A" * len(data) if _ALPHANUMERIC.fullmatch(data) and not data.isdigit() else data
    modules = _modules(alike) + 2 * _QUIET_MODULES
    return max(1, min(8, width_dots * 3 // 4 // modules))


@lru_cache(maxsize=64)
def _modules(data: str) -> int:
    # Any mask will do for the size; finding the best one is nine tenths of the work.
    return len(segno.make_qr(data, error="m", boost_error=False, mask=0).matrix)


class _Encoder:
    """Writes one job; knows what the printer was told so far."""

    def __init__(self, profile: Profile, bytes_per_s: int) -> None:
        self._profile = profile
        self._bytes_per_s = bytes_per_s
        self._out: Any = escpos_module("printer").Dummy(profile=profile.name)
        self._out.hw("INIT")
        if profile.may_start_in_chinese:
            # FS . : many printers of other makes start in a two-byte mode that swallows every accented letter.
            self._out._raw(b"\x1c.")

    def output(self) -> bytes:
        return bytes(self._out.output)

    def block(self, block: Block) -> None:
        match block:
            case Title():
                self._text(Text(block.text, bold=True, size=2, align=Align.CENTER))
            case Text():
                self._text(block)
            case Rule():
                self._text(Text("─" * self._profile.columns))
            case Columns():
                self._columns(block)
            case QR():
                self._qr(block)
            case Picture():
                self._image(block)
            case Drawer():
                # ESC p: m = 0 is pin 2, m = 1 is pin 5.
                self._out._raw(b"\x1bp" + bytes([block.pin == 5, _PULSE_ON, _PULSE_OFF]))
            case Feed():
                self._out._raw(b"\x1bd" + bytes([max(1, min(block.lines, MAX_FEED_LINES))]))
            case Cut():
                self._out.cut(mode="PART")

    def _text(self, text: Text) -> None:
        size = max(1, min(text.size, MAX_SIZE))
        self._style(text.align, text.bold, size)
        for line in wrap(self._spelled(text.text), self._profile.columns // size, self._profile):
            self._line(line, align=text.align, bold=text.bold, size=size)

    def _spelled(self, text: str) -> str:
        return text if self._profile.pictures else spelled(text, self._profile)

    def _columns(self, columns: Columns) -> None:
        width = self._profile.columns
        columns = replace(columns, left=self._spelled(columns.left), right=self._spelled(columns.right))
        right = wrap(columns.right, width, self._profile)[0]
        left_width = width - cells(right, self._profile) - 1
        if left_width < width // 4:
            self._text(Text(columns.left, columns.bold))
            self._text(Text(columns.right, columns.bold, align=Align.RIGHT))
            return
        self._style(Align.LEFT, columns.bold, 1)
        first, *rest = wrap(columns.left, left_width, self._profile)
        gap = " " * (width - cells(first, self._profile) - cells(right, self._profile))
        # Apart from each other: two names from the right must not change columns.
        self._line(first, gap, right, bold=columns.bold)
        for line in rest:
            self._line(line, bold=columns.bold)

    def _style(self, align: Align, bold: bool, size: int) -> None:
        self._out.set(align=align.value, bold=bold, custom_size=True, width=size, height=size)

    def _line(self, *pieces: str, align: Align = Align.LEFT, bold: bool = False, size: int = 1) -> None:
        runs = [run for piece in pieces for run in split_runs(piece, self._profile)]
        drawn = any(run.page is None for run in runs)
        if drawn and (size > 1 or not self._profile.column_pictures):
            self._drawn_line(pieces, align, bold, size)
            return
        for run in runs:
            if run.page is None:
                drawn_run = placed(
                    draw_text(run.text, LINE_DOTS, bold), run.cells * self._profile.cell_dots, Align.LEFT
                )
                self._out._raw(column_command(drawn_run))
            elif run.page == NO_PAGE:
                self._out._raw(run.text.encode("ascii", "replace"))
            else:
                self._out.magic.write_with_encoding(run.page, run.text)
        self._out._raw(b"\n")

    def _drawn_line(self, pieces: tuple[str, ...], align: Align, bold: bool, size: int) -> None:
        """A whole line as a picture: bit images inside a line cannot be enlarged."""
        first, *rest = [draw_text(piece, LINE_DOTS * size, bold) for piece in pieces]
        line = placed(first, self._profile.width_dots, align)
        if rest:
            # Two columns: the last piece at the right edge, whatever the letters between would have measured.
            line.paste(rest[-1], (max(0, line.width - rest[-1].width), 0))
        self._picture(line)

    def _picture(self, picture: Image.Image) -> None:
        """GS v 0, from the left edge."""
        self._out.set(align="left")
        self._out._raw(raster_commands(picture))

    def _image(self, image: Picture) -> None:
        width = self._profile.width_dots
        picture = printable_picture(image.data, round(width * max(0.05, min(image.share, 1.0))), dither=image.dither)
        # White dots take as long to send as black ones: a margin on the left only.
        margin = {Align.LEFT: 0, Align.CENTER: (width - picture.width) // 2, Align.RIGHT: width - picture.width}
        sent = placed(picture, margin[image.align] + picture.width, Align.RIGHT)
        if not self._profile.pictures or raster_bytes(sent) > MAX_PICTURE_S * self._bytes_per_s:
            if image.instead:
                self._text(Text(image.instead, bold=True, align=image.align))
            return
        self._picture(sent)

    def _qr(self, code: QR) -> None:
        dots = code.module_dots or qr_module_dots(code.data, self._profile.width_dots)
        dots = max(1, min(dots, 16))
        if self._profile.native_qr:
            self._out.set(align="center")
            self._out.qr(code.data, ec=1, size=dots, native=True)
            self._out._raw(b"\n")
            return
        if not self._profile.pictures:
            self._text(Text("(This printer cannot print the code.)", align=Align.CENTER))
            return
        self._picture(placed(_qr_picture(code.data, dots), self._profile.width_dots, Align.CENTER))


def _qr_picture(data: str, dots: int) -> Image.Image:
    rows = [bytes(row) for row in segno.make_qr(data, error="m", boost_error=False).matrix]
    edge = len(rows)
    picture = Image.new("1", (edge + 2 * _QUIET_MODULES,) * 2, 1)
    for top, row in enumerate(rows):
        for left, dark in enumerate(row):
            if dark:
                picture.putpixel((left + _QUIET_MODULES, top + _QUIET_MODULES), 0)
    return picture.resize((picture.width * dots, picture.height * dots), Image.Resampling.NEAREST)
