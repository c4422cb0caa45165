"""From the print spool to paper, with honest states: what nobody saw come out is never called printed.

``services/printing.py`` says what the states mean. One pump owns one printer. The second printer's pump takes only jobs of which
another printer took no byte; when the first cannot print, its pump marks what is queued as failed there, and wakes the second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import NamedTuple

import structlog

from appliance.desk.loops import reopening
from appliance.domain import printing as documents
from appliance.domain.paper import Stationery, lay_out
from appliance.services import printing
from appliance.services.box import Box, Unit
from appliance.services.stationery import marks_of, stationery_for
from appliance.services.views import PrintJob
from drivers.errors import DeviceError
from drivers.printer.api import Printer, write_deadline_s
from drivers.printer.encoder import render

WRITE_S = 10.0
CONFIRM_S = 5.0
IDLE_S = 2.0
Claimed = tuple[PrintJob, Stationery]
_UseCase = Callable[[Unit], Claimed | None]
log = structlog.get_logger()


class Outcome(NamedTuple):
    """How a job ended: a state of the spool, a reason for people unless it went well, and whether nobody tries again."""

    state: printing.Outcome
    reason: str | None = None
    given_up: bool = False


class PrintPump:
    """Owns the printer called ``name``; ``wake`` tells it that the spool has work.

    ``pass_on`` wakes the pump that takes over what this printer cannot take; None where there is no other.
    """

    def __init__(
        self,
        box: Box,
        printer: Printer,
        *,
        name: str = printing.FIRST,
        pass_on: Callable[[], None] | None = None,
        write_s: float = WRITE_S,
        confirm_s: float = CONFIRM_S,
    ) -> None:
        self._box = box
        self._printer = printer
        self._name = name
        self._pass_on = pass_on
        self._write_s = write_s
        self._confirm_s = confirm_s
        self._work = threading.Event()
        self._backoff = reopening()

    def wake(self) -> None:
        """Look at the spool now."""
        self._work.set()

    def run(self, stop: threading.Event) -> None:
        """Print until told to stop; call ``wake`` after setting ``stop`` to return at once."""
        while not stop.is_set():
            self._work.clear()
            try:
                pause_s = self.step(stop)
            except Exception:
                # A job that cannot be laid out or recorded must not end printing for the evening.
                log.exception("print_step_failed")
                pause_s = self._backoff.next_s()
            if pause_s:
                self._work.wait(pause_s)
        self._printer.close()

    def step(self, stop: threading.Event | None = None) -> float:
        """Print what waits for as long as the printer can; returns the seconds to wait before the next step.

        The printer is asked how it is before the first job. After each it has just said that it worked through it, so the
        next one leaves at once, claimed in the transaction that finishes the one before.
        """
        try:
            self._printer.open()
            self._printer.status().raise_if_not_ready()
        except DeviceError as error:
            self._leave_to_the_other(error)
            return self._backoff.next_s()
        claimed = self._box.run(self._claim)
        outcome: Outcome | None = None
        while claimed is not None:
            job, own = claimed
            outcome = self._print(job, own)
            goes_on = outcome.state == "printed" and not (stop and stop.is_set())
            claimed = self._box.run(_finishing(job, outcome, self._claim if goes_on else None))
            log.info("print", job=job.id, printer=self._name, state=outcome.state, reason=outcome.reason)
        if outcome is not None and outcome.state == "failed" and not outcome.given_up:
            if self._pass_on:
                self._pass_on()
            return self._backoff.next_s()
        self._backoff.reset()
        return IDLE_S if outcome is None else 0.0

    def _claim(self, unit: Unit) -> Claimed | None:
        job = printing.claim(unit, self._name)
        return (job, stationery_for(unit, job)) if job is not None else None

    def _leave_to_the_other(self, error: DeviceError) -> None:
        if self._pass_on and self._box.run(lambda unit: printing.pass_on(unit, self._name, str(error))):
            self._pass_on()

    def _print(self, job: PrintJob, own: Stationery) -> Outcome:
        try:
            document = lay_out(documents.decode(job.document), own, marks_of(job))
            data = render(document, self._printer.profile, bytes_per_s=self._printer.bytes_per_s)
        except Exception as error:
            log.exception("print_layout_failed", job=job.id)
            words = f"The job could not be laid out ({type(error).__name__}); nothing was sent."
            return Outcome("failed", words, given_up=True)
        try:
            self._printer.write(data, write_deadline_s(len(data), self._printer.bytes_per_s, self._write_s))
        except DeviceError as error:
            return Outcome("ambiguous" if error.bytes_taken else "failed", str(error))
        if self._printer.confirm(self._confirm_s):
            return Outcome("printed")
        try:
            self._printer.status().raise_if_not_ready()
        except DeviceError as error:
            return Outcome("ambiguous", str(error))
        return Outcome("sent", "The printer took it and does not say whether it came out.")


def _finishing(job: PrintJob, outcome: Outcome, claim: Callable[[Unit], Claimed | None] | None) -> _UseCase:
    def finish(unit: Unit) -> Claimed | None:
        printing.finish(unit, job.id, outcome.state, outcome.reason, given_up=outcome.given_up)
        return claim(unit) if claim is not None else None

    return finish
