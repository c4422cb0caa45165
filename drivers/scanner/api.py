"""What the rest of the program may ask of a code scanner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

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


@runtime_checkable
class TakesHints(Protocol):
    """A scanner that can find out a wrong setting of its own when it knows what codes look like."""

    def expect(self, looks_right: Callable[[str], bool]) -> None:
        """Let `looks_right` tell codes of this venue from others; it is quick and need not know all of them."""
