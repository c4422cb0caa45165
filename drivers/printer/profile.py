"""What one printer model can do, from the printer database that python-escpos carries."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass

from drivers.errors import BadDeviceUrl
from drivers.printer.escpos_library import escpos_module

DEFAULT_PROFILE = "TM-T20II"
_FONT_A_DOTS = 12
_WIDEST_CELL = 20

# Left-to-right pages whose position in printers of different makes agrees best come first. Hebrew and Arabic pages
# are left out on purpose: printers put their letters in the order they arrive, which is backwards.
PAGE_PREFERENCE = (
    "CP437", "CP850", "CP858", "CP1252", "CP852", "CP1250", "ISO_8859-2", "CP866", "CP1251", "CP855", "CP737",
    "CP1253", "ISO_8859-7", "CP857", "CP1254", "CP775", "CP1257", "ISO_8859-15", "CP860", "CP863", "CP865", "CP861",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """A printer model: `columns` of font A across `width_dots`, code pages in order of preference.

    `pictures`: it prints raster pictures; `column_pictures`: also small ones within a line of letters.
    """

    name: str
    columns: int
    width_dots: int
    pages: tuple[str, ...]
    native_qr: bool
    pictures: bool
    column_pictures: bool
    may_start_in_chinese: bool

    @property
    def cell_dots(self) -> int:
        """Width of one character of font A."""
        return self.width_dots // self.columns


def profile_names() -> list[str]:
    """The names that an address may carry as its profile, sorted."""
    return sorted(escpos_module("capabilities").CAPABILITIES["profiles"])


@functools.cache
def load_profile(name: str = DEFAULT_PROFILE) -> Profile:
    """The profile called `name`; raises `BadDeviceUrl` with the known names when there is none."""
    known = escpos_module("capabilities").CAPABILITIES["profiles"]
    if name not in known:
        near = difflib.get_close_matches(name.upper(), [one.upper() for one in known], n=3, cutoff=0.5)
        meant = ", ".join(sorted(one for one in known if one.upper() in near))
        hint = f"; did you mean {meant}?" if meant else ";"
        raise BadDeviceUrl(f"Unknown printer profile {name!r}{hint} Known profiles: {', '.join(sorted(known))}.")
    data = known[name]
    columns = int(data["fonts"]["0"]["columns"])
    width = data["media"]["width"].get("pixels")
    if isinstance(width, int) and width > columns * _WIDEST_CELL:
        # One entry of the database gives the width of a letter where the number of letters belongs.
        columns = width // _FONT_A_DOTS
    available = set(data["codePages"].values())
    return Profile(
        name=name,
        columns=columns,
        width_dots=width if isinstance(width, int) else columns * _FONT_A_DOTS,
        pages=tuple(page for page in PAGE_PREFERENCE if page in available),
        native_qr=bool(data["features"].get("qrCode")),
        pictures=bool(data["features"].get("bitImageRaster")),
        column_pictures=bool(data["features"].get("bitImageColumn") and data["features"].get("bitImageRaster")),
        may_start_in_chinese=not name.startswith("TM-"),
    )
