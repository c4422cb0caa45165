"""What can go wrong with a device, each with a sentence that tells a person what to do."""

from __future__ import annotations


class DeviceError(Exception):
    """Something a driver could not do.

    `bytes_taken` is how many bytes of a write the device's transport had accepted before it failed: 0 means that
    nothing of the job can have been printed and it is safe to send again; more means the outcome is ambiguous.
    """

    remedy = "Look at the device and try again."

    def __init__(self, reason: str, *, bytes_taken: int = 0) -> None:
        super().__init__(f"{reason} {self.remedy}")
        self.reason = reason
        self.bytes_taken = bytes_taken


class DeviceUnavailable(DeviceError):
    """The device is not there, went away, or another process owns it."""

    remedy = "Check that it is switched on and plugged in, and that no other program uses it."


class DeviceTimeout(DeviceError):
    """The device is there but did not finish within the deadline."""

    remedy = "Check that it is not blocked; if it stays silent, switch it off and on again."


class PrinterNotReady(DeviceError):
    """The printer itself says that it cannot print now."""

    remedy = "Look at the lamps and the display of the printer."


class PaperOut(PrinterNotReady):
    """The printer says that its paper has run out."""

    remedy = "Put in a new roll; printing goes on by itself."


class CoverOpen(PrinterNotReady):
    """The printer says that its cover is open."""

    remedy = "Close the cover until it clicks; printing goes on by itself."


class PrinterJammed(PrinterNotReady):
    """The printer reports an error of its mechanics: a jammed knife, a head that is too hot, a failed motor."""

    remedy = "Switch it off, open the cover, take out paper that is stuck, close it and switch it on."


class PrinterBehind(PrinterNotReady):
    """The printer has not said yet what became of something it was sent."""

    remedy = "Wait; the next job follows in ten seconds at most."


class BadDeviceUrl(DeviceError, ValueError):
    """A device address in the settings cannot be used as it stands."""

    remedy = "Correct the device address in the settings."


class MissingLibrary(DeviceError):
    """The driver needs a library that is not installed on this machine."""

    remedy = "Install it, or choose another driver in the settings."
