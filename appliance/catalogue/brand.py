"""Whose pages these are: the section ``brand`` of the file or of one of its venues, and the logo made fit for a page's head."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image, ImageStat

from appliance.catalogue import values
from appliance.catalogue.fields import Fields
from appliance.catalogue.images import Picture, opened
from appliance.domain.colours import BLACK, WHITE, Colour, contrast, parse
from mqtt_bridge.protocol.catalogue import Brand

# Twice what the head shows, for screens of many pixels. A logo of words fits; a wider one is scaled down.
HEIGHT, WIDTH = 88, 400
MAX_BYTES = 8_000
_MARGIN = 0.12
_QUALITIES = (90, 80, 70, 55, 40)


def read_brand(fields: Fields, folder: Path, assets: dict[str, Picture]) -> Brand | None:
    """Return the section ``brand`` under ``fields``, None without one; its logo is added to ``assets``."""
    given = fields.mapping("brand")
    if given is None:
        return None
    name = given.optional("name", values.line, "")
    colour = given.optional("colour", lambda raw: parse(raw).hex, None)
    logo = given.optional("logo", lambda raw: read_logo(folder / values.line(raw)), None)
    given.done()
    if logo is not None:
        assets[logo.sha256] = logo
        if not name:
            given.wrong("logo", "needs a name beside it, for who cannot see it; write name: as well")
    return Brand(name, colour, logo.sha256 if logo else None)


def read_logo(path: Path) -> Picture:
    """Return a logo of at most 400 x 88 px and 8 KB; raises ``ValueError`` with what is wrong.

    A logo with a transparent ground gets one, white or black, whichever it stands out from more: pages are light and dark.
    """
    _source, _kind, image = opened(path)
    solid = on_ground(image.convert("RGBA")) if image.has_transparency_data else image.convert("RGB")
    solid.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    for quality in _QUALITIES:
        out = io.BytesIO()
        solid.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= MAX_BYTES:
            return Picture(hashlib.sha256(out.getvalue()).hexdigest(), out.getvalue(), "")
    raise ValueError(f"{path.name} cannot be made small enough for a page's head; use a simpler logo")


def on_ground(image: Image.Image) -> Image.Image:
    """Return an RGBA picture on the ground that suits it, with a margin."""
    painted = image.getchannel("A").point(lambda alpha: 255 if alpha > 127 else 0)
    box = painted.getbbox()
    if box is None:
        raise ValueError("has nothing but transparency in it")
    mean = Colour(*(round(each) for each in ImageStat.Stat(image.convert("RGB"), painted).mean))
    ground = WHITE if contrast(mean, WHITE) >= contrast(mean, BLACK) else BLACK
    shown = image.crop(box)
    edge = round(shown.height * _MARGIN)
    solid = Image.new("RGB", (shown.width + 2 * edge, shown.height + 2 * edge), tuple(ground))
    solid.paste(shown, (edge, edge), shown)
    return solid
