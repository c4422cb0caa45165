"""`sim://hotspot?phones=3&limit=20&control=FILE`: an access point inside this process.

`control` holds the name of the fault; while it is `full` the hotspot has as many phones as fit, and three more ask.
"""

from __future__ import annotations

import enum
import time

from drivers.errors import BadDeviceUrl, DeviceUnavailable
from drivers.fault_switch import FaultSwitch
from drivers.health import Health, HealthRecord, State
from drivers.hotspot.api import HotspotStatus, judge
from drivers.url import DeviceUrl

_MORE = 3
_LOOK_S = 0.1


class Fault(enum.Enum):
    """What can be wrong with a simulated hotspot."""

    DOWN = "down"
    FULL = "full"


def from_url(url: DeviceUrl) -> SimHotspot:
    """The simulated hotspot; options: phones, limit, fault (none, down, full), control."""
    url.check_options({"phones", "limit", "fault", "control"})
    if url.host != "hotspot":
        raise BadDeviceUrl(f"{url.text!r} must look like sim://hotspot.")
    name = url.choice("fault", "none", ["none", *(fault.value for fault in Fault)])
    made = SimHotspot(
        phones=url.integer("phones", 3, low=0, high=2007),
        limit=url.integer("limit", 20, low=0, high=2007),
        control=url.text_option("control", ""),
    )
    made.set_fault(None if name == "none" else name)
    return made


class SimHotspot:
    """See `Hotspot`."""

    def __init__(self, *, phones: int = 3, limit: int = 20, control: str = "") -> None:
        self.phones = phones
        self._limit = limit
        self._faults = FaultSwitch(Fault, control)
        self._open = False
        self._health = HealthRecord()

    def set_fault(self, fault: Fault | str | None) -> None:
        """Break the hotspot in one way, or mend it with None; raises `ValueError` for a name it does not know."""
        self._faults.set(fault)

    def open(self) -> None:
        """See `Hotspot.open`."""
        if self._faults.now() is Fault.DOWN:
            raise self._lose()
        self._open = True

    def close(self) -> None:
        """See `Hotspot.close`."""
        self._open = False
        self._health.set(State.ABSENT, "Closed.")

    def look(self, for_s: float) -> HotspotStatus:
        """See `Hotspot.look`."""
        if not self._open:
            raise DeviceUnavailable("The simulated hotspot is not looked at.")
        until_s = time.monotonic() + for_s
        while self._faults.now() is not Fault.DOWN and time.monotonic() < until_s:
            time.sleep(_LOOK_S)
        if self._faults.now() is Fault.DOWN:
            raise self._lose()
        full = self._faults.now() is Fault.FULL
        status = HotspotStatus(True, self._limit if full else self.phones, self._limit, _MORE if full else 0)
        self._health.set(*judge(status))
        return status

    def health(self) -> Health:
        """See `Hotspot.health`."""
        return self._health()

    def _lose(self) -> DeviceUnavailable:
        self._open = False
        self._health.set(State.FAULT, "The simulated hotspot is down.")
        return DeviceUnavailable("The simulated hotspot is down.")
