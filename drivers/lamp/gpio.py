"""`gpio://?green=17&red=27&button=22&buzzer=24`: lamps, a buzzer and buttons on the pins of the board, through gpiozero.

Numbers are the chip's (BCM), as gpiozero counts them. Admit is steady green, refuse steady red, attention blinks, so that
the three differ for people who cannot tell red from green; the buzzer says one short beep, three beeps, or two.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.errors import BadDeviceUrl, DeviceUnavailable, MissingLibrary
from drivers.health import Clock, Health, HealthRecord, State
from drivers.lamp.api import Button, Signal
from drivers.url import DeviceUrl

BLINK_S = 0.25
DEBOUNCE_S = 0.25
HIGHEST_PIN = 27
_KEPT_PRESSES = 8
_LAMPS = ("green", "red", "attention")
_BUTTONS = {"button": Button.PRINT, "undo": Button.UNDO}
_BEEPS = {Signal.ADMIT: (0.08, 1), Signal.REFUSE: (0.2, 3), Signal.ATTENTION: (0.08, 2)}
_FACTORIES = {"lgpio": "gpiozero.pins.lgpio:LGPIOFactory", "mock": "gpiozero.pins.mock:MockFactory"}


@dataclass(frozen=True, slots=True)
class Wiring:
    """Pins by what hangs on them: green, red, attention, buzzer, button, undo; `active_high` goes for lamps and buzzer."""

    pins: Mapping[str, int]
    active_high: bool = True


def from_url(url: DeviceUrl) -> GpioLamp:
    """The lamp behind the address.

    Options: green and red (needed), attention, buzzer, button (prints the last ticket again), undo, active (high, low),
    factory (lgpio, mock), chip (number of the gpiochip; found by itself when left out).
    """
    names = [*_LAMPS, "buzzer", *_BUTTONS]
    url.check_options({*names, "active", "factory", "chip"})
    if url.host or url.path:
        raise BadDeviceUrl(f"{url.text!r} must look like gpio://?green=17&red=27.")
    pins = {name: url.integer(name, -1, low=0, high=HIGHEST_PIN) for name in names if name in url.options}
    if not {"green", "red"} <= set(pins):
        raise BadDeviceUrl(f"{url.text!r} must name the pins of both lamps, as in gpio://?green=17&red=27.")
    if len(set(pins.values())) < len(pins):
        raise BadDeviceUrl(f"{url.text!r} uses one pin for two things.")
    active_high = url.choice("active", "high", ("high", "low")) == "high"
    chosen = url.choice("factory", "lgpio", _FACTORIES)
    chip = url.integer("chip", -1, low=0, high=31) if "chip" in url.options else None
    return GpioLamp(Wiring(pins, active_high), lambda: pin_factory(chosen, chip))


def pin_factory(name: str, chip: int | None = None) -> Any:
    """The pin factory of exactly this name; raises `MissingLibrary` or `DeviceUnavailable`.

    gpiozero would fall back through four libraries with a warning each; a lamp that does not light must say so instead.
    """
    module, _, kind = _FACTORIES[name].partition(":")
    # lgpio leaves a notification pipe in the working directory, which a service may not write.
    os.environ.setdefault("LG_WD", "/tmp")  # noqa: S108 - lgpio makes the name of its pipe unique by handle and process
    try:
        factory = getattr(importlib.import_module(module), kind)
    except ImportError as error:
        raise MissingLibrary(f"The lamp needs {error.name} (Debian package python3-{error.name}).") from None
    try:
        return factory() if chip is None or name == "mock" else factory(chip=chip)
    except Exception as error:  # noqa: BLE001 - each pin library raises its own classes
        raise DeviceUnavailable(f"The pins of the board cannot be used: {error}.") from None


class GpioLamp:
    """Rhythms run in gpiozero's background threads and end by themselves; writing a pin never waits."""

    def __init__(self, wiring: Wiring, factory: Callable[[], Any], clock: Clock = time.monotonic) -> None:
        self._wiring = wiring
        self._make_factory = factory
        self._clock = clock
        self._factory: Any = None
        self._outputs: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._presses: queue.Queue[Button | None] = queue.Queue(_KEPT_PRESSES)
        self._pressed_s: dict[Button, float] = {}
        self._health = HealthRecord(clock)

    def open(self) -> None:
        """See `Lamp.open`."""
        if self._factory is not None:
            return
        self._health.set(State.OPENING, "Opening the pins.")
        self._presses = queue.Queue(_KEPT_PRESSES)
        try:
            self._factory = self._make_factory()
            self._wire()
        except (DeviceUnavailable, MissingLibrary) as error:
            self._shut(error.reason)
            raise
        except Exception as error:  # noqa: BLE001 - each pin library raises its own classes
            reason = f"The pins of the lamp cannot be used: {error}."
            self._shut(reason)
            raise DeviceUnavailable(reason) from None
        self._health.set(State.READY, "The pins take orders; whether a lamp is wired to them nobody can tell.")

    def close(self) -> None:
        """See `Lamp.close`."""
        self._shut("Closed.")

    def show(self, signal: Signal, for_s: float | None = None) -> None:
        """See `Lamp.show`."""
        if self._factory is None:
            raise DeviceUnavailable("The lamp is not open.")
        try:
            for output in self._outputs.values():
                output.off()
            if signal is not Signal.OFF:
                self._light(signal, for_s)
        except Exception as error:  # noqa: BLE001 - each pin library raises its own classes
            reason = f"The lamp cannot be switched: {error}."
            self._shut(reason)
            raise DeviceUnavailable(reason) from None

    def presses(self, timeout_s: float) -> Button | None:
        """See `Lamp.presses`."""
        if self._factory is None:
            raise DeviceUnavailable("The lamp is not open.")
        try:
            pressed = self._presses.get(timeout=timeout_s) if timeout_s > 0 else self._presses.get_nowait()
        except queue.Empty:
            return None
        if pressed is None:
            raise DeviceUnavailable("The lamp is closed.")
        return pressed

    def health(self) -> Health:
        """See `Lamp.health`."""
        return self._health()

    def _wire(self) -> None:
        gpiozero = importlib.import_module("gpiozero")
        for name, pin in self._wiring.pins.items():
            button = _BUTTONS.get(name)
            if button is None:
                self._outputs[name] = gpiozero.DigitalOutputDevice(
                    pin, active_high=self._wiring.active_high, initial_value=False, pin_factory=self._factory
                )
                continue
            pulled_up = gpiozero.DigitalInputDevice(pin, pull_up=True, bounce_time=0.02, pin_factory=self._factory)
            pulled_up.when_activated = lambda pressed=button: self._hear(pressed)
            self._inputs.append(pulled_up)

    def _light(self, signal: Signal, for_s: float | None) -> None:
        blinks = signal is Signal.ATTENTION
        wanted = {Signal.ADMIT: "green", Signal.REFUSE: "red"}.get(signal, "attention")
        lamp = self._outputs.get(wanted, self._outputs["red"])
        # Written here first: a pin that is gone raises now and not in a thread where nobody hears it.
        lamp.on()
        if blinks:
            times = None if for_s is None else max(1, math.ceil(for_s / (2 * BLINK_S)))
            lamp.blink(on_time=BLINK_S, off_time=BLINK_S, n=times)
        elif for_s is not None:
            lamp.blink(on_time=for_s, off_time=0, n=1)
        if (buzzer := self._outputs.get("buzzer")) is not None:
            beep_s, times = _BEEPS[signal]
            buzzer.blink(on_time=beep_s, off_time=beep_s, n=times)

    def _hear(self, button: Button) -> None:
        now_s = self._clock()
        if now_s - self._pressed_s.get(button, -math.inf) < DEBOUNCE_S:
            return
        self._pressed_s[button] = now_s
        with contextlib.suppress(queue.Full):
            self._presses.put_nowait(button)

    def _shut(self, reason: str) -> None:
        was_open = self._factory is not None
        for device in [*self._outputs.values(), *self._inputs, self._factory]:
            with contextlib.suppress(Exception):
                device.close()
        self._outputs, self._inputs, self._factory = {}, [], None
        if was_open:
            self._end_waiting()
        self._health.set(State.ABSENT, reason)

    def _end_waiting(self) -> None:
        """Forget the presses of a lamp that is gone and wake who waits for one; opening begins a new queue."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._presses.get_nowait()
        with contextlib.suppress(queue.Full):
            self._presses.put_nowait(None)
