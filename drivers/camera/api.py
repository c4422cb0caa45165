"""What the rest of the program may ask of a camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from drivers.health import Health


@dataclass(frozen=True, slots=True)
class Gray:
    """A picture row by row from the top, one byte per pixel (0 black), `stride` bytes from one row to the next."""

    data: bytes
    width: int
    height: int
    stride: int


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One coded picture of an H.264 stream as a byte stream (ITU-T H.264, Annex B); `pts_us` counts from the first one.

    A `key` unit carries its parameter sets, so that a viewer may begin there.
    """

    data: bytes
    key: bool
    pts_us: int


class Camera(Protocol):
    """One camera, owned by one thread of a process that may be killed; only `health` may be called from others.

    Everything comes from one configuration with a large and a small stream: changing it costs half a second. Each of `still`,
    `preview`, `gray` and `video` raises `DeviceTimeout` after `deadline_s`, `DeviceUnavailable` when the camera is gone.
    """

    def open(self) -> None:
        """Make the camera usable; harmless when it is. Raises `DeviceUnavailable`."""

    def close(self) -> None:
        """Let go of the camera; harmless when it is closed."""

    def still(self, deadline_s: float = 2.0) -> bytes:
        """One picture of the large stream as JPEG."""

    def preview(self, deadline_s: float = 2.0) -> bytes:
        """One picture of the small stream as JPEG: what is shown first."""

    def gray(self, deadline_s: float = 2.0) -> Gray:
        """The brightness of one picture, as sharp as codes need it."""

    def video(self, deadline_s: float = 2.0) -> AccessUnit:
        """The next picture of an H.264 stream, which begins with the first call; raises `MissingLibrary` without an encoder."""

    def stop_video(self) -> None:
        """End the stream; the next one begins with a key unit. Harmless when there is none."""

    def health(self) -> Health:
        """The latest known state."""
