"""`sim://printer?fault=stall&after=3`: a printer inside this process, with scripted faults."""

from __future__ import annotations

import threading
import time

from drivers.errors import BadDeviceUrl, DeviceTimeout, DeviceUnavailable
from drivers.printer.profile import DEFAULT_PROFILE, load_profile
from drivers.printer.simulator import SLOW_BYTES_PER_S, Fault, SimulatedPrinter
from drivers.printer.stream import StreamPrinter
from drivers.url import DeviceUrl

BUFFER_BYTES = 1024
"""How much a stalled printer still takes."""

_PAPER = {"ok": None, "low": Fault.PAPER_LOW, "out": Fault.PAPER_OUT}
_COVER = {"closed": None, "open": Fault.COVER_OPEN}


class SimPrinter(StreamPrinter):
    """A `StreamPrinter` wired to a `SimulatedPrinter`, which stays reachable as `simulated`."""

    def __init__(self, simulated: SimulatedPrinter, profile: str = DEFAULT_PROFILE, timeout_s: float = 0.5) -> None:
        self.simulated = simulated
        super().__init__(SimLink(simulated), profile, timeout_s)


def from_url(url: DeviceUrl) -> SimPrinter:
    """The simulated printer; options: paper (ok, low, out), cover (closed, open), fault, after (jobs), profile."""
    url.check_options({"paper", "cover", "fault", "after", "profile", "timeout"})
    if url.host != "printer":
        raise BadDeviceUrl(f"{url.text!r} must look like sim://printer.")
    faults = [
        _PAPER[url.choice("paper", "ok", _PAPER)],
        _COVER[url.choice("cover", "closed", _COVER)],
        _named(url.choice("fault", "none", ["none", *(fault.value for fault in Fault)])),
    ]
    chosen = [fault for fault in faults if fault is not None]
    if len(chosen) > 1:
        raise BadDeviceUrl(f"{url.text!r} asks for several faults; a simulated printer has one at a time.")
    profile = load_profile(url.text_option("profile", DEFAULT_PROFILE)).name
    printer = SimPrinter(SimulatedPrinter(), profile, url.number("timeout", 0.5, low=0.01, high=60))
    _script(printer.simulated, chosen, after=url.integer("after", 0, low=0, high=1_000_000))
    return printer


def _named(name: str) -> Fault | None:
    return None if name == "none" else Fault(name)


def _script(simulated: SimulatedPrinter, faults: list[Fault], after: int) -> None:
    if faults and after:
        simulated.break_after(after, faults[0])
    elif faults:
        simulated.set_fault(faults[0])


class SimLink:
    """The cable to a simulated printer; waits end early when the fault changes."""

    name = "the simulated printer"

    def __init__(self, simulated: SimulatedPrinter) -> None:
        self._simulated = simulated
        self._answers = b""
        self._connected = False
        self._unread = 0
        self._changed = threading.Event()
        simulated.watch(self._changed.set)

    def connect(self, until: float) -> None:
        """See `Link.connect`."""
        if self._simulated.fault is Fault.UNPLUG:
            raise DeviceUnavailable("The simulated printer is unplugged.")
        self._answers = b""
        self._unread = 0
        self._connected = True

    def close(self) -> None:
        """See `Link.close`."""
        self._connected = False

    def send(self, data: bytes, until: float) -> None:
        """See `Link.send`."""
        self._require_plugged()
        if self._simulated.fault is Fault.SLOW and not self._crawl(len(data), until):
            raise DeviceTimeout("The simulated printer is too slow.", bytes_taken=1)
        if self._simulated.fault is Fault.STALL:
            self._stall(data, until)
            return
        self._unread = 0
        self._answers += self._simulated.receive(data)

    def receive(self, until: float) -> bytes:
        """See `Link.receive`."""
        self._require_plugged()
        if not self._answers:
            self._pause(until)
            self._require_plugged()
        answers, self._answers = self._answers, b""
        return answers

    def _stall(self, data: bytes, until: float) -> None:
        taken = min(len(data), BUFFER_BYTES - self._unread)
        self._unread += taken
        if taken < len(data):
            self._pause(until)
            raise DeviceTimeout("The simulated printer stopped taking data.", bytes_taken=taken)

    def _crawl(self, size: int, until: float) -> bool:
        done = time.monotonic() + size / SLOW_BYTES_PER_S
        self._pause(min(done, until))
        return done <= until

    def _pause(self, until: float) -> None:
        self._changed.clear()
        self._changed.wait(max(0.0, until - time.monotonic()))

    def _require_plugged(self) -> None:
        if not self._connected or self._simulated.fault is Fault.UNPLUG:
            raise DeviceUnavailable("The simulated printer is unplugged.")
