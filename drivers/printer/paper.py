"""Draws a receipt as the picture of a strip of thermal paper."""

from __future__ import annotations

import functools
import io
import unicodedata

import segno
from PIL import Image, ImageDraw, ImageFont

from drivers.fonts import face_for
from drivers.printer.document import Align
from drivers.printer.model import DOTS_PER_LINE, Bits, Blank, Code, Letters, Line, Picture, Receipt, Row, Style

MARGIN_DOTS = 32
EDGE_DOTS = 26
PAPER_DOTS = DOTS_PER_LINE + 2 * MARGIN_DOTS
MAX_HEIGHT_DOTS = 12_000
_TOOTH_DOTS = 8
# What a printer feeds past its knife belongs to the next receipt's head; on a screen it is only in the way.
_TAIL_DOTS = 24

PAPER = (250, 248, 241)
INK = (38, 36, 44)
SHADOW = (226, 222, 210)
_CLEAR = (0, 0, 0, 0)


def receipt_png(receipt: Receipt) -> bytes:
    """The receipt as PNG, `PAPER_DOTS` wide, transparent outside the torn edges; too long ones end early."""
    out = io.BytesIO()
    draw_receipt(receipt).save(out, "PNG")
    return out.getvalue()


def draw_receipt(receipt: Receipt) -> Image.Image:
    """The receipt as an RGBA picture."""
    rows = _without_tail(receipt.rows)
    ink = _Ink(sum(_height(row) for row in rows))
    for row in rows:
        ink.row(row)
    return _on_paper(ink.mask)


