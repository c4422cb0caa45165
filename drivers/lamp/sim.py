"""`sim://lamp?fault=block&after=3&control=FILE&shown=FILE&pressed=FILE`: a lamp inside this process.

`shown` is written with the signal's name whenever the lamp changes. A name of a button left in `pressed` is a press; the
file is taken away when the press was seen.
"""

from __future__ import annotations

import contextlib
import enum
import threading
import time
from collections import deque

from drivers.errors import BadDeviceUrl, DeviceUnavailable
from drivers.fault_switch import FaultSwitch
from drivers.health import Clock, Health, HealthRecord, State
from drivers.lamp.api import Button, Signal
from drivers.simulated_files import show_in, take_from
from drivers.url import DeviceUrl

SLOW_S = 0.5
BLOCK_S = 60.0
_LOOK_S = 0.1
_KEPT = 200
_READY = "The simulated lamp is ready."
_GONE = "The simulated lamp is unplugged."


class Fault(enum.Enum):
    """What can be wrong with a simulated lamp."""

    UNPLUG = "unplug"
    BLOCK = "block"
    SLOW = "slow"


def from_url(url: DeviceUrl) -> SimLamp:
    """The simulated lamp; options: fault (none, unplug, block, slow), after (signals), control, shown, pressed."""
    url.check_options({"fault", "after", "control", "shown", "pressed"})
    if url.host != "lamp":
        raise BadDeviceUrl(f"{url.text!r} must look like sim://lamp.")
    name = url.choice("fault", "none", ["none", *(fault.value for fault in Fault)])
    lamp = SimLamp(
        control=url.text_option("control", ""),
        shown_file=url.text_option("shown", ""),
        pressed_file=url.text_option("pressed", ""),
    )
    if name != "none":
        lamp.break_after(url.integer("after", 0, low=0, high=1_000_000), Fault(name))
    return lamp


class SimLamp:
    """`history` holds what was shown, oldest first, with the second of `clock` at which it began; OFF ends included."""

    def __init__(
        self, *, control: str = "", shown_file: str = "", pressed_file: str = "", clock: Clock = time.monotonic
    ) -> None:
        self._faults = FaultSwitch(Fault, control)
        self._shown_file = shown_file
        self._pressed_file = pressed_file
        self._clock = clock
        self._changed = threading.Condition()
        self._open = False
        self._count = 0
        self._showing = Signal.OFF
        self._ends_s: float | None = None
        self._presses: deque[Button] = deque(maxlen=8)
        self.history: deque[tuple[float, Signal]] = deque(maxlen=_KEPT)
        self._health = HealthRecord(clock)

    def set_fault(self, fault: Fault | str | None) -> None:
        """Break the lamp in one way, or mend it with None; raises `ValueError` for a name it does not know."""
        with self._changed:
            self._faults.set(fault)
            self._changed.notify_all()

    def break_after(self, signals: int, fault: Fault) -> None:
        """Break by itself after so many signals more."""
        self._faults.break_after(self._count + signals, fault)

    def press(self, button: Button) -> None:
        """Press a button, from any thread."""
        with self._changed:
            self._presses.append(button)
            self._changed.notify_all()

    def shown(self) -> Signal:
        """What the lamp shows now."""
        with self._changed:
            self._end_in_time()
            return self._showing

    def open(self) -> None:
        """See `Lamp.open`."""
        with self._changed:
            if self._now_wrong() is Fault.UNPLUG:
                raise self._lose()
            if not self._open:
                self._open = True
                self._turn(Signal.OFF, None)
            self._health.set(State.READY, _READY)

    def close(self) -> None:
        """See `Lamp.close`."""
        with self._changed:
            if self._open:
                self._turn(Signal.OFF, None)
            self._open = False
            self._health.set(State.ABSENT, "Closed.")
            self._changed.notify_all()

    def show(self, signal: Signal, for_s: float | None = None) -> None:
        """See `Lamp.show`."""
        with self._changed:
            if not self._open:
                raise DeviceUnavailable("The simulated lamp is not open.")
            self._suffer()
            self._count += 1
            self._turn(signal, for_s)
            self._health.set(State.READY, _READY)

    def presses(self, timeout_s: float) -> Button | None:
        """See `Lamp.presses`."""
        until = self._clock() + timeout_s
        with self._changed:
            while True:
                self._end_in_time()
                if self._now_wrong() is Fault.UNPLUG:
                    raise self._lose()
                if not self._open:
                    raise DeviceUnavailable("The simulated lamp is not open.")
                with contextlib.suppress(ValueError):
                    self._presses.append(Button(take_from(self._pressed_file).strip()))
                left_s = until - self._clock()
                if self._presses or left_s <= 0:
                    return self._presses.popleft() if self._presses else None
                self._changed.wait(min(left_s, _LOOK_S))

    def health(self) -> Health:
        """See `Lamp.health`."""
        return self._health()

    def _now_wrong(self) -> Fault | None:
        return self._faults.now(self._count)

    def _suffer(self) -> None:
        fault = self._now_wrong()
        if fault is Fault.UNPLUG:
            raise self._lose()
        if fault is Fault.SLOW:
            self._changed.wait(SLOW_S)
        until = time.monotonic() + BLOCK_S
        while self._now_wrong() is Fault.BLOCK and self._open and time.monotonic() < until:
            self._changed.wait(_LOOK_S)

    def _turn(self, signal: Signal, for_s: float | None) -> None:
        self._end_in_time()
        now_s = self._clock()
        self._showing = signal
        self._ends_s = None if for_s is None else now_s + for_s
        self.history.append((now_s, signal))
        show_in(self._shown_file, signal.value)

    def _end_in_time(self) -> None:
        if self._ends_s is None or self._clock() < self._ends_s:
            return
        self._showing = Signal.OFF
        self.history.append((self._ends_s, Signal.OFF))
        self._ends_s = None
        show_in(self._shown_file, Signal.OFF.value)

    def _lose(self) -> DeviceUnavailable:
        self._open = False
        self._showing, self._ends_s = Signal.OFF, None
        show_in(self._shown_file, "gone")
        self._health.set(State.ABSENT, _GONE)
        self._changed.notify_all()
        return DeviceUnavailable(_GONE)
