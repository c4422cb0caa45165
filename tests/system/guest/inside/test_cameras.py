"""The camera contract over the kernel's test camera, and what of it holds for the real picamera2 over libcamera's virtual camera."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers import DeviceUnavailable, open_camera
from drivers.scanner.qr import decode
from tests.drivers import test_camera_contract as contract
from tests.drivers.camera_rigs import CameraRig
from tests.drivers.patience import eventually
from tests.drivers.test_camera_contract import *  # noqa: F403  the very same tests
from tests.system.guest.inside.cameras import (
    COLOUR,
    HELD,
    SIZE,
    VIVID_PATH,
    adapt_library,
    film,
    virtual_rig,
    vivid_rig,
)

BACK_S = 2.0


@pytest.fixture  # type: ignore[no-redef]
def camera_rig(tmp_path: Path) -> Iterator[CameraRig]:
    yield from vivid_rig(tmp_path)


@pytest.fixture  # type: ignore[no-redef]
def hanging_rig(tmp_path: Path) -> Iterator[CameraRig]:
    yield from vivid_rig(tmp_path)


@pytest.fixture(scope="module")
def library_rig() -> Iterator[CameraRig]:
    """Opened once: in one process the library now and then hears nothing of a camera that it opens again; the desk gives it a new process each time."""
    yield from virtual_rig()


def test_a_camera_gives_pictures_again_soon(camera_rig: CameraRig, figure: Callable[[str], None]) -> None:
    took = []
    for _ in range(3):
        camera_rig.unplug()
        with pytest.raises(DeviceUnavailable):
            camera_rig.camera.still(5)
        since_s = time.monotonic()
        camera_rig.replug()
        assert eventually(lambda: contract.opens(camera_rig))
        contract.shown(camera_rig.camera.still(10))
        took.append(time.monotonic() - since_s)
    figure(f"camera (v4l2) gave a still after re-plug: {', '.join(f'{each:.2f}' for each in took)} s")
    assert min(took) <= BACK_S


def test_a_camera_belongs_to_one_process(camera_rig: CameraRig) -> None:
    camera_rig.camera.still(10)
    with pytest.raises(DeviceUnavailable, match="another program"):
        open_camera(f"v4l2://{VIVID_PATH}")


def test_picamera2_gives_stills_previews_and_brightness(library_rig: CameraRig) -> None:
    contract.test_a_still_is_a_whole_picture_and_a_preview_a_small_one_of_the_same_scene(library_rig)
    contract.test_the_gray_picture_is_as_large_as_it_says_and_as_bright_as_the_still(library_rig)


def test_picamera2_shows_what_is_before_the_lens_in_its_colours(library_rig: CameraRig) -> None:
    for data in (library_rig.camera.still(10), library_rig.camera.preview(10)):
        picture = contract.shown(data).convert("RGB")
        seen = picture.getpixel((picture.width // 20, picture.height // 2))
        assert isinstance(seen, tuple)
        assert max(abs(got - was) for got, was in zip(seen, COLOUR, strict=True)) < 25


def test_picamera2_reads_the_code_that_somebody_holds(library_rig: CameraRig, figure: Callable[[str], None]) -> None:
    begun_s = time.monotonic()
    gray = library_rig.camera.gray(10)
    assert (gray.width, gray.height) == SIZE
    assert decode(gray.data, gray.width, gray.height, gray.stride) == [HELD]
    figure(
        f"camera (picamera2): a code of {len(HELD)} letters read from one frame in {time.monotonic() - begun_s:.2f} s"
    )


def test_picamera2_films(library_rig: CameraRig) -> None:
    contract.test_the_video_begins_with_a_key_picture_and_any_decoder_shows_it(library_rig)


def test_a_camera_that_libcamera_does_not_have_is_named() -> None:
    adapt_library()
    film()
    with pytest.raises(DeviceUnavailable, match="Cannot start camera 9"):
        open_camera("picamera2://9?memory=libcamera")