def _without_tail(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    end = len(rows)
    while end and isinstance(rows[end - 1], Blank):
        end -= 1
    return (*rows[:end], Blank(_TAIL_DOTS))


def _height(row: Row) -> int:
    match row:
        case Line():
            return row.advance_dots
        case Picture(bits):
            return bits.height_dots
        case Code():
            return _code_picture(row.data, row.module_dots, row.level).height
        case Blank(dots):
            return dots


class _Ink:
    """The printed dots, as a mask: 255 is black."""

    def __init__(self, height: int) -> None:
        self.mask = Image.new("L", (DOTS_PER_LINE, max(1, min(height, MAX_HEIGHT_DOTS))), 0)
        self._draw = ImageDraw.Draw(self.mask)
        self._top = 0

    def row(self, row: Row) -> None:
        """Draw one row below the last."""
        if self._top >= MAX_HEIGHT_DOTS:
            return
        match row:
            case Line():
                self._line(row)
            case Picture():
                self._paste(_bits_picture(row.bits), row.align)
            case Code():
                self._paste(_code_picture(row.data, row.module_dots, row.level), row.align)
            case Blank():
                pass
        self._top += _height(row)

    def _paste(self, picture: Image.Image, align: Align) -> None:
        self.mask.paste(picture, (_left(picture.width, align), self._top))

    def _line(self, line: Line) -> None:
        left = _left(sum(part.width_dots for part in line.parts), line.align)
        baseline = self._top + max(part.height_dots for part in line.parts)
        for part in line.parts:
            if isinstance(part, Bits):
                self.mask.paste(_bits_picture(part), (left, baseline - part.height_dots))
            else:
                self._letters(part, left, baseline - part.height_dots)
            left += part.width_dots

    def _letters(self, letters: Letters, left: int, top: int) -> None:
        style = letters.style
        for index, letter in enumerate(letters.text):
            self.mask.paste(_letter(letter, style), (left + index * style.cell_dots, top))


def _left(width: int, align: Align) -> int:
    spare = max(0, DOTS_PER_LINE - width)
    return {Align.LEFT: 0, Align.CENTER: spare // 2, Align.RIGHT: spare}[align]


@functools.lru_cache(maxsize=2048)
def _letter(letter: str, style: Style) -> Image.Image:
    """One letter in its cell, 255 where it is black."""
    width, height = style.cell_dots, style.height_dots
    cell = Image.new("L", (width, height), 0)
    draw = ImageDraw.Draw(cell)
    if not _draw_ruling(draw, letter, width, height):
        _draw_glyph(cell, letter, style)
    if style.underline:
        draw.line((0, height - 2, width, height - 2), fill=255, width=2 * style.tall)
    return cell.point(lambda value: 255 - value) if style.inverse else cell


def _draw_ruling(draw: ImageDraw.ImageDraw, letter: str, width: int, height: int) -> bool:
    """Rules must join from cell to cell, which no font promises."""
    middle = height // 2
    if letter == "─":
        draw.rectangle((0, middle - 1, width, middle), fill=255)
    elif letter == "═":
        draw.rectangle((0, middle - 4, width, middle - 3), fill=255)
        draw.rectangle((0, middle + 2, width, middle + 3), fill=255)
    elif letter == "█":
        draw.rectangle((0, 0, width, height), fill=255)
    else:
        return False
    return True


def _draw_glyph(cell: Image.Image, letter: str, style: Style) -> None:
    """Draw at the taller scale, then press into the cell when width and height differ."""
    scale = max(style.wide, style.tall)
    size = round((15 if style.small else 20) * scale)
    base = (style.cell_dots // style.wide * scale, style.height_dots // style.tall * scale)
    glyph = Image.new("L", base, 0)
    face = face_for(letter, size, style.bold)
    draw = ImageDraw.Draw(glyph)
    if face is None:
        draw.rectangle((1, base[1] // 5, base[0] - 3, base[1] * 4 // 5), outline=255)
    elif isinstance(face, ImageFont.FreeTypeFont):
        if unicodedata.combining(letter) == 0:
            draw.text((base[0] / 2, base[1] * 0.78), letter, fill=255, font=face, anchor="ms")
    else:
        draw.text((0, 0), letter, fill=255, font=face)
    cell.paste(glyph if glyph.size == cell.size else glyph.resize(cell.size), (0, 0))


def _bits_picture(bits: Bits) -> Image.Image:
    picture = Image.frombytes("1", (bits.width, bits.height), bits.rows).convert("L")
    if picture.width > DOTS_PER_LINE or picture.height > MAX_HEIGHT_DOTS:
        picture = picture.crop((0, 0, min(picture.width, DOTS_PER_LINE), min(picture.height, MAX_HEIGHT_DOTS)))
    if (bits.across, bits.down) == (1, 1):
        return picture
    return picture.resize((picture.width * bits.across, picture.height * bits.down), Image.Resampling.NEAREST)


@functools.lru_cache(maxsize=32)
def _code_picture(data: bytes, module_dots: int, level: str) -> Image.Image:
    """The QR code as a printer draws it, without a quiet zone; empty when the data fits no code or no paper."""
    try:
        matrix = segno.make_qr(_qr_content(data), error=level.lower(), boost_error=False).matrix
    except (segno.DataOverflowError, ValueError):
        return Image.new("L", (1, 1), 0)
    edge = len(matrix)
    if edge * module_dots > DOTS_PER_LINE:
        return Image.new("L", (1, 1), 0)
    picture = Image.frombytes("L", (edge, edge), bytes(255 if dark else 0 for row in matrix for dark in row))
    return picture.resize((edge * module_dots, edge * module_dots), Image.Resampling.NEAREST)


def _qr_content(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def _on_paper(ink: Image.Image) -> Image.Image:
    """Ink on off-white paper with a cut edge above and a torn one below."""
    height = ink.height + 2 * EDGE_DOTS
    sheet = Image.new("RGB", (PAPER_DOTS, height), PAPER)
    shade = ImageDraw.Draw(sheet)
    for inset in range(3):
        shade.line((inset, 0, inset, height), fill=SHADOW if inset == 0 else PAPER)
        shade.line((PAPER_DOTS - 1 - inset, 0, PAPER_DOTS - 1 - inset, height), fill=SHADOW if inset == 0 else PAPER)
    sheet.paste(INK, (MARGIN_DOTS, EDGE_DOTS), ink)
    outline = Image.new("L", (PAPER_DOTS, height), 0)
    ImageDraw.Draw(outline).polygon(_edge(height), fill=255)
    paper = Image.new("RGBA", (PAPER_DOTS, height), _CLEAR)
    paper.paste(sheet, (0, 0), outline)
    return paper


def _edge(height: int) -> list[tuple[int, int]]:
    """The outline of the paper: straight sides, teeth of the tear bar at both ends."""
    teeth = range(0, PAPER_DOTS + 1, _TOOTH_DOTS)
    top = [(x, 0 if index % 2 else _TOOTH_DOTS // 2) for index, x in enumerate(teeth)]
    bottom = [(x, height - 1 - (0 if index % 2 else _TOOTH_DOTS // 2)) for index, x in enumerate(teeth)]
    return top + bottom[::-1]
