"""A receipt as a plain value, before any printer is chosen."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Align(enum.Enum):
    """Where a block stands on the line."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Title:
    """A centred headline, bold and twice as large."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph, wrapped at words; `size` 1 to 4 multiplies both width and height."""

    text: str
    bold: bool = False
    size: int = 1
    align: Align = Align.LEFT


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across the paper."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Two texts on one line, one at each edge; the left one wraps when both do not fit."""

    left: str
    right: str
    bold: bool = False


@dataclass(frozen=True, slots=True)
class QR:
    """A centred QR code of `data`; `module_dots` 1 to 16 is the edge of one module, None chooses a size that fits."""

    data: str
    module_dots: int | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """A picture (`data`: PNG, JPEG, ...), drawn in black dots and `share` of the paper's width wide, never enlarged.

    `dither` mixes greys from dots, for photos; without it every dot is black or white, for line art. On a way to the
    printer that is too slow for it (`drivers.printer.encoder.MAX_PICTURE_S`) `instead` is printed in its place.
    """

    data: bytes
    share: float = 1.0
    align: Align = Align.CENTER
    dither: bool = True
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Drawer:
    """Open the cash drawer at pin 2 or 5 of the printer's drawer socket."""

    pin: int = 2


@dataclass(frozen=True, slots=True)
class Feed:
    """Empty lines."""

    lines: int = 1


@dataclass(frozen=True, slots=True)
class Cut:
    """Feed past the knife and cut."""


Block = Title | Text | Rule | Columns | QR | Image | Drawer | Feed | Cut


@dataclass(frozen=True, slots=True)
class Document:
    """Blocks from top to bottom."""

    blocks: tuple[Block, ...]

    @classmethod
    def of(cls, *blocks: Block | Iterable[Block]) -> Document:
        """A document of blocks and of lists of blocks, in the order given."""
        flat: list[Block] = []
        for block in blocks:
            if isinstance(block, Iterable):
                flat.extend(block)
            else:
                flat.append(block)
        return cls(tuple(flat))
