"""What came out of a printer: rows of letters, pictures and codes on a strip of paper."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.printer.document import Align

DOTS_PER_LINE = 576
CELL_DOTS = 12
LETTER_DOTS = 24


@dataclass(frozen=True, slots=True)
class Style:
    """How letters look: `wide` and `tall` multiply font A's 12 x 24 dots, or font B's 9 x 17."""

    bold: bool = False
    underline: bool = False
    inverse: bool = False
    small: bool = False
    wide: int = 1
    tall: int = 1

    @property
    def cell_dots(self) -> int:
        """Width of one letter."""
        return (9 if self.small else CELL_DOTS) * self.wide

    @property
    def height_dots(self) -> int:
        """Height of one letter."""
        return (17 if self.small else LETTER_DOTS) * self.tall


@dataclass(frozen=True, slots=True)
class Letters:
    """A stretch of letters in one style."""

    text: str
    style: Style

    @property
    def width_dots(self) -> int:
        """How wide it is on paper."""
        return len(self.text) * self.style.cell_dots

    @property
    def height_dots(self) -> int:
        """How tall it is on paper."""
        return self.style.height_dots


@dataclass(frozen=True, slots=True)
class Bits:
    """A picture, row by row, most significant bit leftmost, 1 is a dark dot; each row fills whole bytes."""

    width: int
    height: int
    rows: bytes
    across: int = 1
    down: int = 1

    @property
    def width_dots(self) -> int:
        """How wide it is on paper."""
        return self.width * self.across

    @property
    def height_dots(self) -> int:
        """How tall it is on paper."""
        return self.height * self.down


@dataclass(frozen=True, slots=True)
class Line:
    """A printed line; `advance_dots` is how far the paper moved."""

    parts: tuple[Letters | Bits, ...]
    align: Align
    advance_dots: int

    @property
    def text(self) -> str:
        """The letters of the line; pictures inside it are one U+FFFC each."""
        return "".join(part.text if isinstance(part, Letters) else "\ufffc" for part in self.parts)


@dataclass(frozen=True, slots=True)
class Picture:
    """A raster picture on lines of its own."""

    bits: Bits
    align: Align


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code that the printer made itself; `level` is L, M, Q or H."""

    data: bytes
    module_dots: int
    level: str
    align: Align


@dataclass(frozen=True, slots=True)
class Blank:
    """Paper fed without printing."""

    dots: int


Row = Line | Picture | Code | Blank


@dataclass(frozen=True, slots=True)
class Receipt:
    """One piece of paper, from cut to cut; `raw` are the bytes that made it, `whole` says that none were dropped."""

    rows: tuple[Row, ...]
    raw: bytes
    whole: bool = True

    @property
    def lines(self) -> list[str]:
        """The printed text, line by line, without spaces at the end."""
        return [row.text.rstrip() for row in self.rows if isinstance(row, Line)]

    @property
    def text(self) -> str:
        """The printed text."""
        return "\n".join(self.lines)

    @property
    def codes(self) -> list[str]:
        """The contents of the codes that the printer made itself."""
        return [row.data.decode("utf-8", "replace") for row in self.rows if isinstance(row, Code)]
