"""Scanner and printer that are whatever was found for their place: made anew whenever the cable brings another device.

Each does what its family's protocol says; the desk's loops, which open an absent device once a second, need to know nothing more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from appliance.desk.finder import Finder
from appliance.desk.plugged import Plugged
from drivers.errors import DeviceUnavailable
from drivers.health import Health, HealthRecord, State
from drivers.printer.api import UNKNOWN_STATUS, Printer, PrinterStatus
from drivers.printer.profile import DEFAULT_PROFILE
from drivers.scanner.api import Scanner


class _Openable(Protocol):
    def open(self) -> None: ...
    def close(self) -> None: ...
    def health(self) -> Health: ...


Driver = TypeVar("Driver", bound=_Openable)


class Found(Generic[Driver]):
    """The driver of the device at ``place``, as long as that is there; ``make`` builds one from an address."""

    def __init__(self, finder: Finder, place: str, what: str, make: Callable[[str], Driver]) -> None:
        self._finder = finder
        self._place = place
        self._what = what
        self._make = make
        self._thing: Plugged | None = None
        self._driver: Driver | None = None
        self._record = HealthRecord()
        self._record.set(State.OPENING, f"Looking for a {what}.")

    def open(self) -> None:
        """Look which device is there now and open it; raises ``DeviceError``."""
        thing = self._finder.at(self._place)
        if thing != self._thing:
            self.close()
            self._driver = self._make(thing.address) if thing else None
            self._thing = thing
            self._made()
        if self._driver is None:
            self._record.set(State.ABSENT, f"No {self._what} is plugged in.")
            raise DeviceUnavailable(f"No {self._what} is plugged in.")
        self._driver.open()

    def close(self) -> None:
        """Let go of it; harmless when there is none."""
        if self._driver is not None:
            self._driver.close()

    def health(self) -> Health:
        """The device's own word, with what it is; what else is plugged in and not used."""
        driver, thing = self._driver, self._thing
        told = driver.health() if driver else self._record()
        name = f"{thing.words}." if thing and driver else ""
        reason = " ".join(filter(None, (name, told.reason, self._finder.note(self._place))))
        return Health(told.state, reason, told.since_ms, told.detail)

    def _made(self) -> None:
        """Do what has to be done with a driver that has just been built."""

    def _there(self) -> Driver:
        if self._driver is None:
            raise DeviceUnavailable(f"No {self._what} is plugged in.")
        return self._driver


class FoundScanner(Found[Scanner]):
    """The ``Scanner`` protocol over what was found."""

    def read(self, timeout_s: float) -> str | None:
        """See `Scanner.read`."""
        return self._there().read(timeout_s)


class FoundPrinter(Found[Printer]):
    """The ``Printer`` protocol over what was found."""

    _broke_off = 0

    @property
    def profile(self) -> str:
        """See `Printer.profile`."""
        return self._driver.profile if self._driver else DEFAULT_PROFILE

    @property
    def bytes_per_s(self) -> int:
        """See `Printer.bytes_per_s`."""
        return self._driver.bytes_per_s if self._driver else 1_000

    def write(self, data: bytes, deadline_s: float) -> int:
        """See `Printer.write`."""
        return self._there().write(data, deadline_s)

    def broke_off(self, size: int) -> None:
        """See `Printer.broke_off`; told to the first device that comes, which is the one it happened to."""
        self._broke_off = size
        self._made()

    def confirm(self, deadline_s: float) -> bool:
        """See `Printer.confirm`."""
        return self._driver.confirm(deadline_s) if self._driver else False

    def status(self) -> PrinterStatus:
        """See `Printer.status`."""
        return self._driver.status() if self._driver else UNKNOWN_STATUS

    def raise_if_behind(self) -> None:
        """See `Printer.raise_if_behind`."""
        if self._driver is not None:
            self._driver.raise_if_behind()

    def _made(self) -> None:
        if self._driver is not None and self._broke_off:
            self._driver.broke_off(self._broke_off)
            self._broke_off = 0
