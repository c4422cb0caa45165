"""What the rest of the program may ask of a receipt printer."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from drivers.errors import CoverOpen, PaperOut, PrinterJammed, PrinterNotReady
from drivers.health import Health


class Paper(enum.Enum):
    """What the paper sensors say; `UNKNOWN` when the printer did not answer."""

    OK = "ok"
    LOW = "low"
    OUT = "out"
    UNKNOWN = "unknown"


class Cover(enum.Enum):
    """What the cover switch says; `UNKNOWN` when the printer did not answer."""

    CLOSED = "closed"
    OPEN = "open"
    UNKNOWN = "unknown"


class Trouble(enum.Enum):
    """An error that the printer reports beside paper and cover."""

    CUTTER = "cutter"
    OVERHEATED = "overheated"
    MECHANICAL = "mechanical"


TROUBLES = {
    Trouble.CUTTER: "The knife of the printer is jammed.",
    Trouble.OVERHEATED: "The printer is too hot and pauses by itself.",
    Trouble.MECHANICAL: "The printer reports an error.",
}


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """One reading of the printer's own words.

    `online` is None when it did not say; `trouble` is None when it reported no error, or nothing at all.
    """

    paper: Paper = Paper.UNKNOWN
    cover: Cover = Cover.UNKNOWN
    online: bool | None = None
    trouble: Trouble | None = None

    @property
    def answered(self) -> bool:
        """Whether the printer said anything at all."""
        return self != UNKNOWN_STATUS

    def raise_if_not_ready(self) -> None:
        """Raise `PaperOut`, `CoverOpen`, `PrinterJammed` or `PrinterNotReady` when the printer says that it cannot print."""
        if self.paper is Paper.OUT:
            raise PaperOut("The printer has no paper.")
        if self.cover is Cover.OPEN:
            raise CoverOpen("The cover of the printer is open.")
        if self.trouble is not None:
            raise PrinterJammed(TROUBLES[self.trouble])
        if self.online is False:
            raise PrinterNotReady("The printer says that it is offline.")


UNKNOWN_STATUS = PrinterStatus()


def write_deadline_s(size: int, bytes_per_s: int, least_s: float = 10.0) -> float:
    """How long a write of `size` bytes may take before it counts as stuck: twice what the line needs, and `least_s`."""
    return least_s + 2 * size / bytes_per_s


class Printer(Protocol):
    """One receipt printer, owned by one thread; only `health` may be called from others."""

    @property
    def profile(self) -> str:
        """Name of the printer's profile, for `drivers.printer.encoder.render`."""

    @property
    def bytes_per_s(self) -> int:
        """How many bytes a second the way to the printer carries, roughly and rather too low; for pictures and deadlines."""

    def open(self) -> None:
        """Make the printer usable; harmless when it is. Raises `DeviceUnavailable` or `DeviceTimeout`.

        An open printer counts as DEGRADED until `status` has heard from it that it is well.
        """

    def close(self) -> None:
        """Let go of the printer; harmless when it is closed."""

    def write(self, data: bytes, deadline_s: float) -> int:
        """Hand `data` over within `deadline_s` seconds and return `len(data)`.

        Raises `DeviceUnavailable` or `DeviceTimeout`; the error's `bytes_taken` tells "no byte taken" (0: safe to
        repeat) from "some bytes taken" (ambiguous, and the printer is closed so that a half job cannot run into the
        next). Taken means accepted by the transport, not printed: `confirm` asks for that.
        """

    def broke_off(self, size: int) -> None:
        """Take note that a process before this one broke off within a job of `size` bytes, or right behind it.

        What it left half done is ended and cut off before the next job, as this process does with its own.
        """

    def confirm(self, deadline_s: float) -> bool:
        """True when the printer itself said that it has worked through everything written so far.

        False when it stayed silent for `deadline_s`: it may be printing, stalled, or unable to say.
        """

    def status(self) -> PrinterStatus:
        """Ask the printer now; what it does not answer in time is unknown, never fine. Never raises."""

    def raise_if_behind(self) -> None:
        """Raise `PrinterBehind` while a printer that can tell owes word on an earlier job; ask for its `status` before.

        A job sent now could be taken for printed by that word. A well printer is behind for at most ten seconds, after
        which its word counts as lost, unless more is written meanwhile. Raises `DeviceUnavailable` where the printer is not
        open any more, because it hung up when it was asked.
        """

    def health(self) -> Health:
        """The latest known state."""
