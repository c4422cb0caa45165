"""`sim://scanner?codes=A,B&fault=unplug&after=2`: a scanner inside this process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable

from drivers.errors import BadDeviceUrl, DeviceUnavailable
from drivers.health import Health, HealthRecord, State
from drivers.url import DeviceUrl

_QUEUED_CODES = 1000


def from_url(url: DeviceUrl) -> SimScanner:
    """The simulated scanner; options: codes (joined by commas), fault (none, unplug), after (codes)."""
    url.check_options({"codes", "fault", "after"})
    if url.host != "scanner":
        raise BadDeviceUrl(f"{url.text!r} must look like sim://scanner.")
    unplug = url.choice("fault", "none", ("none", "unplug")) == "unplug"
    after = url.integer("after", 0, low=0, high=1_000_000)
    codes = [code for code in url.text_option("codes", "").split(",") if code]
    return SimScanner(codes, unplug_after=after if unplug else None)


class SimScanner:
    """Codes put in by `scan`, from any thread, come out of `read`."""

    def __init__(self, codes: Iterable[str] = (), unplug_after: int | None = None) -> None:
        self._codes = deque(codes, maxlen=_QUEUED_CODES)
        self._unplug_after = unplug_after
        self._changed = threading.Condition()
        self._plugged = True
        self._open = False
        self._health = HealthRecord()

    def scan(self, code: str) -> None:
        """Hold a code before the scanner; raises `DeviceUnavailable` when it is unplugged or nobody reads."""
        with self._changed:
            if not self._plugged:
                raise DeviceUnavailable("The simulated scanner is unplugged.")
            if len(self._codes) >= _QUEUED_CODES:
                raise DeviceUnavailable("Nobody reads the simulated scanner.")
            self._codes.append(code)
            self._changed.notify()

    def unplug(self) -> None:
        """Pull the cable; codes that were not read are lost."""
        with self._changed:
            self._plugged = False
            self._codes.clear()
            self._lose()
            self._changed.notify()

    def replug(self) -> None:
        """Put the cable back; the driver must open it again."""
        with self._changed:
            self._unplug_after = None
            self._plugged = True

    def open(self) -> None:
        """See `Scanner.open`."""
        with self._changed:
            if not self._plugged:
                raise self._lose()
            self._open = True
            self._health.set(State.READY, "Listening.")

    def close(self) -> None:
        """See `Scanner.close`."""
        with self._changed:
            self._open = False
            self._health.set(State.ABSENT, "Closed.")
            self._changed.notify()

    def read(self, timeout_s: float) -> str | None:
        """See `Scanner.read`."""
        if self._unplug_after == 0:
            self.unplug()
        with self._changed:
            self._changed.wait_for(lambda: self._codes or not self._open, max(0.0, timeout_s))
            if not self._open:
                raise self._lose()
            if not self._codes:
                return None
            if self._unplug_after is not None:
                self._unplug_after -= 1
            return self._codes.popleft()

    def health(self) -> Health:
        """See `Scanner.health`."""
        return self._health()

    def _lose(self) -> DeviceUnavailable:
        self._open = False
        self._health.set(State.ABSENT, "The simulated scanner is unplugged.")
        return DeviceUnavailable("The simulated scanner is unplugged.")
