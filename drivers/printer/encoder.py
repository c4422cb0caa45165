"""From a `Document` to the bytes that one printer model understands."""

from __future__ import annotations

from typing import Any

import segno
from PIL import Image

from drivers.fonts import draw_text
from drivers.printer.document import QR, Align, Block, Columns, Cut, Document, Feed, Rule, Text, Title
from drivers.printer.escpos_library import escpos_module
from drivers.printer.layout import LINE_DOTS, cells, split_runs, wrap
from drivers.printer.profile import DEFAULT_PROFILE, Profile, load_profile

MAX_SIZE = 4
MAX_FEED_LINES = 50
_QUIET_MODULES = 4


def render(document: Document, profile: Profile | str = DEFAULT_PROFILE) -> bytes:
    """The whole job, starting with a reset, so that nothing of an earlier job shows through.

    Raises `ValueError` when the data of a QR code is longer than any QR code holds.
    """
    chosen = load_profile(profile) if isinstance(profile, str) else profile
    encoder = _Encoder(chosen)
    for block in document.blocks:
        encoder.block(block)
    return encoder.output()


def qr_module_dots(data: str, width_dots: int) -> int:
    """The largest module, up to 8 dots, at which the code with its quiet zone fills three quarters of the paper."""
    # Any mask will do for the size; finding the best one is nine tenths of the work.
    modules = len(segno.make_qr(data, error="m", boost_error=False, mask=0).matrix) + 2 * _QUIET_MODULES
    return max(1, min(8, width_dots * 3 // 4 // modules))


class _Encoder:
    """Writes one job; knows what the printer was told so far."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
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
            case Feed():
                self._out._raw(b"\x1bd" + bytes([max(1, min(block.lines, MAX_FEED_LINES))]))
            case Cut():
                self._out.cut(mode="PART")

    def _text(self, text: Text) -> None:
        size = max(1, min(text.size, MAX_SIZE))
        self._style(text.align, text.bold, size)
        for line in wrap(text.text, self._profile.columns // size, self._profile):
            self._line(line, text.align, text.bold, size)

    def _columns(self, columns: Columns) -> None:
        width = self._profile.columns
        right = wrap(columns.right, width, self._profile)[0]
        left_width = width - cells(right, self._profile) - 1
        if left_width < width // 4:
            self._text(Text(columns.left, columns.bold))
            self._text(Text(columns.right, columns.bold, align=Align.RIGHT))
            return
        self._style(Align.LEFT, columns.bold, 1)
        first, *rest = wrap(columns.left, left_width, self._profile)
        gap = " " * (width - cells(first, self._profile) - cells(right, self._profile))
        self._line(f"{first}{gap}{right}", Align.LEFT, columns.bold, 1)
        for line in rest:
            self._line(line, Align.LEFT, columns.bold, 1)

    def _style(self, align: Align, bold: bool, size: int) -> None:
        self._out.set(align=align.value, bold=bold, custom_size=True, width=size, height=size)

    def _line(self, line: str, align: Align, bold: bool, size: int) -> None:
        runs = split_runs(line, self._profile)
        drawn = any(run.page is None for run in runs)
        if drawn and (size > 1 or not self._profile.column_pictures):
            self._drawn_line(line, align, bold, size)
            return
        for run in runs:
            if run.page is None:
                self._out._raw(_inline_picture(run.text, run.cells * self._profile.cell_dots, bold))
            else:
                self._out.magic.write_with_encoding(run.page, run.text)
        self._out._raw(b"\n")

    def _drawn_line(self, line: str, align: Align, bold: bool, size: int) -> None:
        """A whole line as a picture: bit images inside a line cannot be enlarged."""
        text = draw_text(line, LINE_DOTS * size, bold)
        self._picture(_placed(text, self._profile.width_dots, align))

    def _picture(self, picture: Image.Image) -> None:
        """GS v 0, from the left edge."""
        self._out.set(align="left")
        self._out._raw(raster_command(picture))

    def _qr(self, code: QR) -> None:
        dots = code.module_dots or qr_module_dots(code.data, self._profile.width_dots)
        dots = max(1, min(dots, 16))
        if self._profile.native_qr:
            self._out.set(align="center")
            self._out.qr(code.data, ec=1, size=dots, native=True)
            self._out._raw(b"\n")
            return
        self._picture(_placed(_qr_picture(code.data, dots), self._profile.width_dots, Align.CENTER))


def raster_command(picture: Image.Image) -> bytes:
    """GS v 0 for a one-bit picture in which black is 0 (Epson ESC/POS reference: 1 prints a dot)."""
    bits = picture.convert("1").point(lambda value: 0 if value else 255)
    width_bytes = (bits.width + 7) // 8
    header = b"\x1dv0\x00" + width_bytes.to_bytes(2, "little") + bits.height.to_bytes(2, "little")
    return header + bits.tobytes()


def _inline_picture(text: str, width: int, bold: bool) -> bytes:
    """ESC * 33: a 24-dot picture inside the line, column by column, most significant bit on top."""
    picture = _placed(draw_text(text, LINE_DOTS, bold), width, Align.LEFT)
    # Turned by a quarter and mirrored, the rows of the picture are the columns of the paper.
    turned = picture.transpose(Image.Transpose.TRANSPOSE).point(lambda value: 0 if value else 255)
    return b"\x1b*\x21" + width.to_bytes(2, "little") + turned.tobytes()


def _placed(picture: Image.Image, width: int, align: Align) -> Image.Image:
    """`picture` on white paper of `width` dots, cut off where it is wider."""
    spare = max(0, width - picture.width)
    left = {Align.LEFT: 0, Align.CENTER: spare // 2, Align.RIGHT: spare}[align]
    paper = Image.new("1", (width, picture.height), 1)
    paper.paste(picture, (left, 0))
    return paper


def _qr_picture(data: str, dots: int) -> Image.Image:
    rows = [bytes(row) for row in segno.make_qr(data, error="m", boost_error=False).matrix]
    edge = len(rows)
    picture = Image.new("1", (edge + 2 * _QUIET_MODULES,) * 2, 1)
    for top, row in enumerate(rows):
        for left, dark in enumerate(row):
            if dark:
                picture.putpixel((left + _QUIET_MODULES, top + _QUIET_MODULES), 0)
    return picture.resize((picture.width * dots, picture.height * dots), Image.Resampling.NEAREST)
