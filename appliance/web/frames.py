"""Reads QR codes in pictures that a browser sends: bytes in, text out, with bounded work. No device is opened here.

One picture is read at a time in a process, and a sign-in may send so many a second: what comes faster is turned away at once, so that a
phone which films the ceiling costs guests nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from io import BytesIO

import zxingcpp
from PIL import Image, UnidentifiedImageError

from appliance.domain.errors import Invalid, LimitReached

LARGEST_BYTES = 48 * 1024
MOST_PIXELS = 1024 * 1024
LEAST_GAP_MS = 180
MOST_WATCHED = 64
LONGEST_CODE = 4096
_QR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


class Busy(LimitReached):
    """Another picture is being read, or this sender was here just now (429)."""


class Frames:
    """Reads pictures one at a time; ``sender`` names a sign-in."""

    def __init__(self) -> None:
        self._reading = threading.Lock()
        self._watch = threading.Lock()
        self._last: OrderedDict[str, int] = OrderedDict()

    def read(self, body: bytes, sender: str, now_ms: int) -> str:
        """Return the code in a JPEG picture, empty if there is none.

        Raises ``Busy``, or ``Invalid`` for what is no small JPEG picture.
        """
        self._pace(sender, now_ms)
        if not self._reading.acquire(blocking=False):
            raise _busy()
        try:
            return decode(body)
        finally:
            self._reading.release()

    def _pace(self, sender: str, now_ms: int) -> None:
        with self._watch:
            last = self._last.get(sender)
            if last is not None and 0 <= now_ms - last < LEAST_GAP_MS:
                raise _busy()
            self._last[sender] = now_ms
            self._last.move_to_end(sender)
            while len(self._last) > MOST_WATCHED:
                self._last.popitem(last=False)


def decode(body: bytes) -> str:
    """Return the first QR code's text in a JPEG picture of at most 48 KB and a megapixel; raises ``Invalid`` for anything else."""
    if len(body) > LARGEST_BYTES:
        raise Invalid("The picture is too large. Send a smaller one.", field="frame")
    try:
        with Image.open(BytesIO(body), formats=["JPEG"]) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise Invalid("The picture has too many pixels. Send a smaller one.", field="frame")
            gray = picture.convert("L")
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Invalid("This is no JPEG picture.", field="frame") from error
    # A view keeps no bytes alive: these must outlast the reading.
    pixels = gray.tobytes()
    view = zxingcpp.ImageView(pixels, gray.width, gray.height, zxingcpp.ImageFormat.Lum, gray.width, 1)
    found = zxingcpp.read_barcodes(view, _QR, text_mode=zxingcpp.TextMode.Plain)
    texts = [each.text.strip() for each in found if 0 < len(each.text.strip()) <= LONGEST_CODE]
    return texts[0] if texts else ""


def _busy() -> Busy:
    return Busy("One picture at a time. Send the next one a little later.", "frames", 1)
