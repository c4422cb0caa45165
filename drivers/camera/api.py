"""What the rest of the program may ask of a camera."""

from __future__ import annotations

from typing import Protocol

from drivers.health import Health


class Camera(Protocol):
    """One camera, owned by one thread of a process that may be killed; only `health` may be called from others."""

    def open(self) -> None:
        """Make the camera usable; harmless when it is. Raises `DeviceUnavailable`."""

    def close(self) -> None:
        """Let go of the camera; harmless when it is closed."""

    def still(self, deadline_s: float = 2.0) -> bytes:
        """One picture as JPEG. Raises `DeviceTimeout` after `deadline_s`, `DeviceUnavailable` when it is gone."""

    def health(self) -> Health:
        """The latest known state."""
