"""`picamera2://0?width=1920&height=1080&rotate=180`: a Raspberry Pi camera module.

The library comes from the Raspberry Pi archive (`python3-picamera2`) and is imported only here. One process may own a
camera, and with a broken ribbon cable even stopping it can block for ever inside the kernel; so run this driver in a
process that can be killed, never in a web worker.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import threading
from collections.abc import Callable
from typing import Any

from drivers.errors import BadDeviceUrl, DeviceError, DeviceTimeout, DeviceUnavailable, MissingLibrary
from drivers.health import Health, HealthRecord, State
from drivers.url import DeviceUrl

LORES_SIZE = (640, 360)
FRAME_US = 33_333
BUFFERS = 3
CLOSE_S = 3.0


def from_url(url: DeviceUrl) -> PiCamera:
    """The camera module of that number; options: width, height, rotate (0, 180)."""
    url.check_options({"width", "height", "rotate"})
    if not url.host.isdecimal() or url.path not in ("", "/"):
        raise BadDeviceUrl(f"{url.text!r} must look like picamera2://0.")
    size = (
        url.integer("width", 1920, low=LORES_SIZE[0], high=4608),
        url.integer("height", 1080, low=LORES_SIZE[1], high=2592),
    )
    if size[0] % 2 or size[1] % 2:
        raise BadDeviceUrl(f"Width and height in {url.text!r} must be even.")
    upside_down = url.choice("rotate", "0", ("0", "180")) == "180"
    return PiCamera(int(url.host), size, upside_down=upside_down)


class PiCamera:
    """Runs one configuration with a main and a low-resolution stream, because a mode switch costs half a second."""

    def __init__(
        self,
        number: int,
        size: tuple[int, int],
        *,
        upside_down: bool = False,
        load: Callable[[str], Any] = importlib.import_module,
    ) -> None:
        self._number = number
        self._size = size
        self._upside_down = upside_down
        self._load = load
        self._camera: Any = None
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
        self._health.set(State.ABSENT, "Closed.")
        self._shut_down(camera)

    def still(self, deadline_s: float = 2.0) -> bytes:
        """See `Camera.still`."""
        if self._camera is None:
            raise DeviceUnavailable(f"Camera {self._number} is not running.")
        out = io.BytesIO()
        try:
            # A number for `wait` bounds it. Not capture_request: after a timeout nobody would release its buffer.
            self._camera.capture_file(out, name="main", format="jpeg", wait=deadline_s)
        except TimeoutError:
            self._health.set(State.FAULT, "The camera gave no picture in time.")
            raise DeviceTimeout(f"Camera {self._number} gave no picture in {deadline_s:g} s.") from None
        except Exception as error:
            self.close()
            self._health.set(State.ABSENT, f"Camera {self._number} failed: {error}.")
            raise DeviceUnavailable(f"Camera {self._number} failed: {error}.") from error
        self._health.set(State.READY, f"Camera {self._number} is running.")
        return out.getvalue()

    def health(self) -> Health:
        """See `Camera.health`."""
        return self._health()

    def _started(self) -> Any:
        try:
            library = self._load("picamera2")
            transform = self._load("libcamera").Transform(hflip=self._upside_down, vflip=self._upside_down)
        except ImportError as error:
            raise MissingLibrary(f"The camera needs python3-picamera2: {error}.") from error
        camera = None
        try:
            camera = library.Picamera2(self._number)
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
