"""Pictures of a phone's camera: codes are found, work is bounded, and nothing but a small JPEG picture is opened."""

from __future__ import annotations

import threading
from io import BytesIO

import pytest
import segno
from PIL import Image

from appliance.domain.errors import Invalid
from appliance.web import frames
from appliance.web.frames import Busy, Frames, decode


def picture(text: str = "", kind: str = "JPEG", size: tuple[int, int] = (480, 360)) -> bytes:
    """A picture, with a code in it or not."""
    scene, made = Image.new("L", size, 230), BytesIO()
    if text:
        drawn = BytesIO()
        segno.make_qr(text).save(drawn, kind="png", scale=4, border=4)
        scene.paste(Image.open(drawn).convert("L"), (40, 30))
    scene.save(made, kind, quality=50)
    return made.getvalue()


def test_a_code_is_read_and_no_code_is_none():
    assert decode(picture("MQ1:ABC")) == "MQ1:ABC"
    assert decode(picture()) == ""


def test_a_small_blurred_code_of_a_real_receipts_length_is_read():
    text = "MQ1:" + "6BFOXN%TSMAHN-H" * 20
    with Image.open(BytesIO(picture(text, size=(640, 480)))) as sharp:
        blurred = BytesIO()
        sharp.resize((420, 315)).save(blurred, "JPEG", quality=55)
    assert decode(blurred.getvalue()) == text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xd8\xff",
        picture("x")[:900],
        picture("x", "PNG"),
        picture("x", "GIF"),
        picture(size=(1200, 1000)),
        picture() + bytes(frames.LARGEST_BYTES),
    ],
    ids=["empty", "cut off", "half", "png", "gif", "too many pixels", "too large"],
)
def test_anything_else_is_refused_and_never_crashes(body: bytes):
    with pytest.raises(Invalid):
        decode(body)


def test_one_sign_in_sends_so_many_a_second():
    reader = Frames()
    assert reader.read(picture("a"), "ada", 1000) == "a"
    with pytest.raises(Busy) as refused:
        reader.read(picture("a"), "ada", 1000 + frames.LEAST_GAP_MS - 1)
    assert (refused.value.status, refused.value.facts["retry_after_s"]) == (429, 1)
    assert reader.read(picture("b"), "bob", 1001) == "b"
    assert reader.read(picture("a"), "ada", 1000 + frames.LEAST_GAP_MS) == "a"


def test_one_picture_is_read_at_a_time(monkeypatch: pytest.MonkeyPatch):
    reader, inside, go_on = Frames(), threading.Event(), threading.Event()

    def slow(_body: bytes) -> str:
        inside.set()
        go_on.wait(10)
        return "first"

    monkeypatch.setattr(frames, "decode", slow)
    first = threading.Thread(target=reader.read, args=(b"", "ada", 0))
    first.start()
    assert inside.wait(10)
    with pytest.raises(Busy):
        reader.read(b"", "bob", 0)
    go_on.set()
    first.join(10)
    assert reader.read(b"", "bob", 5000) == "first"
