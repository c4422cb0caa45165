"""A moving test picture: a stage, two spotlights that wander, colour bars and a caption. Pure."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw, ImageFilter

from drivers.fonts import faces

SIZE = (1280, 720)
_BARS = ("#c8c8c8", "#c8c800", "#00c8c8", "#00c800", "#c800c8", "#c80000", "#0000c8")
_NIGHT, _FLOOR, _CAPTION = "#14101f", "#3a2a1e", "#f4efe2"
_SPOTS = (((255, 214, 140), 0.0, 90), ((150, 190, 255), 2.1, 140))
_MARGIN = 32


def draw_test_picture(frame: int, caption: str, size: tuple[int, int] = SIZE) -> Image.Image:
    """Frame number `frame` with `caption` in its lower left corner; equal arguments give equal pictures."""
    width, height = size
    picture = Image.new("RGB", size, _NIGHT)
    draw = ImageDraw.Draw(picture)
    horizon = height * 3 // 4
    draw.rectangle((0, horizon, width, height), fill=_FLOOR)
    for colour, phase, period in _SPOTS:
        _add_spot(picture, colour, width * (0.5 + 0.3 * math.sin(2 * math.pi * frame / period + phase)), horizon)
    _draw_bars(draw, width)
    face = faces(max(12, height // 24), bold=True)[0]
    draw.text((_MARGIN, height - _MARGIN), f"{caption}  #{frame}", fill=_CAPTION, font=face, anchor="ls")
    return picture


def _add_spot(picture: Image.Image, colour: tuple[int, int, int], centre: float, horizon: int) -> None:
    """A cone of light from above and its ellipse on the floor, drawn small and enlarged, which blurs it cheaply."""
    scale = 8
    small = (picture.width // scale, picture.height // scale)
    light = Image.new("L", small, 0)
    draw = ImageDraw.Draw(light)
    x, floor, reach = centre / scale, horizon / scale, small[0] / 9
    draw.polygon(((small[0] / 2, -6), (x - reach, floor + 5), (x + reach, floor + 5)), fill=70)
    draw.ellipse((x - reach, floor - 2, x + reach, floor + 13), fill=170)
    mask = light.filter(ImageFilter.GaussianBlur(2)).resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste(colour, (0, 0), mask)


def _draw_bars(draw: ImageDraw.ImageDraw, width: int) -> None:
    bar = width // 40
    for index, colour in enumerate(_BARS):
        left = width - _MARGIN - bar * (len(_BARS) - index)
        draw.rectangle((left, _MARGIN, left + bar - 1, _MARGIN + bar), fill=colour)
