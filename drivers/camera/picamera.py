"""`picamera2://0?width=1920&height=1080&rotate=180`: a Raspberry Pi camera module, or any camera that libcamera knows.

The library comes from the Raspberry Pi archive (`python3-picamera2`) and is imported only here. One process may own a
camera, and with a broken ribbon cable even stopping it can block for ever inside the kernel; so run this driver in a
process that can be killed, never in a web worker.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import queue
import threading
from collections.abc import Callable
from typing import Any

from PIL import Image

from drivers.camera import pictures
from drivers.camera.api import AccessUnit, Gray
from drivers.errors import BadDeviceUrl, DeviceError, DeviceTimeout, DeviceUnavailable, MissingLibrary
from drivers.health import Health, HealthRecord, State
from drivers.url import DeviceUrl

LORES_SIZE = (640, 360)
FRAME_US = 33_333
BUFFERS = 3
CLOSE_S = 3.0
VIDEO_KEY_EVERY = 60
VIDEO_KEPT = 120


def from_url(url: DeviceUrl) -> PiCamera:
    """The camera of that number; options: width, height, rotate (0, 180), memory (board, or libcamera where there is no board)."""
    url.check_options({"width", "height", "rotate", "memory"})
    if not url.host.isdecimal() or url.path not in ("", "/"):
        raise BadDeviceUrl(f"{url.text!r} must look like picamera2://0.")
    size = (
        url.integer("width", 1920, low=LORES_SIZE[0], high=4608),
        url.integer("height", 1080, low=LORES_SIZE[1], high=2592),
    )
    if size[0] % 2 or size[1] % 2:
        raise BadDeviceUrl(f"Width and height in {url.text!r} must be even.")
    upside_down = url.choice("rotate", "0", ("0", "180")) == "180"
    on_board = url.choice("memory", "board", ("board", "libcamera")) == "board"
    return PiCamera(int(url.host), size, upside_down=upside_down, on_board=on_board)


class VideoQueue:
    """Units between the library's encoder thread and whoever reads; a slow reader loses whole groups, never parts of one."""

    def __init__(self, most: int = VIDEO_KEPT) -> None:
        self._units: queue.Queue[AccessUnit] = queue.Queue(most)
        self._first_us: int | None = None
        self._until_key = True

    def put(
        self, frame: bytes, keyframe: bool = True, timestamp: int | None = None, *_rest: object, **_more: object
    ) -> None:
        """What the library calls as `Output.outputframe`."""
        if self._until_key and not keyframe:
            return
        at_us = timestamp or 0
        if self._first_us is None:
            self._first_us = at_us
        try:
            self._units.put_nowait(AccessUnit(bytes(frame), keyframe, at_us - self._first_us))
            self._until_key = False
        except queue.Full:
            self._until_key = True

    def get(self, deadline_s: float) -> AccessUnit:
        """The next unit; raises `queue.Empty`."""
        return self._units.get(timeout=deadline_s)


def _plane(data: Any, number: int, stride: int, size: tuple[int, int]) -> bytes:
    """One plane of chroma without the padding of its rows."""
    width, height = size
    start = number * stride * height
    rows = (data[start + row * stride : start + row * stride + width].tobytes() for row in range(height))
    return b"".join(rows)


