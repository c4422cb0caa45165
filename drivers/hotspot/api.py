"""What the rest of the program may ask of an access point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from drivers.health import Health, State

REFUSED_S = 600.0
"""How long a phone that was turned away counts as such."""


@dataclass(frozen=True, slots=True)
class HotspotStatus:
    """One reading. `limit` is how many `phones` fit, 0 where nobody knows; `refused` are other phones turned away lately."""

    on_air: bool
    phones: int = 0
    limit: int = 0
    refused: int = 0

    @property
    def full(self) -> bool:
        """Whether the next phone is turned away."""
        return self.on_air and 0 < self.limit <= self.phones


class Hotspot(Protocol):
    """One access point, owned by one thread; only `health` may be called from others."""

    def open(self) -> None:
        """Begin to listen; harmless when it is open. Raises `DeviceUnavailable` where nobody serves a hotspot."""

    def close(self) -> None:
        """Let go of it; harmless when it is closed. Phones notice nothing."""

    def look(self, for_s: float) -> HotspotStatus:
        """Listen for up to `for_s` seconds, then say how it is. Raises `DeviceError` when it is gone; it is closed then."""

    def health(self) -> Health:
        """The latest known state; DEGRADED while it is full."""


def judge(status: HotspotStatus) -> tuple[State, str]:
    """The state behind a reading and a sentence that begins with the figures."""
    if not status.on_air:
        return State.OPENING, "The radio is not on the air yet."
    figures = f"{status.phones} of {status.limit} phones" if status.limit else f"{status.phones} phones"
    if not status.full:
        return State.READY, f"{figures} are on the Wi-Fi."
    more = f"; {status.refused} more could not come in" if status.refused else ""
    return State.DEGRADED, f"{figures} are on the Wi-Fi: it is full{more}."
