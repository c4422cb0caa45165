"""`v4l2:///dev/v4l/by-id/...?width=1280&height=720`: a USB camera, or whatever else the kernel shows as a video device.

Frames come as JPEG where the camera makes them itself, else as YUYV. The name under `/dev/v4l/by-id` stays the same whatever socket the
camera is plugged into. Stopping a broken camera can block inside the kernel: run this in a process that can be killed.
"""

from __future__ import annotations

import contextlib
import errno
import select
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from linuxpy.video import device as v4l2
from PIL import Image

from drivers.camera import pictures
from drivers.camera.api import AccessUnit, Gray
from drivers.camera.h264 import Encoder
from drivers.errors import BadDeviceUrl, DeviceTimeout, DeviceUnavailable
from drivers.health import Clock, Health, HealthRecord, State
from drivers.url import DeviceUrl

T = TypeVar("T")

BUFFERS = 3
_FORMATS = (v4l2.PixelFormat.MJPEG, v4l2.PixelFormat.YUYV)
_BROKEN_IN_A_ROW = 5
_REASONS = {
    errno.ENOENT: "it is not plugged in",
    errno.ENODEV: "it was unplugged",
    errno.EBUSY: "another program uses it",
    errno.EACCES: "this program may not use it; its user must be in the group video",
}


