"""Fonts for letters that a printer lacks and for drawing simulated paper.

The typeface beside this module comes first, so that a receipt looks the same on every machine; fonts of the system add
the letters it lacks (Debian: `fonts-dejavu-core` for Hebrew, `fonts-wqy-zenhei` for Chinese, Japanese and Korean,
`fonts-tlwg-loma-otf` for Thai, `fonts-symbola` for pictures, `fonts-unifont` for nearly everything, coarsely); a letter
that none of them has becomes a box.
"""

from __future__ import annotations

import functools
import unicodedata
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

Face = ImageFont.FreeTypeFont | ImageFont.ImageFont

OWN_FOLDER = Path(__file__).parent / "typeface"
FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
# Fixed width first, so that pictures of words match the printer's own letters.
REGULAR = (
    "DejaVuSansMono.ttf", "LiberationMono-Regular.ttf", "DejaVuSans.ttf", "NotoSansMono-Regular.ttf",
    "NotoSansArabic-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoSansCJK-Regular.ttc", "wqy-zenhei.ttc",
    "wqy-microhei.ttc", "DroidSansFallbackFull.ttf", "NotoSansThai-Regular.ttf", "Loma.otf",
    "NotoSansDevanagari-Regular.ttf", "NotoEmoji-Regular.ttf", "Symbola_hint.ttf", "Symbola.ttf", "unifont.otf", "unifont.ttf", "unifont_upper.otf", "unifont_upper.ttf",
)  # fmt: skip
BOLD = (
    "DejaVuSansMono-Bold.ttf", "LiberationMono-Bold.ttf", "DejaVuSans-Bold.ttf", "NotoSansMono-Bold.ttf",
    "NotoSansCJK-Bold.ttc",
)  # fmt: skip
JOINERS = "\u200c\u200d"
_NEVER_ASSIGNED = "\uffff"
_SMALLEST = 0.7


@functools.cache
def faces(size: int, bold: bool) -> tuple[Face, ...]:
    """Every usable font at `size` pixels, best first; never empty."""
    names = BOLD + REGULAR if bold else REGULAR
    found: list[Face] = [ImageFont.truetype(_installed()[name], size) for name in names if name in _installed()]
    return (*found, ImageFont.load_default(size))


@functools.cache
def _installed() -> dict[str, str]:
    wanted = {*REGULAR, *BOLD}
    return {
        path.name: str(path)
        for folder in (*FONT_FOLDERS, OWN_FOLDER)
        for path in sorted(folder.rglob("*.[to]t[fc]"))
        if path.name in wanted
    }


@functools.lru_cache(maxsize=4096)
def face_for(char: str, size: int, bold: bool = False) -> Face | None:
    """The best font that has `char`, or None when no font has it."""
    return next((face for face in faces(size, bold) if _has(face, char)), None)


def _is_fixed_width(face: Face) -> bool:
    return not isinstance(face, ImageFont.FreeTypeFont) or face.getlength("i") == face.getlength("M")


@functools.cache
def _unshaped(face: ImageFont.FreeTypeFont) -> ImageFont.FreeTypeFont:
    return face.font_variant(layout_engine=ImageFont.Layout.BASIC)


@functools.lru_cache(maxsize=8192)
def _has(face: Face, char: str) -> bool:
    if char.isspace() or char in JOINERS:
        return True
    if isinstance(face, ImageFont.FreeTypeFont):
        # Shaping would put a letter together from parts that this font has only side by side.
        face = _unshaped(face)
    wanted, missing = face.getmask(char), face.getmask(_NEVER_ASSIGNED)
    return wanted.size != missing.size or bytes(wanted) != bytes(missing)


@functools.cache
def can_shape() -> bool:
    """Whether Pillow can join Arabic letters and order right-to-left text by itself."""
    return bool(features.check("raqm") and features.check("fribidi"))


def draw_text(text: str, height: int, bold: bool = False) -> Image.Image:
    """`text` as a one-bit picture of the given height in dots, black (0) on white (1), as wide as it needs.

    Right-to-left text is ordered and joined; several scripts and missing letters may mix.
    """
    size = round(height * 5 / 6)
    backwards = _is_right_to_left(text)
    parts = [_draw_part(part, face, height) for part, face in _split_by_face(text, size, bold, backwards)]
    if backwards:
        parts.reverse()
    picture = Image.new("1", (max(1, sum(part.width for part in parts)), height), 1)
    left = 0
    for part in parts:
        picture.paste(part, (left, 0))
        left += part.width
    return picture


def _split_by_face(text: str, size: int, bold: bool, backwards: bool) -> list[tuple[str, Face | None]]:
    """Stretches of one font each; joiners and accents stay with the letter before them.

    One font that has everything comes first, because only within one font are two directions put in order.
    """
    known = faces(size, bold)
    if backwards:
        # Arabic letters pressed into cells of one width are hard to read; Hebrew loses nothing.
        known = tuple(sorted(known, key=_is_fixed_width))
    whole = next((face for face in known if all(_has(face, char) for char in text)), None)
    if whole is not None:
        return [(text, whole)]
    parts: list[tuple[str, Face | None]] = []
    for char in text:
        face = face_for(char, size, bold)
        # Between words that are put in reverse order a gap must be a part of its own.
        sticks = char in JOINERS or unicodedata.category(char).startswith("M") or (char.isspace() and not backwards)
        apart = backwards and bool(parts) and char.isspace() != parts[-1][0].isspace()
        if parts and (sticks or (parts[-1][1] is face and not apart)):
            parts[-1] = (parts[-1][0] + char, parts[-1][1])
        else:
            parts.append((char, face))
    return parts


def _draw_part(text: str, face: Face | None, height: int) -> Image.Image:
    if face is None:
        return _draw_boxes(sum(not char.isspace() and char not in JOINERS for char in text), height)
    if not can_shape() and _is_right_to_left(text):
        text = text[::-1]
    if not isinstance(face, ImageFont.FreeTypeFont):
        picture = Image.new("L", (max(1, round(face.getlength(text))), height), 255)
        ImageDraw.Draw(picture).text((0, 0), text, fill=0, font=face)
        return _one_bit(picture)
    baseline = round(height * 0.8)
    _, top, _, bottom = face.getbbox(text, anchor="ls")
    fit = min(1.0, baseline / max(1, -top), (height - baseline) / max(1, bottom))
    if fit < 1:
        # Stacked accents and tall marks are part of a name: the letters get smaller, down to a size still read.
        face = face.font_variant(size=max(round(face.size * _SMALLEST), int(face.size * fit)))
    left, _, right, _ = face.getbbox(text, anchor="ls")
    # Some letters reach out of the place that their font gives them.
    start = max(0, -int(left))
    width = max(1, start + max(round(face.getlength(text)), int(right)))
    picture = Image.new("L", (width, height), 255)
    ImageDraw.Draw(picture).text((start, baseline), text, fill=0, font=face, anchor="ls")
    return _one_bit(picture)


def _one_bit(picture: Image.Image) -> Image.Image:
    return picture.point(lambda value: 255 if value > 140 else 0).convert("1")


def _draw_boxes(count: int, height: int) -> Image.Image:
    """Replacement boxes, one per letter that no font has."""
    cell = height // 2 + 2
    picture = Image.new("1", (max(1, cell * count), height), 1)
    draw = ImageDraw.Draw(picture)
    for index in range(count):
        left = cell * index + 1
        draw.rectangle((left, round(height * 0.15), left + cell - 4, round(height * 0.8)), outline=0, width=1)
    return picture


def _is_right_to_left(text: str) -> bool:
    for char in text:
        direction = unicodedata.bidirectional(char)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False
