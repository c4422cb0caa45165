"""QR codes before a camera: turned, blurred, pale, light on dark, several at once; and what a frame costs."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable
from statistics import median

import pytest
import segno
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from drivers.scanner.qr import QrReader, decode

SIZE = (1920, 1080)
# Of the longest receipt's length and alphabet.
RECEIPT = "MQ1:" + "".join(random.Random(1).choices("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", k=361))


def symbol(text: str, pixels: int) -> Image.Image:
    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="png", scale=4, border=4)
    return Image.open(out).convert("L").resize((pixels, pixels), Image.Resampling.BILINEAR)


def crowd(seed: int = 3) -> Image.Image:
    """What is behind a ticket: noise, edges, bright and dark patches."""
    chance = random.Random(seed)
    picture = Image.effect_noise((480, 270), 60).resize(SIZE, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        left, top = chance.randrange(SIZE[0]), chance.randrange(SIZE[1])
        right, bottom = left + chance.randrange(20, 300), top + chance.randrange(20, 300)
        draw.rectangle((left, top, right, bottom), fill=chance.randrange(256))
    return picture


def shown(*symbols: Image.Image, angle: float = 0) -> Image.Image:
    picture = crowd()
    for number, each in enumerate(symbols):
        turned = each.convert("LA").rotate(angle, expand=True, resample=Image.Resampling.BICUBIC)
        picture.paste(turned.convert("L"), (100 + 600 * (number % 3), 60 + 480 * (number // 3)), turned.getchannel("A"))
    return picture


def read(picture: Image.Image) -> list[str]:
    return decode(picture.tobytes(), *picture.size)


@pytest.mark.parametrize("angle", [0, 17, 45, 90, 163, 270])
def test_a_code_is_read_however_it_is_turned(angle: int) -> None:
    assert read(shown(symbol(RECEIPT, 500), angle=angle)) == [RECEIPT]


@pytest.mark.parametrize(
    "picture",
    [
        lambda: shown(symbol(RECEIPT, 600)).filter(ImageFilter.GaussianBlur(2.5)),
        lambda: shown(symbol(RECEIPT, 500).point(lambda value: 110 + value * 40 // 255)),
        lambda: shown(ImageOps.invert(symbol(RECEIPT, 500))),
        lambda: Image.blend(shown(symbol(RECEIPT, 600)), Image.effect_noise(SIZE, 80), 0.3),
        lambda: shown(symbol(RECEIPT, 250)),
        lambda: shown(symbol(RECEIPT, 1000)),
        lambda: shown(symbol(RECEIPT, 500)).transform(
            SIZE, Image.Transform.QUAD, (0, 0, 60, 1080, 1860, 1000, 1920, 40)
        ),
    ],
    ids=["out of focus", "pale", "light on dark", "dim", "small", "near", "from the side"],
)
def test_a_code_is_read_under_the_light_of_a_door(picture: Callable[[], Image.Image]) -> None:
    assert read(picture()) == [RECEIPT]


def test_several_codes_in_one_frame_are_read_in_reading_order() -> None:
    codes = [f"{RECEIPT[:-1]}{number}" for number in range(5)]
    assert read(shown(*(symbol(code, 400) for code in codes))) == codes


def test_a_frame_without_a_code_has_none_and_other_kinds_of_codes_are_left_alone() -> None:
    assert read(crowd()) == []
    assert read(Image.new("L", (1, 1))) == []


def test_rows_may_be_longer_than_the_picture_is_wide() -> None:
    picture = shown(symbol("CODE", 300)).crop((0, 0, 640, 480))
    padded = Image.new("L", (704, 480), 99)
    padded.paste(picture, (0, 0))
    assert decode(memoryview(padded.tobytes()), 640, 480, stride=704) == ["CODE"]


@pytest.mark.parametrize(("width", "height", "stride"), [(10, 11, None), (0, 5, None), (10, 10, 9), (10, 10, 12)])
def test_a_buffer_that_is_no_such_picture_is_refused(width: int, height: int, stride: int | None) -> None:
    with pytest.raises(ValueError, match="no gray picture"):
        decode(bytes(100), width, height, stride)


def test_a_code_that_stays_in_sight_counts_once_even_when_lost_for_a_moment() -> None:
    reader, nothing = QrReader(still_there_s=2.0), crowd().tobytes()
    first, both = shown(symbol("FIRST", 300)).tobytes(), shown(symbol("FIRST", 300), symbol("SECOND", 300)).tobytes()
    seen = [
        reader.see(frame, *SIZE, now_s)
        for now_s, frame in ((0.0, first), (0.5, nothing), (1.0, first), (2.5, both), (4.0, first), (6.5, first))
    ]
    assert seen == [["FIRST"], [], [], ["SECOND"], [], ["FIRST"]]


@pytest.mark.parametrize("picture", [lambda: shown(symbol(RECEIPT, 500), angle=17), crowd], ids=["a code", "none"])
def test_a_full_frame_takes_at_most_40_ms(picture: Callable[[], Image.Image]) -> None:
    frame, taken_s = picture().tobytes(), []
    for _ in range(9):
        start = time.thread_time()
        decode(frame, *SIZE)
        taken_s.append(time.thread_time() - start)
    assert median(taken_s) <= 0.040, taken_s
