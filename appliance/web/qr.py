"""A receipt as a QR code: inline SVG, so that it prints sharply and needs no second request."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from math import isqrt
from typing import Any

import zxingcpp
from markupsafe import Markup

from mqtt_bridge.protocol.receipts import PREFIX

# ISO/IEC 18004 asks for four light modules around the symbol; scanners at doors fail first where it is missing.
QUIET_ZONE = 4
_DARK = re.compile(rb"\0+")
_SVG = (
    '<svg role="img" aria-label="{label}" viewBox="0 0 {side} {side}"><path fill="#fff" d="M0 0h{side}v{side}h-{side}z"/>'
    '<path stroke="#000" d="{lines}"/></svg>'
)


def svg(text: str, label: str) -> Markup:
    """Return an ``<svg>`` of ``text`` at error level M, named ``label`` for screen readers; the page sets its size.

    Base45 and the ``MQ1:`` prefix fit the alphanumeric mode, which keeps a receipt at version 11 or below. Raises ``ValueError`` if
    ``text`` is empty or does not fit a symbol.
    """
    side, lines = _kept(text) if text.startswith(PREFIX) else _drawn(text)
    # The label may hold any name: it is escaped, the drawing is ours.
    return Markup(_SVG).format(label=label, side=side, lines=lines)  # noqa: S704


def _drawn(text: str) -> tuple[int, str]:
    """Return the side in modules, quiet zone and all, and one stroke per run of dark modules."""
    # Half of what a booking costs the device was this symbol, as long as Python drew it.
    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode, ec_level="M")
    drawn: Any = symbol.to_image(scale=1, add_quiet_zones=False)  # a buffer, which its own type does not say
    modules = memoryview(drawn).tobytes()
    side = isqrt(len(modules))
    rows = (modules[start : start + side] for start in range(0, len(modules), side))
    return side + 2 * QUIET_ZONE, "".join(run for y, row in enumerate(rows, QUIET_ZONE) for run in _runs(y, row))


# A receipt never changes, and who stands at the door opens theirs again and again: some 5 kB each. Links are rights: nothing keeps them.
_kept = lru_cache(maxsize=256)(_drawn)


def _runs(y: int, row: bytes) -> Iterator[str]:
    at = 0
    for run in _DARK.finditer(row):
        start, end = run.span()
        yield f"m{start - at} 0h{end - start}" if at else f"M{start + QUIET_ZONE} {y}.5h{end - start}"
        at = end
