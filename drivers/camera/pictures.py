"""Between the forms that pictures come in. Pure."""

from __future__ import annotations

import io

from PIL import Image

from drivers.camera.api import Gray

PREVIEW_WIDTH = 640
JPEG_QUALITY = 85
PREVIEW_QUALITY = 70
# No camera's largest picture has more; a few bytes of JPEG may claim any size, and decoding would take all memory.
MOST_PIXELS = 24_000_000


def jpeg(picture: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """The picture as JPEG."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    """A JPEG, decoded; raises `ValueError` for half a picture, which cameras on bad cables send."""
    try:
        picture = _begun(data)
        picture.load()
    except (OSError, SyntaxError) as error:
        raise ValueError(f"the camera sent no whole picture: {error}") from None
    return picture


def _begun(data: bytes) -> Image.Image:
    """A JPEG of which only the head was read; raises `ValueError`, and what `Image.open` raises."""
    try:
        picture = Image.open(io.BytesIO(data), formats=("JPEG",))
    except Image.DecompressionBombError as error:
        raise ValueError(f"the camera sent no whole picture: {error}") from None
    if picture.width * picture.height > MOST_PIXELS:
        raise ValueError(f"the camera sent no whole picture: it claims {picture.width} x {picture.height}")
    return picture


def small(picture: Image.Image) -> bytes:
    """A preview of at most `PREVIEW_WIDTH` as JPEG."""
    copy = picture.convert("RGB")
    copy.thumbnail((PREVIEW_WIDTH, PREVIEW_WIDTH))
    return jpeg(copy, PREVIEW_QUALITY)


def small_from_jpeg(data: bytes) -> bytes:
    """A preview of a JPEG; decoded at a fraction of its size, which is several times faster. Raises `ValueError`."""
    try:
        picture = _begun(data)
        picture.draft("RGB", (PREVIEW_WIDTH, PREVIEW_WIDTH * picture.height // max(1, picture.width)))
        return small(picture)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"the camera sent no whole picture: {error}") from None


def gray_of(picture: Image.Image) -> Gray:
    """The brightness of a picture."""
    flat = picture.convert("L")
    return Gray(flat.tobytes(), flat.width, flat.height, flat.width)


def gray_from_jpeg(data: bytes) -> Gray:
    """The brightness of a JPEG, without computing its colours. Raises `ValueError`."""
    try:
        picture = _begun(data)
        picture.draft("L", picture.size)
        return gray_of(picture)
    except (OSError, SyntaxError) as error:
        raise ValueError(f"the camera sent no whole picture: {error}") from None


def gray_from_yuyv(data: bytes, width: int, height: int, stride: int) -> Gray:
    """The brightness of packed 4:2:2 (`YUYV`): every other byte. Raises `ValueError` when the picture is not whole."""
    if len(data) < stride * (height - 1) + 2 * width:
        raise ValueError(f"the camera sent {len(data)} bytes, no whole picture of {width} x {height}")
    rows = (data[top * stride : top * stride + 2 * width : 2] for top in range(height))
    return Gray(b"".join(rows), width, height, width)


def picture_from_yuyv(data: bytes, width: int, height: int, stride: int) -> Image.Image:
    """Packed 4:2:2 (`YUYV`, BT.601) as a picture in colour. Raises `ValueError` when it is not whole."""
    luma = gray_from_yuyv(data, width, height, stride)
    chroma = []
    for first in (1, 3):
        rows = (data[top * stride + first : top * stride + 2 * width : 4] for top in range(height))
        plane = Image.frombytes("L", (width // 2, height), b"".join(rows))
        chroma.append(plane.resize((width, height), Image.Resampling.BILINEAR))
    full = Image.frombytes("L", (width, height), luma.data)
    return Image.merge("YCbCr", (full, *chroma)).convert("RGB")
