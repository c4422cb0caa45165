"""One lane in one straight line: scanner -> decision, committed -> lamp, sound and paper.

Lamp and printer have threads and mailboxes of their own, so nothing behind the commit makes the next visitor wait. The stub
commits together with the verdict; COMMIT wakes the printer (``Desk.wake``). The scanner may come and go as it likes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from appliance.desk.loops import Watch, reopening
from appliance.desk.signals import signal_for
from appliance.domain.errors import Refusal
from appliance.domain.repeats import Repeats
from appliance.services import door, staff_badges
from appliance.services.box import Box
from appliance.services.staff_views import CheckInView
from drivers.errors import DeviceError
from drivers.health import Health
from drivers.lamp.api import Signal
from drivers.scanner.api import Scanner
from mqtt_bridge.protocol import badges

READ_S = 0.5
log = structlog.get_logger()


class Light(Protocol):
    """A lamp's mailbox: takes a signal and returns at once, whatever the lamp does."""

    def show(self, signal: Signal, for_s: float | None = None) -> None:
        """Show a signal soon, instead of whatever waits there."""


class Dark:
    """A lane without a lamp."""

    def show(self, signal: Signal, for_s: float | None = None) -> None:
        """Show nothing."""


class Lane:
    """A scanner and its lamp; ``run`` returns soon after ``stop`` is set. ``latest`` is the scan that was recorded last."""

    def __init__(
        self,
        box: Box,
        scanner: Scanner,
        name: str,
        heard: Callable[[CheckInView | None], None] = lambda _view: None,
        *,
        device: str = "scanner",
    ) -> None:
        self.name = name
        self.lamp: Light = Dark()
        self.latest: CheckInView | None = None
        self._box = box
        self._scanner = scanner
        self._device = device
        self._heard = heard
        self._repeats = Repeats()
        self._watch = Watch(scanner.health, "The scanner")
        self._backoff = reopening()

    def run(self, stop: threading.Event) -> None:
        """Scan until told to stop."""
        while not stop.is_set():
            code = self._next(stop)
            if code and not self._repeats.is_repeat(code, _now_ms()):
                self.take(code)
        self._scanner.close()

    def take(self, code: str) -> None:
        """One scan from code to lamp, sound and paper."""
        view = self._decide(code)
        if view is not None:
            self._repeats.recorded(code, _now_ms())
            self.latest = view
        self.lamp.show(*signal_for(view))
        self._heard(view)

    def health(self) -> Health:
        """How the scanner is; any thread may ask."""
        return self._watch.health()

    def _next(self, stop: threading.Event) -> str | None:
        try:
            self._watch(self._scanner.open)
            code = self._watch(lambda: self._scanner.read(READ_S))
        except DeviceError:
            # What is wrong stands in the scanner's health; here only the next attempt matters.
            stop.wait(self._backoff.next_s())
            return None
        self._backoff.reset()
        return code

    def _decide(self, code: str) -> CheckInView | None:
        """Record the scan; what fails is logged and told by the lamp, and the next scan goes on."""
        try:
            if badges.is_badge(code):
                good = self._box.run(lambda unit: staff_badges.note_seen(unit, code, self.name))
                log.info("badge_scan", device=self._device, good=good)
                return None
            view = self._box.run(lambda unit: door.check_in(unit, code, self.name, self.name))
        except Refusal as refusal:
            log.warning("scan_refused", device=self._device, problem=refusal.problem)
            return None
        except Exception:
            # One scan that fails (a full disk, a locked file) must not end the loop of the whole evening.
            log.exception("scan_failed", device=self._device)
            return None
        log.info("scan", device=self._device, check_in=view.id, verdict=view.verdict, reason=view.reason)
        return view


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