def from_url(url: DeviceUrl) -> V4l2Camera:
    """The camera behind the address; options: width, height (the camera takes the nearest it has)."""
    url.check_options({"width", "height"})
    if url.host or not url.path.startswith("/"):
        raise BadDeviceUrl(f"{url.text!r} must look like v4l2:///dev/video0.")
    size = url.integer("width", 1280, low=160, high=4096), url.integer("height", 720, low=120, high=4096)
    return V4l2Camera(url.path, size)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the camera agreed to."""

    width: int
    height: int
    stride: int
    jpeg: bool


class V4l2Camera:
    """One stream of frames, the newest of which is taken; pictures of other sizes are made from it."""

    def __init__(self, path: str, size: tuple[int, int], clock: Clock = time.monotonic) -> None:
        self._path = path
        self._size = size
        self._clock = clock
        self._device: Any = None
        self._capture: Any = None
        self._shape = Shape(0, 0, 0, jpeg=False)
        self._encoder: Encoder | None = None
        self._broken = 0
        self._health = HealthRecord(clock)

    def open(self) -> None:
        """See `Camera.open`."""
        if self._device is not None:
            return
        self._health.set(State.OPENING, f"Starting the camera at {self._path}.")
        try:
            self._start()
        except (OSError, v4l2.V4L2Error) as error:
            self._shut()
            raise self._gone(error) from None
        kind = "JPEG" if self._shape.jpeg else "YUYV"
        self._broken = 0
        self._health.set(State.READY, f"The camera gives {self._shape.width} x {self._shape.height} as {kind}.")

    def close(self) -> None:
        """See `Camera.close`."""
        if self._device is not None:
            self._shut()
            self._health.set(State.ABSENT, "Closed.")

    def still(self, deadline_s: float = 2.0) -> bytes:
        """See `Camera.still`."""
        return self._whole(deadline_s, self._as_jpeg)

    def preview(self, deadline_s: float = 2.0) -> bytes:
        """See `Camera.preview`."""

        def small(data: bytes) -> bytes:
            return pictures.small_from_jpeg(data) if self._shape.jpeg else pictures.small(self._picture(data))

        return self._whole(deadline_s, small)

    def gray(self, deadline_s: float = 2.0) -> Gray:
        """See `Camera.gray`."""

        def gray(data: bytes) -> Gray:
            if self._shape.jpeg:
                return pictures.gray_from_jpeg(data)
            return pictures.gray_from_yuyv(data, self._shape.width, self._shape.height, self._shape.stride)

        return self._whole(deadline_s, gray)

    def video(self, deadline_s: float = 2.0) -> AccessUnit:
        """See `Camera.video`."""
        if self._encoder is None:
            self._encoder = Encoder()
        return self._encoder.encode(self._whole(deadline_s, self._picture))

    def stop_video(self) -> None:
        """See `Camera.stop_video`."""
        self._encoder = None

    def health(self) -> Health:
        """See `Camera.health`."""
        return self._health()

    def _start(self) -> None:
        self._device = v4l2.Device(self._path)
        self._device.open()
        # The device itself is non-blocking: every wait is ours, with a deadline.
        self._capture = v4l2.VideoCapture(self._device, size=BUFFERS)
        self._shape = self._agreed()
        self._capture.open()

    def _agreed(self) -> Shape:
        offered = {each.pixel_format for each in self._device.info.formats}
        chosen = next((each for each in _FORMATS if each in offered), None)
        if chosen is None:
            raise OSError(errno.EINVAL, "it gives neither JPEG nor YUYV")
        self._capture.set_format(*self._size, chosen)
        found = self._capture.get_format()
        stride = found.bytes_per_line or 2 * found.width
        return Shape(found.width, found.height, stride, jpeg=found.pixel_format is v4l2.PixelFormat.MJPEG)

    def _whole(self, deadline_s: float, convert: Callable[[bytes], T]) -> T:
        """A picture that is whole; half ones, as of a bad cable, are passed over until the deadline."""
        until = self._clock() + deadline_s
        while True:
            data = self._frame(until, deadline_s)
            try:
                found = convert(data)
            except ValueError as error:
                self._broken += 1
                if self._broken >= _BROKEN_IN_A_ROW:
                    self._health.set(State.DEGRADED, f"Pictures are broken: {error}. Try another cable or socket.")
                continue
            if self._broken or self._health().state is State.FAULT:
                self._broken = 0
                self._health.set(State.READY, "The camera is running.")
            return found

    def _frame(self, until: float, deadline_s: float) -> bytes:
        """The newest frame: those that waited in the kernel show what was."""
        if self._device is None:
            raise DeviceUnavailable(f"The camera at {self._path} is not running.")
        try:
            if not self._ready(max(0.0, until - self._clock())):
                self._health.set(State.FAULT, "The camera gave no picture in time.")
                raise DeviceTimeout(f"The camera at {self._path} gave no picture in {deadline_s:g} s.")
            data = bytes(self._capture.buffer.raw_read().data)
            for _ in range(BUFFERS):
                if not self._ready(0):
                    break
                data = bytes(self._capture.buffer.raw_read().data)
        except (OSError, v4l2.V4L2Error) as error:
            self._shut()
            raise self._gone(error) from None
        return data

    def _ready(self, wait_s: float) -> bool:
        readable, _, _ = select.select([self._device.fileno()], [], [], wait_s)
        return bool(readable)

    def _as_jpeg(self, data: bytes) -> bytes:
        if not self._shape.jpeg:
            return pictures.jpeg(self._picture(data))
        pictures.opened(data)
        return data

    def _picture(self, data: bytes) -> Image.Image:
        if self._shape.jpeg:
            return pictures.opened(data)
        return pictures.picture_from_yuyv(data, self._shape.width, self._shape.height, self._shape.stride)

    def _shut(self) -> None:
        device, self._device = self._device, None
        self._encoder = None
        if device is not None:
            # Whatever fails here, there is nothing left to save.
            with contextlib.suppress(OSError, v4l2.V4L2Error, ValueError, AttributeError):
                self._capture.close()
            with contextlib.suppress(OSError, v4l2.V4L2Error):
                device.close()
        self._capture = None

    def _gone(self, error: Exception) -> DeviceUnavailable:
        number = error.errno if isinstance(error, OSError) else None
        words = _REASONS.get(number or 0) or str(error)
        reason = f"The camera at {self._path} cannot be used: {words}."
        self._health.set(State.ABSENT, reason)
        return DeviceUnavailable(reason)
