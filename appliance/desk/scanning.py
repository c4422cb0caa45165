"""From a code on the scanner to a recorded check-in; the scanner may come and go as it likes."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from appliance.domain.errors import Refusal
from appliance.services import door
from appliance.services.box import Box
from appliance.services.views import CheckInView
from drivers.backoff import Backoff
from drivers.errors import DeviceError
from drivers.scanner.api import Scanner

READ_S = 0.5
log = structlog.get_logger()


class ScanLoop:
    """Reads codes and checks them in as the lane; ``run`` returns soon after ``stop`` is set."""

    def __init__(
        self, box: Box, scanner: Scanner, lane: str, heard: Callable[[CheckInView], None] = lambda _view: None
    ) -> None:
        self._box = box
        self._scanner = scanner
        self._lane = lane
        self._heard = heard
        self._backoff = Backoff(max_s=5.0)

    def run(self, stop: threading.Event) -> None:
        """Scan until told to stop."""
        while not stop.is_set():
            try:
                self._scanner.open()
                code = self._scanner.read(READ_S)
            except DeviceError:
                # What is wrong stands in the scanner's health; here only the next attempt matters.
                stop.wait(self._backoff.next_s())
                continue
            self._backoff.reset()
            if code:
                self.check_in(code)
        self._scanner.close()

    def check_in(self, code: str) -> None:
        """Record one scan; a failure is logged and the next scan goes on."""
        try:
            view = self._box.run(lambda unit: door.check_in(unit, code, self._lane, self._lane))
        except Refusal as refusal:
            log.warning("scan_refused", problem=refusal.problem)
        except Exception:
            # One scan that fails (a full disk, a locked file) must not end the loop of the whole evening.
            log.exception("scan_failed")
        else:
            log.info("scan", check_in=view.id, verdict=view.verdict, reason=view.reason)
            self._heard(view)
