"""`sim://scanner?codes=A,B&fault=unplug&after=2`: a scanner inside this process, with scripted faults."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from drivers.errors import BadDeviceUrl, DeviceUnavailable
from drivers.health import Clock, Health, HealthRecord, State
from drivers.scanner.decode import Decoder, Frame
from drivers.scanner.evdev import LAYOUT_OPTIONS, guess_for
from drivers.scanner.guess import LayoutGuess
from drivers.scanner.intake import OPTIONS, Intake, intake_for
from drivers.scanner.keys import KeyDecoder
from drivers.scanner.layouts import NAMES
from drivers.scanner.typist import Event, events_for, numbered_events_for
from drivers.url import DeviceUrl

FAULTS = ("none", "unplug", "stall", "garbage", "babble", "burst", "partial", "layout", "slow")
BURST = 10
SLOW_S = 1.0
_QUEUED_CODES = 1000
_PIECE_BYTES, _PIECE_S = 3, 0.01
_NOISE = b"\xfe\x81\x00\xff" * 16
_LOOK_S = 0.05
_IDLE_S = 60.0


def from_url(url: DeviceUrl) -> SimScanner:
    """The simulated scanner.

    Options: codes (joined by commas), fault (one of `FAULTS`), after (codes that come through before it), control (a file whose
    text is the fault; empty or absent means none), keyboard (which one it types for under the fault `layout`), and those of real scanners.
    """
    url.check_options({"codes", "fault", "after", "control", "keyboard", *OPTIONS, *LAYOUT_OPTIONS})
    if url.host != "scanner":
        raise BadDeviceUrl(f"{url.text!r} must look like sim://scanner.")
    control = url.text_option("control", "")
    scanner = SimScanner(
        (code for code in url.text_option("codes", "").split(",") if code),
        fault=url.choice("fault", "none", FAULTS),
        after=url.integer("after", 0, low=0, high=1_000_000),
        control=Path(control) if control else None,
        keyboard=url.choice("keyboard", "fr", NAMES),
    )
    scanner.configure(
        Frame(url.text_option("prefix", ""), url.text_option("suffix", "")),
        guess_for(url),
        intake_for(url, debounce_s=0),
    )
    return scanner


class SimScanner:
    """Codes put in by `scan`, from any thread, come out of `read`, by way of the decoders of real scanners.

    Faults: `unplug`; `stall` holds codes back and says nothing; `garbage` makes noise of every code; `babble` makes noise without
    end; `burst` holds codes back until there are `BURST`; `partial` sends pieces of three bytes; `layout` types for another keyboard;
    `slow` takes `SLOW_S` for a code.
    """

    def __init__(
        self,
        codes: Iterable[str] = (),
        *,
        fault: str = "none",
        after: int = 0,
        control: Path | None = None,
        keyboard: str = "fr",
        clock: Clock = time.monotonic,
    ) -> None:
        self._held = deque(codes, maxlen=_QUEUED_CODES)
        self._wire: deque[tuple[float, bytes | list[Event]]] = deque()
        self._scripted, self._after, self._control = fault, after, control
        self._keyboard = keyboard
        self._clock = clock
        self._changed = threading.Condition()
        self._plugged = True
        self._open = False
        self._delivered = 0
        self._health = HealthRecord(clock)
        self.configure(Frame(), LayoutGuess(), Intake())

    def configure(self, frame: Frame, guess: LayoutGuess, intake: Intake) -> None:
        """How its codes are read, as for real scanners."""
        self._decoder = Decoder(frame.prefix, frame.suffix)
        self._keys = KeyDecoder()
        self._guess, self._intake = guess, intake

    def expect(self, looks_right: Callable[[str], bool]) -> None:
        """See `KeyboardScanner.expect`."""
        self._guess.expect(looks_right)

    def scan(self, code: str) -> None:
        """Hold a code before the scanner; raises `DeviceUnavailable` when it is unplugged or nobody reads."""
        with self._changed:
            if not self._plugged or self._fault() == "unplug":
                raise DeviceUnavailable("The simulated scanner is unplugged.")
            if len(self._held) >= _QUEUED_CODES:
                raise DeviceUnavailable("Nobody reads the simulated scanner.")
            self._held.append(code)
            self._changed.notify()

    def unplug(self) -> None:
        """Pull the cable; codes that were not read are lost."""
        with self._changed:
            self._plugged = False
            self._lose()
            self._changed.notify()

    def replug(self) -> None:
        """Put the cable back; the driver must open it again."""
        with self._changed:
            if self._scripted == "unplug":
                self._scripted = "none"
            self._plugged = True

    def open(self) -> None:
        """See `Scanner.open`."""
        with self._changed:
            if not self._plugged or self._fault() == "unplug":
                raise self._lose()
            if not self._open:
                self._open = True
                self._decoder.reset()
                self._keys.reset()
                self._intake.reset()
            self._tell()

    def close(self) -> None:
        """See `Scanner.close`."""
        with self._changed:
            self._open = False
            self._health.set(State.ABSENT, "Closed.")
            self._changed.notify()

    def read(self, timeout_s: float) -> str | None:
        """See `Scanner.read`."""
        until = self._clock() + timeout_s
        with self._changed:
            while True:
                fault = self._fault()
                if not self._open or not self._plugged or fault == "unplug":
                    raise self._lose()
                self._carry(fault)
                code = None if fault == "stall" else self._intake.take()
                self._tell()
                left_s = until - self._clock()
                if code is not None or left_s <= 0:
                    self._delivered += code is not None
                    return code
                self._changed.wait(min(left_s, self._due_s(fault)))

    def health(self) -> Health:
        """See `Scanner.health`."""
        return self._health()

    def _fault(self) -> str:
        if self._control is not None:
            try:
                named = self._control.read_text(encoding="utf-8").strip()
            except OSError:
                named = ""
            if named in FAULTS:
                return named
        return self._scripted if self._delivered >= self._after else "none"

    def _carry(self, fault: str) -> None:
        """Bring codes that are held before it to the decoders, the way the fault has it."""
        now = self._clock()
        if fault == "babble":
            self._arrive(_NOISE, now)
        if fault == "stall" or (fault == "burst" and len(self._held) < BURST):
            return
        while self._held and (fault == "burst" or not self._wire):
            self._wire.extend(self._sent(self._held.popleft(), fault, now))
        while self._wire and self._wire[0][0] <= now:
            self._arrive(self._wire.popleft()[1], now)
        self._arrive(b"", now)

    def _sent(self, code: str, fault: str, now: float) -> list[tuple[float, bytes | list[Event]]]:
        data = code.encode() + b"\r"
        if fault == "layout":
            return [(now, _typed(code, self._keyboard))]
        if fault == "garbage":
            return [(now, bytes(0x80 | (byte * 5 & 0x7F) for byte in data) + b"\r")]
        if fault == "partial":
            starts = range(0, len(data), _PIECE_BYTES)
            return [(now + n * _PIECE_S, data[at : at + _PIECE_BYTES]) for n, at in enumerate(starts)]
        return [(now + (SLOW_S if fault == "slow" else 0.0), data)]

    def _arrive(self, what: bytes | list[Event], now: float) -> None:
        if isinstance(what, list):
            codes = [self._guess.read(typed) for typed in self._keys.feed(what, now)]
            self._intake.put([code for code in codes if code], len(what), now)
            return
        unreadable = self._decoder.unreadable
        found = self._decoder.feed(what, now) if what else self._decoder.flush(now)
        if self._decoder.unreadable > unreadable:
            self._intake.watch.noise(now, self._decoder.unreadable - unreadable)
        self._intake.put(found, len(what), now)

    def _due_s(self, fault: str) -> float:
        """Seconds until something happens by itself."""
        now = self._clock()
        dues = [_LOOK_S if self._control or fault == "babble" else _IDLE_S]
        if self._wire:
            dues.append(max(0.0, self._wire[0][0] - now))
        if self._decoder.waiting:
            dues.append(self._decoder.gap_left_s(now))
        return min(dues)

    def _tell(self) -> None:
        now = self._clock()
        more = "" if self._intake.watch.trouble(now) else self._guess.complaint
        self._intake.report(self._health, now, "the simulated scanner", more)

    def _lose(self) -> DeviceUnavailable:
        self._open = False
        self._held.clear()
        self._wire.clear()
        self._health.set(State.ABSENT, "The simulated scanner is unplugged.")
        return DeviceUnavailable("The simulated scanner is unplugged.")


def _typed(code: str, keyboard: str) -> list[Event]:
    try:
        return events_for(code, keyboard)
    except ValueError:
        return numbered_events_for(code)
