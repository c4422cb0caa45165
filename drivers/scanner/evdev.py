"""`evdev:///dev/input/by-id/...-event-kbd`: a scanner or card reader that pretends to be a USB keyboard.

It is grabbed, so that its keys reach neither the console nor a login prompt. Needs the evdev library of the system (Debian:
`python3-evdev`) and the right to read the device (group `input`).
"""

from __future__ import annotations

import contextlib
import importlib
import re
import time
from collections.abc import Callable
from typing import Any

from drivers.errors import BadDeviceUrl, DeviceUnavailable, MissingLibrary
from drivers.health import Clock, Health, HealthRecord, State
from drivers.scanner.decode import Frame
from drivers.scanner.guess import LayoutGuess, pattern
from drivers.scanner.intake import OPTIONS, Intake, intake_for
from drivers.scanner.keyreader import Events, KeyReader
from drivers.scanner.keys import DEFAULT_GAP_S, ENTER, EV_KEY, PRESSED, KeyDecoder, Typed
from drivers.scanner.layouts import NAMES
from drivers.scanner.watch import Trouble
from drivers.url import DeviceUrl

_IDLE_S = 60.0
_AT_ONCE = 64
LAYOUT_OPTIONS = frozenset({"prefix", "suffix", "layout", "layouts", "expect", "calibration"})


def from_url(url: DeviceUrl) -> KeyboardScanner:
    """The scanner behind the address.

    Options: prefix, suffix, gap (seconds that end a code without Enter), debounce (seconds), uid (see `uid.FORMATS`), layout (how its
    keys are read, default us), layouts (the keyboards it may be set to by mistake, joined by commas, default all known), expect (a regular
    expression of the venue's codes), calibration (the text of a code that settles the layout and is not passed on).
    """
    url.check_options({"gap", *OPTIONS, *LAYOUT_OPTIONS})
    if url.host or not url.path.startswith("/"):
        raise BadDeviceUrl(f"{url.text!r} must look like evdev:///dev/input/by-id/usb-...-event-kbd.")
    gap_s = url.number("gap", DEFAULT_GAP_S, low=0.02, high=5)
    return KeyboardScanner(url.path, KeyDecoder(gap_s), guess_for(url), intake_for(url))


def guess_for(url: DeviceUrl) -> LayoutGuess:
    """The guess that the `LAYOUT_OPTIONS` ask for; raises `BadDeviceUrl`."""
    candidates = [each for each in url.text_option("layouts", ",".join(NAMES)).split(",") if each]
    unknown = [each for each in candidates if each not in NAMES]
    if unknown:
        raise BadDeviceUrl(f"Unknown keyboard {unknown[0]!r} in {url.text!r}; known: {', '.join(NAMES)}.")
    frame = Frame(url.text_option("prefix", ""), url.text_option("suffix", ""))
    guess = LayoutGuess(url.choice("layout", "us", NAMES), candidates, url.text_option("calibration", ""), frame.strip)
    if expect := url.text_option("expect", ""):
        try:
            guess.expect(pattern(expect))
        except re.error as error:
            raise BadDeviceUrl(f"Option 'expect' in {url.text!r} is no regular expression: {error}.") from None
    return guess


