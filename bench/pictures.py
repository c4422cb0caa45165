"""QR codes in camera frames: what one full frame costs."""

from __future__ import annotations

import io
import time

import segno
from PIL import Image

from bench.load import Outcome
from drivers.scanner.qr import decode

SIZE = (1920, 1080)
TEXT = "MQ1:" + "6BF+70790T9WJWG.FKY*4GO0" * 15


def frames(count: int = 60) -> Outcome:
    """Decode a noisy frame with one slanted code so many times; an error is a frame that was not read."""
    out, outcome = io.BytesIO(), Outcome()
    segno.make(TEXT, error="m").save(out, kind="png", scale=4, border=4)
    code = Image.open(out).convert("LA").resize((500, 500)).rotate(17, expand=True)
    picture = Image.effect_noise((480, 270), 60).resize(SIZE, Image.Resampling.BICUBIC)
    picture.paste(code.convert("L"), (700, 200), code.getchannel("A"))
    frame, began = picture.tobytes(), time.perf_counter()
    for _ in range(count):
        start = time.perf_counter()
        if decode(frame, *SIZE) == [TEXT]:
            outcome.durations.append(time.perf_counter() - start)
        else:
            outcome.errors += 1
    outcome.seconds = time.perf_counter() - began
    return outcome
