"""From the queue of text messages to the network, with honest states: what nobody confirmed is never sent again by itself."""

from __future__ import annotations

import contextlib
import threading

import structlog

from appliance.desk.loops import reopening
from appliance.domain.errors import Invalid
from appliance.services import sms
from appliance.services.box import Box
from appliance.services.sms import Outcome
from appliance.services.staff_views import SmsView
from drivers.backoff import Backoff
from drivers.errors import DeviceError
from drivers.health import Health, State
from drivers.modem.api import SEND_S, Modem, NotSent

# How soon an unplugged modem is noticed while nobody asks for anything.
IDLE_S = 2.0
NOT_READY_S = 5.0
log = structlog.get_logger()


class MessagePump:
    """Owns the modem; ``wake`` tells it that the queue has work. Sends at most ``per_hour`` messages an hour."""

    def __init__(self, box: Box, modem: Modem, *, per_hour: int, send_s: float = SEND_S) -> None:
        self._box = box
        self._modem = modem
        self._per_hour = per_hour
        self._send_s = send_s
        self._work = threading.Event()
        self._backoff = reopening()
        # What became of a message while the disk was full: told before anything else is sent.
        self._untold: tuple[int, Outcome] | None = None

    def wake(self) -> None:
        """Look at the queue now."""
        self._work.set()

    def health(self) -> Health:
        """How the modem is, by its own word."""
        return self._modem.health()

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop; call ``wake`` after setting ``stop`` to return at once."""
        failures = Backoff(first_s=1.0, max_s=30.0)
        while not stop.is_set():
            self._work.clear()
            try:
                pause_s = self.step()
                failures.reset()
            except Exception:
                # A message that cannot be recorded must not end messages for the evening.
                log.exception("message_step_failed")
                pause_s = failures.next_s()
            if pause_s and not stop.is_set():
                self._work.wait(pause_s)
        self._modem.close()

    def step(self) -> float:
        """Send one message if there is one and the modem can; returns the seconds to wait before the next step."""
        self._tell()
        try:
            self._modem.open()
        except DeviceError:
            # What is wrong stands in the modem's health.
            return self._backoff.next_s()
        self._backoff.reset()
        if not self._modem.status().ready:
            # One that was unplugged is looked for at once; one that is there and cannot send needs time.
            return self._backoff.next_s() if self._modem.health().state is State.ABSENT else NOT_READY_S
        message = self._box.run(lambda unit: sms.claim(unit, self._per_hour))
        if message is None:
            return IDLE_S
        self._untold = message.id, self._send(message)
        self._tell()
        return 0.0

    def _send(self, message: SmsView) -> Outcome:
        try:
            sent = self._modem.send(message.number, message.text, self._send_s)
        except DeviceError as error:
            if error.bytes_taken:
                return Outcome("ambiguous", str(error))
            return Outcome("failed" if isinstance(error, NotSent) and error.lasting else "queued", str(error))
        except Exception as error:
            # A fault of ours may have struck before or after the network took it.
            log.exception("message_failed", message=message.id)
            return Outcome("ambiguous", f"The desk failed while sending ({type(error).__name__}).")
        return Outcome("sent", reference=sent.reference)

    def _tell(self) -> None:
        if self._untold is None:
            return
        number, outcome = self._untold
        with contextlib.suppress(Invalid):
            # Refused only where somebody decided about the message meanwhile; a failing disk raises and is tried again.
            self._box.run(lambda unit: sms.finish(unit, number, outcome))
        self._untold = None
        # Neither number nor text: logs hold nobody's personal data.
        log.info("message", message=number, state=outcome.state, reason=outcome.reason)
