"""Keeps a lane's lamp: takes signals without ever making the lane wait, and tells pressed buttons."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from appliance.desk.loops import reopening
from drivers.errors import DeviceError
from drivers.health import Health, HealthRecord, State
from drivers.lamp.api import Button, Lamp, Signal

LISTEN_S = 0.5
IDLE_S = 1.0
STUCK_S = 2.0
FRESH_S = 3.0
log = structlog.get_logger()


class _Letter(NamedTuple):
    signal: Signal
    for_s: float | None
    at_s: float


class LampKeeper:
    """Owns one lamp in its own threads. The mailbox holds one signal: a newer one takes the place of the older.

    `show` and `health` may be called from any thread and return at once, whatever the lamp does. `pressed` is called in the
    keeper's own thread for each button; what it raises is logged.
    """

    def __init__(self, lamp: Lamp, pressed: Callable[[Button], None] = lambda _button: None) -> None:
        self._lamp = lamp
        self._pressed = pressed
        self._letter: _Letter | None = None
        self._changed = threading.Condition()
        self._woken = False
        self._busy_since_s: float | None = None
        self._stuck = HealthRecord()

    def show(self, signal: Signal, for_s: float | None = None) -> None:
        """Post a signal and return; one that could not be shown within `FRESH_S` is dropped: it would be about others."""
        with self._changed:
            self._letter = _Letter(signal, for_s, time.monotonic())
            self._changed.notify_all()

    def health(self) -> Health:
        """The lamp's own word, or FAULT while a call into its driver has not come back for `STUCK_S`."""
        since_s = self._busy_since_s
        if since_s is None or time.monotonic() - since_s < STUCK_S:
            self._stuck.set(State.READY, "Not stuck.")
            return self._lamp.health()
        self._stuck.set(State.FAULT, "The lamp does not answer. Check its cable; admitting goes on without it.")
        return self._stuck()

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; call `wake` after setting `stop` to return at once."""
        ended = threading.Event()
        listener = threading.Thread(target=self._listen, args=(ended,), name="lamp-buttons", daemon=True)
        listener.start()
        backoff = reopening()
        try:
            while not stop.is_set():
                try:
                    self._guarded(self._lamp.open)
                    self._one_letter()
                    backoff.reset()
                except DeviceError:
                    stop.wait(backoff.next_s())
            self._guarded(self._lamp.close)
        finally:
            # Also when the driver fails in a way of its own: whoever begins again listens anew.
            ended.set()
            listener.join(2 * LISTEN_S)

    def wake(self) -> None:
        """Let `run` look at its stop sign now."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def _one_letter(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._letter is not None or self._woken, IDLE_S)
            letter, self._letter, self._woken = self._letter, None, False
        if letter is None or time.monotonic() - letter.at_s > FRESH_S:
            return
        self._guarded(lambda: self._lamp.show(letter.signal, letter.for_s))

    def _guarded(self, call: Callable[[], None]) -> None:
        self._busy_since_s = time.monotonic()
        try:
            call()
        finally:
            self._busy_since_s = None

    def _listen(self, ended: threading.Event) -> None:
        while not ended.is_set():
            try:
                button = self._lamp.presses(LISTEN_S)
            except DeviceError:
                # The lamp is not open at the moment; the other thread sees to that.
                ended.wait(LISTEN_S)
                continue
            except Exception:
                log.exception("lamp_buttons_failed")
                ended.wait(LISTEN_S)
                continue
            if button is None:
                continue
            try:
                self._pressed(button)
            except Exception:
                log.exception("lamp_button_failed", button=button.value)
