"""`sim://printer?fault=stall&after=3`: a printer inside this process, with scripted faults."""

from __future__ import annotations

import threading
import time
from collections import deque

from drivers.errors import BadDeviceUrl, DeviceTimeout, DeviceUnavailable
from drivers.printer.profile import DEFAULT_PROFILE, load_profile
from drivers.printer.simulator import SLOW_BYTES_PER_S, Fault, SimulatedPrinter
from drivers.printer.stream import StreamPrinter
from drivers.url import DeviceUrl

BUFFER_BYTES = 1024
"""How much a stalled printer still takes."""
BYTES_PER_S = 500_000
_SLOW_CHUNK = 64

_PAPER = {"ok": None, "low": Fault.PAPER_LOW, "out": Fault.PAPER_OUT}
_COVER = {"closed": None, "open": Fault.COVER_OPEN}


class SimPrinter(StreamPrinter):
    """A `StreamPrinter` wired to a `SimulatedPrinter`, which stays reachable as `simulated`."""

    def __init__(
        self,
        simulated: SimulatedPrinter,
        profile: str = DEFAULT_PROFILE,
        timeout_s: float = 0.5,
        bytes_per_s: int = BYTES_PER_S,
    ) -> None:
        self.simulated = simulated
        super().__init__(SimLink(simulated, bytes_per_s), profile, timeout_s)


def from_url(url: DeviceUrl) -> SimPrinter:
    """The simulated printer.

    Options: paper (ok, low, out), cover (closed, open), or fault (a name of `Fault`); after (jobs) or after_bytes, then
    the fault comes by itself; reply_ms (how long each answer takes); bytes_per_s (what it says of its cable); profile,
    timeout.
    """
    known = {"paper", "cover", "fault", "after", "after_bytes", "reply_ms", "bytes_per_s", "profile", "timeout"}
    url.check_options(known)
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
    timeout_s = url.number("timeout", 0.5, low=0.01, high=60)
    bytes_per_s = url.integer("bytes_per_s", BYTES_PER_S, low=1, high=1_000_000_000)
    printer = SimPrinter(SimulatedPrinter(), profile, timeout_s, bytes_per_s)
    printer.simulated.reply_s = url.number("reply_ms", 0, low=0, high=60_000) / 1000
    _script(printer.simulated, chosen, url)
    return printer


def _named(name: str) -> Fault | None:
    return None if name == "none" else Fault(name)


def _script(simulated: SimulatedPrinter, faults: list[Fault], url: DeviceUrl) -> None:
    receipts = url.integer("after", 0, low=0, high=1_000_000)
    count = url.integer("after_bytes", 0, low=0, high=1_000_000_000)
    if receipts and count:
        raise BadDeviceUrl(f"{url.text!r} says both 'after' and 'after_bytes'.")
    if not faults:
        return
    if count:
        simulated.break_after_bytes(count, faults[0])
    elif receipts:
        simulated.break_after(receipts, faults[0])
    else:
        simulated.set_fault(faults[0])


class SimLink:
    """The cable to a simulated printer; waits end early when the fault changes."""

    name = "the simulated printer"
    # What waits in the printer's buffer is worked through, and answered, after a new connection too.
    fresh_on_connect = False

    def __init__(self, simulated: SimulatedPrinter, bytes_per_s: int = BYTES_PER_S) -> None:
        self.bytes_per_s = bytes_per_s
        self._simulated = simulated
        self._answers: deque[tuple[float, bytes]] = deque()
        self._connection: int | None = None
        self._buffer = b""
        self._changed = threading.Event()
        simulated.watch(self._changed.set)

    def connect(self, until: float) -> None:
        """See `Link.connect`."""
        if not self._simulated.plugged:
            raise DeviceUnavailable("The simulated printer is unplugged.")
        self._answers.clear()
        self._connection = self._simulated.hang_ups

    def close(self) -> None:
        """See `Link.close`."""
        self._connection = None

    def send(self, data: bytes, until: float) -> None:
        """See `Link.send`."""
        taken = 0
        while taken < len(data):
            self._require_plugged(taken)
            piece = data[taken : taken + self._room(len(data) - taken)]
            if piece:
                self._take(piece, until)
                taken += len(piece)
            else:
                self._pause(until)
            if taken < len(data) and time.monotonic() >= until:
                raise DeviceTimeout("The simulated printer stopped taking data.", bytes_taken=taken)

    def receive(self, until: float) -> bytes:
        """See `Link.receive`."""
        while True:
            self._require_plugged(0)
            self._work_off()
            now = time.monotonic()
            if self._answers and self._answers[0][0] <= now:
                return self._answers.popleft()[1]
            if now >= until:
                return b""
            self._pause(min(until, self._answers[0][0]) if self._answers else until)

    def port_status(self, _until: float) -> int | None:
        """See `Link.port_status`."""
        return None

    def _room(self, wanted: int) -> int:
        fault = self._simulated.fault
        if fault is Fault.STALL:
            return min(wanted, BUFFER_BYTES - len(self._buffer))
        return self._simulated.room(min(wanted, _SLOW_CHUNK) if fault is Fault.SLOW else wanted)

    def _take(self, piece: bytes, until: float) -> None:
        self._buffer += piece
        if self._simulated.fault is Fault.SLOW:
            self._pause(min(until, time.monotonic() + len(piece) / SLOW_BYTES_PER_S))
        self._work_off()

    def _work_off(self) -> None:
        """Let the printer read what waits in its buffer, unless it has stopped reading."""
        if not self._buffer or self._simulated.fault is Fault.STALL:
            return
        waiting, self._buffer = self._buffer, b""
        answers = self._simulated.receive(waiting)
        if answers:
            self._answers.append((time.monotonic() + self._simulated.answer_delay_s, answers))

    def _pause(self, until: float) -> None:
        self._changed.clear()
        self._changed.wait(max(0.0, until - time.monotonic()))

    def _require_plugged(self, taken: int) -> None:
        if self._simulated.plugged and self._connection == self._simulated.hang_ups:
            return
        self._buffer = b""
        self._answers.clear()
        raise DeviceUnavailable("The simulated printer is unplugged.", bytes_taken=taken)
