"""What the rest of the program may ask of a code scanner."""

from __future__ import annotations

from typing import Protocol

from drivers.health import Health


class Scanner(Protocol):
    """One scanner, owned by one thread; only `health` may be called from others."""

    def open(self) -> None:
        """Make the scanner usable; harmless when it is. Raises `DeviceUnavailable`."""

    def close(self) -> None:
        """Let go of the scanner; harmless when it is closed."""

    def read(self, timeout_s: float) -> str | None:
        """The next code, or None when none came within `timeout_s`.

        Raises `DeviceUnavailable` when the scanner is gone; it is closed then, and `open` may be tried again.
        """

    def health(self) -> Health:
        """The latest known state."""