class KeyboardScanner:
    """Reads codes from one input device; `open` raises `MissingLibrary` where the library is not installed."""

    def __init__(
        self, path: str, decoder: KeyDecoder, guess: LayoutGuess, intake: Intake, clock: Clock = time.monotonic
    ) -> None:
        self._path = path
        self._decoder = decoder
        self._guess = guess
        self._intake = intake
        self._clock = clock
        self._reader: KeyReader | None = None
        self._health = HealthRecord(clock)

    def expect(self, looks_right: Callable[[str], bool]) -> None:
        """Let `looks_right` tell codes of this venue from others, so that a wrong keyboard layout is found; not a must."""
        self._guess.expect(looks_right)

    def open(self) -> None:
        """See `Scanner.open`."""
        if self._reader is not None:
            return
        self._health.set(State.OPENING, f"Opening {self._path}.")
        try:
            self._reader = KeyReader(self._grabbed(), self._clock)
        except MissingLibrary as error:
            self._health.set(State.FAULT, error.reason)
            raise
        except DeviceUnavailable as error:
            self._health.set(State.ABSENT, error.reason)
            raise
        self._decoder.reset()
        self._intake.reset()
        self._tell()

    def close(self) -> None:
        """See `Scanner.close`."""
        self._lose("Closed.")

    def read(self, timeout_s: float) -> str | None:
        """See `Scanner.read`."""
        until = self._clock() + timeout_s
        while True:
            self._pull()
            code = self._intake.take()
            now = self._clock()
            self._tell()
            if code is not None or now >= until:
                return code
            due_s = self._decoder.gap_left_s(now) if self._decoder.waiting else _IDLE_S
            self._wait(min(until - now, due_s))

    def health(self) -> Health:
        """See `Scanner.health`."""
        return self._health()

    def _grabbed(self) -> Any:
        evdev = _library()
        try:
            device = evdev.InputDevice(self._path)
        except OSError as error:
            right = " Add the user to the group input." if isinstance(error, PermissionError) else ""
            raise DeviceUnavailable(f"Cannot open the scanner at {self._path}: {error}.{right}") from None
        try:
            if ENTER not in device.capabilities().get(EV_KEY, ()):
                raise DeviceUnavailable(f"{self._path} is no keyboard; take the name that ends with -event-kbd.")
            device.grab()
        except OSError as error:
            device.close()
            raise DeviceUnavailable(f"Cannot have the scanner at {self._path} alone: {error}.") from None
        except DeviceUnavailable:
            device.close()
            raise
        return device

    def _pull(self) -> None:
        """Take in the events that have arrived; bounded, so that a key that hangs keeps nobody here."""
        if self._reader is None:
            raise DeviceUnavailable(f"The scanner at {self._path} is not open.")
        for _ in range(_AT_ONCE):
            try:
                arrived = self._reader.take()
            except OSError as error:
                reason = f"The scanner at {self._path} is gone: {error}."
                self._lose(reason)
                raise DeviceUnavailable(reason) from None
            if arrived is None:
                self._decode([], self._clock())
                return
            self._decode(arrived[1], arrived[0])

    def _decode(self, events: Events, now: float) -> None:
        decoder, watch = self._decoder, self._intake.watch
        dropped, lost = decoder.dropped, decoder.lost
        typed = decoder.feed(events, now) if events else decoder.flush(now)
        if decoder.dropped > dropped:
            watch.went_wrong(Trouble.TOO_LONG, now, decoder.dropped - dropped)
        if decoder.lost > lost:
            watch.went_wrong(Trouble.LOST, now, decoder.lost - lost)
        if events or typed:
            presses = sum(kind == EV_KEY and value == PRESSED for kind, _, value in events)
            self._intake.put(self._meant(typed), presses, now)

    def _meant(self, typed: list[list[Typed]]) -> list[str]:
        return [code for each in typed if (code := self._guess.read(each))]

    def _wait(self, timeout_s: float) -> None:
        if self._reader is not None:
            self._reader.wait(timeout_s)

    def _tell(self) -> None:
        now = self._clock()
        more = "" if self._intake.watch.trouble(now) else self._guess.complaint
        self._intake.report(self._health, now, self._path, more)

    def _lose(self, reason: str) -> None:
        if self._reader is None:
            return
        reader, self._reader = self._reader, None
        with contextlib.suppress(OSError):
            reader.close()
        self._health.set(State.ABSENT, reason)


def _library() -> Any:
    try:
        return importlib.import_module("evdev")
    except ImportError as error:
        raise MissingLibrary(f"Keyboard scanners need the library evdev (Debian: python3-evdev): {error}.") from None
