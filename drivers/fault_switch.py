"""What is wrong with a simulated device, by whoever breaks it: a test, its URL, or a person with a control file."""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

from drivers.simulated_files import ControlFile

F = TypeVar("F", bound=enum.Enum)


class FaultSwitch(Generic[F]):
    """One of `faults` or nothing: set at once or for later; a control file, where there is one, overrules both."""

    def __init__(self, faults: type[F], control: str = "") -> None:
        self._faults = faults
        self._control = ControlFile(control)
        self._fault: F | None = None
        self._planned: tuple[int, F] | None = None

    def set(self, fault: F | str | None) -> None:
        """Break it in one way, or mend it with None; raises `ValueError` for a name it does not know."""
        self._fault = self._faults(fault) if fault is not None else None
        self._planned = None

    def break_after(self, count: int, fault: F) -> None:
        """Break by itself once the device has done so many things in all."""
        self._planned = (count, fault)

    def now(self, count: int = 0) -> F | None:
        """Return what is wrong with a device that has done `count` things; a name that nobody knows is nothing."""
        if self._planned is not None and count >= self._planned[0]:
            self._fault, self._planned = self._planned[1], None
        told = self._control.fault()
        if told is None:
            return self._fault
        try:
            return self._faults(told) if told else None
        except ValueError:
            return None
