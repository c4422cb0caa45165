"""`sim://camera?fault=hang&after=5`: a camera inside this process that films the test picture."""

from __future__ import annotations

import contextlib
import enum
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from PIL import Image

from drivers.camera import pictures
from drivers.camera.api import AccessUnit, Gray
from drivers.camera.h264 import Encoder
from drivers.camera.picture import SIZE, draw_test_picture
from drivers.errors import BadDeviceUrl, DeviceTimeout, DeviceUnavailable
from drivers.health import Health, HealthRecord, State
from drivers.simulated_files import ControlFile
from drivers.url import DeviceUrl

SLOW_STILL_S = 1.0


class Fault(enum.Enum):
    """What can be wrong with a simulated camera."""

    HANG = "hang"
    UNPLUG = "unplug"
    SLOW = "slow"


def from_url(url: DeviceUrl) -> SimCamera:
    """The simulated camera.

    Options: fault (none, hang, unplug, slow), after (pictures), width, height, control, and film (a picture file that is held before it
    while it exists).
    """
    url.check_options({"fault", "after", "width", "height", "control", "film"})
    if url.host != "camera":
        raise BadDeviceUrl(f"{url.text!r} must look like sim://camera.")
    name = url.choice("fault", "none", ["none", *(fault.value for fault in Fault)])
    size = (
        url.integer("width", SIZE[0], low=160, high=4096),
        url.integer("height", SIZE[1], low=120, high=4096),
    )
    camera = SimCamera(size, control=url.text_option("control", ""), film=url.text_option("film", ""))
    if name != "none":
        camera.break_after(url.integer("after", 0, low=0, high=1_000_000), Fault(name))
    return camera


def _time_of_day() -> str:
    return datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")


class SimCamera:
    """`caption` gives the text in the picture; faults may be set from any thread and end a hanging `still`."""

    def __init__(
        self,
        size: tuple[int, int] = SIZE,
        caption: Callable[[], str] = _time_of_day,
        *,
        control: str = "",
        film: str = "",
    ) -> None:
        self._size = size
        self._caption = caption
        self._frame = 0
        self._open = False
        self._fault: Fault | None = None
        self._planned: tuple[int, Fault] | None = None
        self._control = ControlFile(control)
        self._film = Path(film) if film else None
        self._encoder: Encoder | None = None
        self._changed = threading.Event()
        self._health = HealthRecord()

    def set_fault(self, fault: Fault | str | None) -> None:
        """Break the camera in one way, or mend it with None; raises `ValueError` for a name it does not know."""
        self._fault = Fault(fault) if fault is not None else None
        self._planned = None
        self._changed.set()

    def break_after(self, pictures: int, fault: Fault) -> None:
        """Break by itself after so many pictures more."""
        self._planned = (self._frame + pictures, fault)

    def open(self) -> None:
        """See `Camera.open`."""
        self._start_planned_fault()
        if self._fault is Fault.UNPLUG:
            self._lose()
        self._open = True
        self._health.set(State.READY, "The simulated camera is ready.")

    def close(self) -> None:
        """See `Camera.close`."""
        self._open = False
        self._encoder = None
        self._changed.set()
        self._health.set(State.ABSENT, "Closed.")

    def still(self, deadline_s: float = 2.0) -> bytes:
        """See `Camera.still`."""
        return pictures.jpeg(self._picture(deadline_s))

    def preview(self, deadline_s: float = 2.0) -> bytes:
        """See `Camera.preview`."""
        return pictures.small(self._picture(deadline_s))

    def gray(self, deadline_s: float = 2.0) -> Gray:
        """See `Camera.gray`."""
        return pictures.gray_of(self._picture(deadline_s))

    def video(self, deadline_s: float = 2.0) -> AccessUnit:
        """See `Camera.video`."""
        if self._encoder is None:
            self._encoder = Encoder()
        return self._encoder.encode(self._picture(deadline_s))

    def stop_video(self) -> None:
        """See `Camera.stop_video`."""
        self._encoder = None

    def _picture(self, deadline_s: float) -> Image.Image:
        self._start_planned_fault()
        until = time.monotonic() + deadline_s
        self._changed.clear()
        if self._fault is Fault.HANG:
            self._changed.wait(deadline_s)
        elif self._fault is Fault.SLOW:
            self._changed.wait(min(deadline_s, SLOW_STILL_S))
        if not self._open or self._fault is Fault.UNPLUG:
            self._lose()
        if time.monotonic() >= until:
            self._health.set(State.FAULT, "The camera gave no picture in time.")
            raise DeviceTimeout("The simulated camera gave no picture in time.")
        self._frame += 1
        self._health.set(State.READY, "The simulated camera is ready.")
        return self._held_before_it() or draw_test_picture(self._frame, self._caption(), self._size)

    def _held_before_it(self) -> Image.Image | None:
        """What somebody holds before the lens: it covers most of the picture, on white paper."""
        if self._film is None or not self._film.exists():
            return None
        with contextlib.suppress(OSError):
            held = Image.open(self._film).convert("L")
            held.thumbnail((self._size[0] * 8 // 10, self._size[1] * 8 // 10))
            scene = Image.new("RGB", self._size, "#777777")
            scene.paste(held, ((self._size[0] - held.width) // 2, (self._size[1] - held.height) // 2))
            return scene
        return None

    def health(self) -> Health:
        """See `Camera.health`."""
        return self._health()

    def _start_planned_fault(self) -> None:
        if self._planned is not None and self._frame >= self._planned[0]:
            self._fault = self._planned[1]
            self._planned = None
        told = self._control.fault()
        if told is not None:
            self._fault = next((fault for fault in Fault if fault.value == told), None)

    def _lose(self) -> None:
        self._open = False
        self._health.set(State.ABSENT, "The simulated camera is unplugged.")
        raise DeviceUnavailable("The simulated camera is unplugged.")
