"""What the rest of the program may ask of a modem that sends text messages."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from drivers.errors import DeviceError
from drivers.health import Health

SEND_S = 180.0
"""How long a network may take to accept a message; answers after minutes are normal where reception is poor."""

LONGEST_TEXT = 600
_NUMBER = re.compile(r"\+?[0-9]{3,20}")


class Sim(enum.Enum):
    """What the SIM card wants; `UNKNOWN` when the modem did not say."""

    READY = "ready"
    PIN = "pin"
    PUK = "puk"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ModemStatus:
    """One reading of the modem's own words; None where it did not say. `signal_percent` is 0 to 100."""

    sim: Sim = Sim.UNKNOWN
    registered: bool | None = None
    signal_percent: int | None = None

    @property
    def ready(self) -> bool:
        """Whether the modem said that it can send now; one that says nothing cannot."""
        return self.sim is Sim.READY and self.registered is True


@dataclass(frozen=True, slots=True)
class Sent:
    """The network took the message; `reference` is its number there (several joined by '+'), '' if the modem did not say."""

    reference: str


class NotSent(DeviceError):
    """The message was certainly not sent. `lasting`: trying the same again cannot help (a number that does not exist)."""

    remedy = "Nothing was sent."

    def __init__(self, reason: str, *, lasting: bool = False) -> None:
        super().__init__(reason)
        self.lasting = lasting


class PerhapsSent(DeviceError):
    """The message may have been sent, wholly or in part. Only a person may decide to send it again."""

    remedy = "It may have been sent: ask the guest before it is sent again."

    def __init__(self, reason: str, bytes_taken: int = 1) -> None:
        super().__init__(reason, bytes_taken=max(1, bytes_taken))


class SimTrouble(DeviceError):
    """The SIM card cannot be used as it is."""

    remedy = "Correct the file with its PIN, or try the card in a telephone."


class Modem(Protocol):
    """One modem, owned by one thread; only `health` may be called from others."""

    def open(self) -> None:
        """Make the modem usable; harmless when it is. Raises `DeviceUnavailable`, `DeviceTimeout` or `SimTrouble`."""

    def close(self) -> None:
        """Let go of the modem; harmless when it is closed."""

    def send(self, number: str, text: str, deadline_s: float = SEND_S) -> Sent:
        """Send one message and return when the network has taken it.

        Every error tells what is certain: with `bytes_taken` 0 (`NotSent`, `DeviceUnavailable`, `DeviceTimeout`) nothing
        was sent; otherwise (`PerhapsSent`) it may have been, and sending again could tell the guest twice.
        """

    def status(self) -> ModemStatus:
        """Ask the modem now, and keep what it says for `health`. Never raises; a modem that is gone is closed."""

    def health(self) -> Health:
        """The latest known state; READY only after the modem said that its card is in order and the network has it."""


@runtime_checkable
class WithPin(Protocol):
    """What a modem that gives a SIM card its PIN can do besides."""

    def remember_in(self, file: Path) -> None:
        """Keep in `file` which PINs were given without success, so that no start of the program tries one again."""


def check_message(number: str, text: str) -> None:
    """Raise `NotSent` for a number or a text that no network takes."""
    if not _NUMBER.fullmatch(number):
        raise NotSent("This is not a telephone number.", lasting=True)
    if not text or len(text) > LONGEST_TEXT:
        raise NotSent(f"A message needs between 1 and {LONGEST_TEXT} characters.", lasting=True)
