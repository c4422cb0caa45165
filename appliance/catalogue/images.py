"""Pictures of events: any common format in, a small WebP and a tiny preview to inline out."""

from __future__ import annotations

import base64
import hashlib
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from appliance.catalogue import values

WIDTH = 640
SMALL_WIDTH = 320
# The listing's first view fetches five pictures on a narrow phone and may cost 120 KB.
MAX_BYTES = 20_000
TINY_WIDTH = 16
MAX_SOURCE_BYTES = 30_000_000
MAX_SOURCE_PIXELS = 60_000_000
_QUALITIES = (82, 74, 66, 58, 50, 40, 30, 20)
_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready to send: ``sha256`` of ``body``, and ``tiny`` as a data URI (empty for the smaller copy of another)."""

    sha256: str
    body: bytes
    tiny: str
    media_type: str = "image/webp"


def picture_in(folder: Path) -> Callable[[str], Picture]:
    """The picture of this file name, relative to the catalogue file's ``folder``."""
    return lambda raw: read_picture(folder / values.line(raw))


def read_picture(path: Path) -> Picture:
    """Return the picture scaled to at most 640 px width and 20 KB; raises ``ValueError`` with what is wrong.

    A WebP that is small enough already stays byte for byte, so that every machine derives the same name for it.
    """
    source, kind, image = opened(path)
    shown = image.convert("RGB")
    keep = kind == "WEBP" and image.width <= WIDTH and len(source) <= MAX_BYTES
    body = source if keep else _shrunk(shown)
    return Picture(hashlib.sha256(body).hexdigest(), body, _tiny(shown))


def opened(path: Path) -> tuple[bytes, str | None, Image.Image]:
    """Return a picture file's bytes, its format and the picture, upright; raises ``ValueError`` with what is wrong."""
    source = _bytes_of(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(source), formats=_FORMATS) as image:
                if image.width * image.height > MAX_SOURCE_PIXELS:
                    raise ValueError(f"{path.name} has too many pixels; scale it down to some thousand a side")
                return source, image.format, ImageOps.exif_transpose(image)
        except (UnidentifiedImageError, Image.DecompressionBombWarning, Image.DecompressionBombError, OSError) as error:
            kind = (
                "has too many pixels"
                if isinstance(error, Warning | Image.DecompressionBombError)
                else "cannot be decoded"
            )
            raise ValueError(f"{path.name} {kind}; use a JPEG, PNG or WebP picture") from None


def smaller(picture: Picture) -> Picture | None:
    """Return a copy of 320 px width for phones with few pixels, or None where it would save little."""
    with Image.open(io.BytesIO(picture.body), formats=("WEBP",)) as image:
        if image.width <= SMALL_WIDTH:
            return None
        body = _webp(_scaled(image.convert("RGB"), SMALL_WIDTH), _QUALITIES[0])
    return Picture(hashlib.sha256(body).hexdigest(), body, "") if len(body) < len(picture.body) else None


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_SOURCE_BYTES:
            raise ValueError(f"{path.name} is larger than {MAX_SOURCE_BYTES // 1_000_000} MB")
        return path.read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path} cannot be read ({error.strerror}); paths are relative to the catalogue file"
        ) from None


def _shrunk(image: Image.Image) -> bytes:
    for width in (WIDTH, WIDTH * 3 // 4, WIDTH // 2, WIDTH // 4):
        scaled = _scaled(image, width)
        for quality in _QUALITIES:
            body = _webp(scaled, quality)
            if len(body) <= MAX_BYTES:
                return body
    raise ValueError("cannot be made small enough")


def _tiny(image: Image.Image) -> str:
    return "data:image/webp;base64," + base64.b64encode(_webp(_scaled(image, TINY_WIDTH), 40)).decode()


def _scaled(image: Image.Image, width: int) -> Image.Image:
    if image.width <= width:
        return image
    return image.resize((width, max(1, round(image.height * width / image.width))), Image.Resampling.LANCZOS)


def _webp(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality, method=6)
    return out.getvalue()
