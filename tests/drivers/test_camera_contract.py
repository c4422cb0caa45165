"""What every camera promises, run over each that can run here."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
import segno
from PIL import Image

from drivers import DeviceTimeout, DeviceUnavailable, State
from drivers.camera.pictures import PREVIEW_WIDTH
from drivers.scanner.qr import decode
from tests.drivers.camera_rigs import RIGS, CameraRig, sim_rig
from tests.drivers.patience import eventually

SEQUENCE_PARAMETERS = 7  # nal_unit_type, ITU-T H.264 table 7-1


@pytest.fixture(params=RIGS.values(), ids=list(RIGS))
def camera_rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CameraRig]:
    yield from request.param(tmp_path)


@pytest.fixture(params=[sim_rig], ids=["sim"])
def hanging_rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CameraRig]:
    """Only those that can be made to hang."""
    yield from request.param(tmp_path)


@pytest.fixture(params=[sim_rig], ids=["sim"])
def filmed_rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CameraRig]:
    """Only those whose lens can be shown something."""
    yield from request.param(tmp_path)


def shown(data: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "JPEG"
    picture.load()
    return picture


def test_a_still_is_a_whole_picture_and_a_preview_a_small_one_of_the_same_scene(camera_rig: CameraRig) -> None:
    still, preview = shown(camera_rig.camera.still(10)), shown(camera_rig.camera.preview(10))
    assert preview.width <= PREVIEW_WIDTH
    assert preview.width <= still.width
    assert abs(preview.width / preview.height - still.width / still.height) < 0.05
    assert camera_rig.camera.health().state is State.READY


def test_the_gray_picture_is_as_large_as_it_says_and_as_bright_as_the_still(camera_rig: CameraRig) -> None:
    gray = camera_rig.camera.gray(10)
    assert len(gray.data) >= gray.stride * (gray.height - 1) + gray.width
    flat = Image.frombuffer("L", (gray.width, gray.height), gray.data, "raw", "L", gray.stride, 1)
    still = shown(camera_rig.camera.still(10)).convert("L")
    means = [sum(each.resize((8, 8)).tobytes()) / 64 for each in (flat, still)]
    assert abs(means[0] - means[1]) < 25


def test_the_video_begins_with_a_key_picture_and_any_decoder_shows_it(camera_rig: CameraRig) -> None:
    units = [camera_rig.camera.video(10) for _ in range(6)]
    assert units[0].key
    assert units[0].data[:3] == b"\0\0\0" or units[0].data[:3] == b"\0\0\1"
    assert units[0].data.lstrip(b"\0")[1] & 0x1F in {SEQUENCE_PARAMETERS, 9}
    assert units[0].pts_us == 0
    assert [unit.pts_us for unit in units] == sorted({unit.pts_us for unit in units})
    with av.open(io.BytesIO(b"".join(unit.data for unit in units)), format="h264") as stream:
        assert len(list(stream.decode(video=0))) >= 5
    camera_rig.camera.stop_video()
    assert camera_rig.camera.video(10).key
    assert shown(camera_rig.camera.still(10)), "a still in the middle of a video"


def test_a_camera_that_is_unplugged_is_gone_and_comes_back(camera_rig: CameraRig) -> None:
    camera_rig.camera.still(10)
    camera_rig.unplug()
    for ask in (camera_rig.camera.still, camera_rig.camera.preview, camera_rig.camera.gray):
        with pytest.raises(DeviceUnavailable):
            ask(10)
    assert camera_rig.camera.health().state is State.ABSENT
    assert camera_rig.camera.health().reason
    with pytest.raises(DeviceUnavailable):
        camera_rig.camera.open()
    camera_rig.replug()
    assert eventually(lambda: opens(camera_rig))
    assert shown(camera_rig.camera.still(10))


def opens(rig: CameraRig) -> bool:
    try:
        rig.camera.open()
    except DeviceUnavailable:
        return False
    return True


def test_a_camera_that_hangs_is_given_up_at_the_deadline(hanging_rig: CameraRig) -> None:
    camera, hang = hanging_rig.camera, hanging_rig.hang
    hang()
    for ask in (camera.still, camera.gray, camera.video):
        begun_s = time.monotonic()
        with pytest.raises(DeviceTimeout):
            ask(0.2)
        assert time.monotonic() - begun_s < 2
    assert camera.health().state is State.FAULT


def test_a_code_before_the_lens_is_read(filmed_rig: CameraRig, tmp_path: Path) -> None:
    code = "MQ1:6BF+70790T9WJWG.FKY*4GO0/$%" * 6
    segno.make_qr(code, error="m").save(str(tmp_path / "held.png"), scale=4, border=4)
    filmed_rig.hold(tmp_path / "held.png")
    assert eventually(lambda: _codes(filmed_rig) == [code])


def _codes(rig: CameraRig) -> list[str]:
    gray = rig.camera.gray(10)
    return decode(gray.data, gray.width, gray.height, gray.stride)
