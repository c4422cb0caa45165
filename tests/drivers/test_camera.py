"""Cameras: the simulated one, and the camera module's driver over a stand-in for its library."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from drivers import DeviceTimeout, DeviceUnavailable, State, open_camera
from drivers.camera import picamera
from drivers.camera.picamera import PiCamera
from drivers.camera.picture import draw_test_picture
from drivers.camera.pictures import jpeg
from drivers.camera.sim import SimCamera


def test_each_still_is_a_jpeg_and_the_picture_moves() -> None:
    camera = open_camera("sim://camera?width=320&height=180")
    first, second = camera.still(), camera.still()
    assert Image.open(io.BytesIO(first)).size == (320, 180)
    assert Image.open(io.BytesIO(first)).format == "JPEG"
    assert first != second
    assert camera.health().state is State.READY
    camera.close()
    assert camera.health().state is State.ABSENT


def test_the_test_picture_depends_on_nothing_but_its_arguments() -> None:
    assert draw_test_picture(7, "19:30") == draw_test_picture(7, "19:30")
    assert draw_test_picture(7, "19:30") != draw_test_picture(7, "19:31")
    assert draw_test_picture(7, "19:30") != draw_test_picture(8, "19:30")


def test_a_hanging_camera_gives_up_at_its_deadline_and_recovers() -> None:
    camera = open_camera("sim://camera?fault=hang&after=1&width=160&height=120")
    assert isinstance(camera, SimCamera)
    camera.still()
    start = time.monotonic()
    with pytest.raises(DeviceTimeout, match="off and on"):
        camera.still(0.2)
    assert time.monotonic() - start < 2
    assert camera.health().state is State.FAULT
    camera.set_fault(None)
    assert camera.still()


def test_a_slow_camera_needs_patience() -> None:
    camera = open_camera("sim://camera?fault=slow&width=160&height=120")
    with pytest.raises(DeviceTimeout):
        camera.still(0.1)
    assert camera.still(10.0)


def test_an_unplugged_camera_is_unavailable_even_in_the_middle_of_a_wait() -> None:
    camera = open_camera("sim://camera?fault=hang")
    assert isinstance(camera, SimCamera)
    cable = threading.Timer(0.1, camera.set_fault, ["unplug"])
    cable.start()
    with pytest.raises(DeviceUnavailable):
        camera.still(30.0)
    cable.join()
    with pytest.raises(DeviceUnavailable):
        open_camera("sim://camera?fault=unplug")


class FakePicamera2:
    """What the driver uses of `picamera2.Picamera2` 0.3, with its signatures."""

    def __init__(self, number: int) -> None:
        if number > 0:
            raise IndexError("list index out of range")
        self.calls: list[str] = []
        self.configuration: dict[str, Any] = {}
        self.fail: Exception | None = None
        self.stop_waits: Callable[[], object] = lambda: None

    def create_video_configuration(
        self,
        main: dict[str, Any],
        lores: dict[str, Any] | None = None,
        transform: object = None,
        buffer_count: int = 6,
        controls: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        return {"main": main, "lores": lores, "buffer_count": buffer_count, "controls": controls}

    def configure(self, configuration: dict[str, Any]) -> None:
        self.configuration = configuration

    def start(self) -> None:
        self.calls.append("start")

    def capture_file(self, out: io.BytesIO, name: str = "main", format: str | None = None, wait: float | None = None):
        assert (name, format) == ("main", "jpeg")
        assert wait is not None
        if self.fail is not None:
            raise self.fail
        out.write(jpeg(Image.new("RGB", self.configuration["main"]["size"])))

    def stop(self) -> None:
        self.calls.append("stop")
        self.stop_waits()

    def close(self) -> None:
        self.calls.append("close")


def fake_load(name: str) -> Any:
    if name == "libcamera":
        return SimpleNamespace(Transform=lambda **flips: flips)
    return SimpleNamespace(Picamera2=FakePicamera2)


def module_camera(number: int = 0) -> PiCamera:
    return PiCamera(number, (640, 480), load=fake_load)


def test_the_camera_module_runs_one_configuration_with_two_streams_and_bounds_each_capture() -> None:
    camera = module_camera()
    camera.open()
    assert camera._camera.configuration["main"]["size"] == (640, 480)
    assert camera._camera.configuration["lores"]["format"] == "YUV420"
    assert Image.open(io.BytesIO(camera.still(1.0))).size == (640, 480)
    library = camera._camera
    camera.close()
    assert library.calls == ["start", "stop", "close"]


def test_a_camera_module_that_gives_no_frame_is_a_timeout_and_one_that_fails_is_gone() -> None:
    camera = module_camera()
    camera.open()
    camera._camera.fail = TimeoutError()
    with pytest.raises(DeviceTimeout):
        camera.still(0.1)
    assert camera.health().state is State.FAULT
    camera._camera.fail = RuntimeError("dma heap")
    with pytest.raises(DeviceUnavailable, match="dma heap"):
        camera.still(0.1)
    assert camera.health().state is State.ABSENT


def test_a_camera_module_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DeviceUnavailable, match="list index"):
        module_camera(1).open()


def test_a_camera_module_that_never_stops_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picamera, "CLOSE_S", 0.1)
    camera = module_camera()
    camera.open()
    release = threading.Event()
    camera._camera.stop_waits = lambda: release.wait(10)
    camera.close()
    assert camera.health().state is State.FAULT
    assert "killed" in camera.health().reason
    release.set()
