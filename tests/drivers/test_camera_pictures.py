"""Pictures in the forms that cameras give them, and half ones."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops

from drivers.camera import pictures
from drivers.camera.picture import draw_test_picture


def yuyv(picture: Image.Image, padding: int = 0) -> bytes:
    """The picture as packed 4:2:2, chroma of every left pixel, rows padded."""
    wide = picture.convert("YCbCr")
    data = wide.tobytes()
    rows = []
    for top in range(wide.height):
        row = bytearray()
        for left in range(0, wide.width, 2):
            first, second = (data[3 * (top * wide.width + left + more) :][:3] for more in (0, 1))
            row += bytes((first[0], first[1], second[0], first[2]))
        rows.append(bytes(row) + b"\0" * padding)
    return b"".join(rows)


@pytest.mark.parametrize("padding", [0, 16])
def test_packed_pictures_keep_brightness_exactly_and_colours_nearly(padding: int) -> None:
    scene = draw_test_picture(3, "19:30", (64, 36))
    data, stride = yuyv(scene, padding), 128 + padding
    gray = pictures.gray_from_yuyv(data, 64, 36, stride)
    assert gray.data == scene.convert("YCbCr").getchannel(0).tobytes()
    colour = pictures.picture_from_yuyv(data, 64, 36, stride)
    difference = ImageChops.difference(colour, scene).convert("L").resize((8, 8))
    assert max(difference.tobytes()) < 24


def test_half_a_picture_is_refused_in_every_form() -> None:
    whole = pictures.jpeg(draw_test_picture(1, "x", (320, 180)))
    half = whole[: len(whole) // 2]
    for convert in (pictures.opened, pictures.small_from_jpeg, pictures.gray_from_jpeg):
        assert convert(whole)
        with pytest.raises(ValueError, match="no whole picture"):
            convert(half)
        with pytest.raises(ValueError, match="no whole picture"):
            convert(b"")
    with pytest.raises(ValueError, match="no whole picture"):
        pictures.gray_from_yuyv(b"\0" * 100, 64, 36, 128)


@pytest.mark.parametrize("edge", [6000, 65_500])
def test_a_picture_that_claims_more_than_any_camera_has_is_refused_before_it_is_decoded(edge: int) -> None:
    """Some hundred bytes would take gigabytes."""
    bomb = bytearray(pictures.jpeg(draw_test_picture(1, "x", (320, 180))))
    size_at = bomb.index(b"\xff\xc0") + 5
    bomb[size_at : size_at + 4] = 2 * edge.to_bytes(2, "big")
    for convert in (pictures.opened, pictures.small_from_jpeg, pictures.gray_from_jpeg):
        with pytest.raises(ValueError, match=r"no whole picture: (it claims|Image size)"):
            convert(bytes(bomb))


def test_a_preview_is_small_and_never_larger_than_the_picture() -> None:
    large = pictures.jpeg(draw_test_picture(1, "x", (1920, 1080)))
    assert Image.open(io.BytesIO(pictures.small_from_jpeg(large))).size == (640, 360)
    little = pictures.jpeg(draw_test_picture(1, "x", (160, 120)))
    assert Image.open(io.BytesIO(pictures.small_from_jpeg(little))).size == (160, 120)
