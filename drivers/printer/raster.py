"""Pictures as dots, and dots as the commands that a printer model understands."""

from __future__ import annotations

import io

from PIL import Image, ImageOps, UnidentifiedImageError

from drivers.printer.document import Align

# A picture from outside may claim any size; this is more than any camera here delivers.
MAX_PIXELS = 24_000_000
MAX_HEIGHT_DOTS = 1200
# Printers with a small buffer print a tall picture in jerks or not at all, so it is sent in bands.
BAND_DOTS = 256
COLUMN_DOTS = 24


def printable_picture(data: bytes, width_dots: int, *, dither: bool) -> Image.Image:
    """The picture in `data`, at most `width_dots` wide, one bit deep, black is 0; raises `ValueError`.

    What is transparent stays white; greys are spread to full contrast first, because thermal paper has no half tones.
    """
    grey = _flat(_opened(data))
    grey.thumbnail((max(8, width_dots), MAX_HEIGHT_DOTS), Image.Resampling.LANCZOS)
    if not dither:
        return grey.point(lambda value: 255 if value > 127 else 0).convert("1", dither=Image.Dither.NONE)
    return ImageOps.autocontrast(grey, cutoff=1).convert("1")


def _opened(data: bytes) -> Image.Image:
    try:
        picture = Image.open(io.BytesIO(data))
        if picture.width * picture.height > MAX_PIXELS:
            raise ValueError(f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels.")
        picture.load()
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"The picture cannot be read: {error}.") from None
    return ImageOps.exif_transpose(picture)


def _flat(picture: Image.Image) -> Image.Image:
    """In greys, on white where the picture is transparent."""
    with_alpha = picture.convert("RGBA")
    paper = Image.new("RGBA", with_alpha.size, "white")
    return Image.alpha_composite(paper, with_alpha).convert("L")


def placed(picture: Image.Image, width: int, align: Align) -> Image.Image:
    """`picture` on white paper of `width` dots, cut off where it is wider."""
    spare = max(0, width - picture.width)
    left = {Align.LEFT: 0, Align.CENTER: spare // 2, Align.RIGHT: spare}[align]
    paper = Image.new("1", (width, picture.height), 1)
    paper.paste(picture, (left, 0))
    return paper


def raster_bytes(picture: Image.Image) -> int:
    """How many bytes `raster_commands` needs for the dots of `picture`, headers aside."""
    return (picture.width + 7) // 8 * picture.height


def raster_commands(picture: Image.Image) -> bytes:
    """GS v 0, band by band, for a one-bit picture in which black is 0 (Epson ESC/POS reference: 1 prints a dot)."""
    bands = (
        picture.crop((0, top, picture.width, min(top + BAND_DOTS, picture.height)))
        for top in range(0, picture.height, BAND_DOTS)
    )
    return b"".join(_raster_command(band) for band in bands)


def column_command(picture: Image.Image) -> bytes:
    """ESC * 33: at most 24 dots high, column by column, most significant bit on top."""
    band = Image.new("1", (picture.width, COLUMN_DOTS), 1)
    band.paste(picture, (0, 0))
    # Turned by a quarter and mirrored, the rows of the picture are the columns of the paper.
    turned = band.transpose(Image.Transpose.TRANSPOSE).point(lambda value: 0 if value else 255)
    return b"\x1b*\x21" + band.width.to_bytes(2, "little") + turned.tobytes()


def _raster_command(picture: Image.Image) -> bytes:
    bits = picture.convert("1").point(lambda value: 0 if value else 255)
    width_bytes = (bits.width + 7) // 8
    header = b"\x1dv0\x00" + width_bytes.to_bytes(2, "little") + bits.height.to_bytes(2, "little")
    return header + bits.tobytes()
