"""What the rest of the program may ask of a signal lamp with buttons."""

from __future__ import annotations

import enum
from typing import Protocol

from drivers.health import Health


class Signal(enum.Enum):
    """What a lamp can say; colours and rhythm are the driver's, so that nobody has to tell red from green alone."""

    OFF = "off"
    ADMIT = "admit"
    REFUSE = "refuse"
    ATTENTION = "attention"


class Button(enum.Enum):
    """What a button on the lamp's board asks for."""

    PRINT = "print"
    UNDO = "undo"


class Lamp(Protocol):
    """One lamp. One thread opens, shows and closes; one other may wait in `presses`; `health` is for everybody."""

    def open(self) -> None:
        """Make the lamp usable and dark; harmless when it is open.

        Raises `DeviceUnavailable`, or `MissingLibrary` when the machine cannot drive such a lamp.
        """

    def close(self) -> None:
        """Darken the lamp and let go of it; ends a waiting `presses`; harmless when it is closed."""

    def show(self, signal: Signal, for_s: float | None = None) -> None:
        """Show `signal` instead of whatever was shown; it ends by itself after `for_s` seconds, never if None.

        Returns without waiting for that end. Raises `DeviceUnavailable` when the lamp is gone; it is closed then.
        """

    def presses(self, timeout_s: float) -> Button | None:
        """The next button that was pressed, oldest first, or None when none was within `timeout_s`.

        A press is told once, when the button goes down. Raises `DeviceUnavailable` when the lamp is gone or closed.
        """

    def health(self) -> Health:
        """The latest known state."""
