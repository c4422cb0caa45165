"""QR codes in gray pictures, as a camera sends them; decoding is done by zxing-cpp.

Only QR codes are looked for: all other kinds together cost some ten times more. The whole frame is read at its full size, upright, turned, light on
dark as on phones at night, and scaled down by the library itself, since that is fast enough (see `docs/scanners.md`) and misses no small code.
"""

from __future__ import annotations

import zxingcpp

from drivers.scanner.decode import Frame
from drivers.scanner.intake import Debounce

Gray = bytes | bytearray | memoryview
"""A picture row by row from the top, one byte per pixel, 0 black to 255 white."""

# A hand that holds a phone shakes; a code that was unreadable for a moment is still the same scan.
STILL_THERE_S = 2.0
_ROWS = 8
_PLAIN = Frame()
_QR = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])


def decode(frame: Gray, width: int, height: int, stride: int | None = None) -> list[str]:
    """The texts of all QR codes in a picture, from top to bottom, then from left to right.

    `stride` is the number of bytes from one row to the next where that is more than `width`. Raises `ValueError` when the
    buffer is too small for such a picture.
    """
    row = width if stride is None else stride
    if width < 1 or height < 1 or row < width or len(frame) < row * (height - 1) + width:
        raise ValueError(f"{len(frame)} bytes are no gray picture of {width} x {height}")
    view = zxingcpp.ImageView(frame, width, height, zxingcpp.ImageFormat.Lum, row, 1)
    found = zxingcpp.read_barcodes(view, _QR, text_mode=zxingcpp.TextMode.Plain)
    corners = [(each.position.top_left, each.text) for each in found]
    places = sorted((corner.y * _ROWS // height, corner.x, text) for corner, text in corners)
    return [code for _, _, text in places if (code := _PLAIN.strip(text))]


class QrReader:
    """Codes that come into sight: one that stays, or is lost for a moment, counts once."""

    def __init__(self, still_there_s: float = STILL_THERE_S) -> None:
        self._debounce = Debounce(still_there_s)

    def see(self, frame: Gray, width: int, height: int, now_s: float, stride: int | None = None) -> list[str]:
        """The codes in `frame`, taken at `now_s`, that are scans of their own; see `decode`."""
        return [code for code in decode(frame, width, height, stride) if self._debounce.is_new(code, now_s)]
