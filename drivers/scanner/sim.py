"""`sim://scanner?codes=A,B&fault=unplug&after=2`: a scanner inside this process."""

from __future__ import annotations

import queue
import threading

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
    scanner = SimScanner(unplug_after=after if unplug else None)
    for code in url.text_option("codes", "").split(","):
        if code:
            scanner.scan(code)
    return scanner


class SimScanner:
    """Codes put in by `scan`, from any thread, come out of `read`."""

    def __init__(self, unplug_after: int | None = None) -> None:
        self._codes: queue.Queue[str | None] = queue.Queue(_QUEUED_CODES)
        self._unplug_after = unplug_after
        self._plugged = threading.Event()
        self._plugged.set()
        self._open = False
        self._health = HealthRecord()

    def scan(self, code: str) -> None:
        """Hold a code before the scanner; raises `DeviceUnavailable` when it is unplugged or nobody reads."""
        if not self._plugged.is_set():
            raise DeviceUnavailable("The simulated scanner is unplugged.")
        try:
            self._codes.put_nowait(code)
        except queue.Full:
            raise DeviceUnavailable("Nobody reads the simulated scanner.") from None

    def unplug(self) -> None:
        """Pull the cable; codes that were not read are lost."""
        self._plugged.clear()
        while not self._codes.empty():
            self._codes.get_nowait()
        self._codes.put_nowait(None)

    def replug(self) -> None:
        """Put the cable back; the driver must open it again."""
        self._unplug_after = None
        self._plugged.set()

    def open(self) -> None:
        """See `Scanner.open`."""
        if self._open:
            return
        if not self._plugged.is_set():
            self._health.set(State.ABSENT, "The simulated scanner is unplugged.")
            raise DeviceUnavailable("The simulated scanner is unplugged.")
        self._open = True
        self._health.set(State.READY, "Listening.")

    def close(self) -> None:
        """See `Scanner.close`."""
        self._open = False
        self._health.set(State.ABSENT, "Closed.")

    def read(self, timeout_s: float) -> str | None:
        """See `Scanner.read`."""
        self._require_plugged()
        if self._unplug_after == 0:
            self.unplug()
        try:
            code = self._codes.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None
        if code is None:
            self._require_plugged()
            return None
        if self._unplug_after is not None:
            self._unplug_after -= 1
        return code

    def health(self) -> Health:
        """See `Scanner.health`."""
        return self._health()

    def _require_plugged(self) -> None:
        if self._open and self._plugged.is_set():
            return
        self._open = False
        self._health.set(State.ABSENT, "The simulated scanner is unplugged.")
        raise DeviceUnavailable("The simulated scanner is unplugged.")