class PiCamera:
    """Runs one configuration with a main and a low-resolution stream, because a mode switch costs half a second."""

    def __init__(
        self,
        number: int,
        size: tuple[int, int],
        *,
        upside_down: bool = False,
        on_board: bool = True,
        load: Callable[[str], Any] = importlib.import_module,
    ) -> None:
        self._number = number
        self._size = size
        self._upside_down = upside_down
        self._on_board = on_board
        self._load = load
        self._camera: Any = None
        self._video: VideoQueue | None = None
        self._health = HealthRecord()

    def open(self) -> None:
        """See `Camera.open`."""
        if self._camera is not None:
            return
        self._health.set(State.OPENING, f"Starting camera {self._number}.")
        try:
            self._camera = self._started()
        except DeviceError as error:
            self._health.set(State.ABSENT, str(error))
            raise
        self._health.set(State.READY, f"Camera {self._number} is running.")

    def close(self) -> None:
        """See `Camera.close`; gives up after `CLOSE_S` when the camera blocks, and says so in its health."""
        if self._camera is None:
            return
        camera, self._camera = self._camera, None
        self._video = None
        self._health.set(State.ABSENT, "Closed.")
        self._shut_down(camera)

    def still(self, deadline_s: float = 2.0) -> bytes:
        """See `Camera.still`."""
        out = io.BytesIO()
        # A number for `wait` bounds it. Not capture_request: after a timeout nobody would release its buffer.
        self._within(lambda: self._camera.capture_file(out, name="main", format="jpeg", wait=deadline_s), deadline_s)
        return out.getvalue()

    def preview(self, deadline_s: float = 2.0) -> bytes:
        """See `Camera.preview`."""
        return pictures.jpeg(self._lores(deadline_s).convert("RGB"), pictures.PREVIEW_QUALITY)

    def gray(self, deadline_s: float = 2.0) -> Gray:
        """See `Camera.gray`: the brightness of the large stream, which is sharp enough for a code at arm's length."""
        array = self._within(lambda: self._camera.capture_array("main", wait=deadline_s), deadline_s)
        if array.ndim == 3:
            return pictures.gray_of(Image.fromarray(array[..., ::-1]))
        width, height = self._camera.camera_configuration()["main"]["size"]
        return Gray(array[:height].tobytes(), width, height, array.shape[1])

    def video(self, deadline_s: float = 2.0) -> AccessUnit:
        """See `Camera.video`; the board's encoder where it has one, which only the library can tell."""
        if self._video is None:
            self._video = self._begin_video()
        try:
            return self._video.get(deadline_s)
        except queue.Empty:
            self._health.set(State.FAULT, "The camera gave no video in time.")
            raise DeviceTimeout(f"Camera {self._number} gave no video in {deadline_s:g} s.") from None

    def stop_video(self) -> None:
        """See `Camera.stop_video`."""
        if self._video is not None and self._camera is not None:
            self._within(self._camera.stop_encoder, CLOSE_S)
        self._video = None

    def health(self) -> Health:
        """See `Camera.health`."""
        return self._health()

    def _lores(self, deadline_s: float) -> Image.Image:
        """The brightness and colours of the small stream, YUV 4:2:0: planes one below the other, or NV12 where a camera has no other."""
        array = self._within(lambda: self._camera.capture_array("lores", wait=deadline_s), deadline_s)
        small = self._camera.camera_configuration()["lores"]
        width, height = small["size"]
        size = (width // 2, height // 2)
        if small["format"] == "NV12":
            planes = [array[height:, number:width:2].tobytes() for number in (0, 1)]
        else:
            chroma = array[height:].reshape(-1)
            planes = [_plane(chroma, number, array.shape[1] // 2, size) for number in (0, 1)]
        colours = [Image.frombytes("L", size, plane).resize((width, height)) for plane in planes]
        return Image.merge("YCbCr", (Image.fromarray(array[:height, :width]), *colours))

    def _within(self, ask: Callable[[], Any], deadline_s: float) -> Any:
        if self._camera is None:
            raise DeviceUnavailable(f"Camera {self._number} is not running.")
        try:
            found = ask()
        except TimeoutError:
            self._health.set(State.FAULT, "The camera gave no picture in time.")
            raise DeviceTimeout(f"Camera {self._number} gave no picture in {deadline_s:g} s.") from None
        except Exception as error:
            self.close()
            self._health.set(State.ABSENT, f"Camera {self._number} failed: {error}.")
            raise DeviceUnavailable(f"Camera {self._number} failed: {error}.") from error
        self._health.set(State.READY, f"Camera {self._number} is running.")
        return found

    def _started(self) -> Any:
        try:
            library = self._load("picamera2")
            transform = self._load("libcamera").Transform(hflip=self._upside_down, vflip=self._upside_down)
        except ImportError as error:
            raise MissingLibrary(f"The camera needs python3-picamera2: {error}.") from error
        camera = None
        try:
            camera = self._taken(library)
            # The library writes JPEG only from RGB streams, and the small one must be YUV on a Pi 4.
            configuration = camera.create_video_configuration(
                main={"size": self._size, "format": "RGB888"},
                lores={"size": LORES_SIZE, "format": "YUV420"},
                transform=transform,
                buffer_count=BUFFERS,
                controls={"FrameDurationLimits": (FRAME_US, FRAME_US)},
            )
            camera.configure(configuration)
            camera.start()
        except Exception as error:
            # The library raises IndexError, RuntimeError and its own classes for a camera that is not there or taken.
            if camera is not None:
                self._shut_down(camera)
            raise DeviceUnavailable(f"Cannot start camera {self._number}: {error}.") from error
        return camera

    def _taken(self, library: Any) -> Any:
        """The library's own memory for frames is the board's; elsewhere libcamera must give it, once the camera is known."""
        if self._on_board:
            return library.Picamera2(self._number)
        allocators = self._load("picamera2.allocators")
        camera = library.Picamera2(self._number, allocator=allocators.Allocator())
        camera.allocator = allocators.LibcameraAllocator(camera.camera)
        return camera

    def _begin_video(self) -> VideoQueue:
        units = VideoQueue()
        # On a board the library knows whether it has an encoder; elsewhere it would take it for an old board that has one.
        encoders = self._load("picamera2.encoders")
        made = encoders.H264Encoder if self._on_board else encoders.LibavH264Encoder
        encoder = made(repeat=True, iperiod=VIDEO_KEY_EVERY)
        output = type("Units", (self._load("picamera2.outputs").Output,), {"outputframe": units.put})()
        self._within(lambda: self._camera.start_encoder(encoder, output, name="main"), CLOSE_S)
        return units

    def _shut_down(self, camera: Any) -> None:
        """`stop` blocks for ever when the cable is broken, so it runs where it can be left behind."""
        worker = threading.Thread(target=_stop_and_close, args=(camera,), name="camera-close", daemon=True)
        worker.start()
        worker.join(CLOSE_S)
        if worker.is_alive():
            self._health.set(State.FAULT, "The camera does not stop; its process must be killed.")


def _stop_and_close(camera: Any) -> None:
    # Whatever the library raises here, there is nothing left to save.
    with contextlib.suppress(Exception):
        camera.stop()
    with contextlib.suppress(Exception):
        camera.close()
