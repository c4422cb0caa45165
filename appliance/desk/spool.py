"""From the print spool to paper, with honest states: what nobody saw come out is never called printed.

``services/printing.py`` says what the states mean. One pump owns one printer. The second printer's pump takes only jobs of which
another printer took no byte; when the first cannot print, its pump marks what is queued as failed there, and wakes the second.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import structlog

from appliance.desk.loops import reopening
from appliance.domain import printing as documents
from appliance.domain.errors import Refusal
from appliance.domain.paper import Stationery, lay_out
from appliance.services import printing
from appliance.services.box import Box, Unit
from appliance.services.staff_views import PrintJob
from appliance.services.stationery import marks_of, stationery_for
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
        # What became of a job while the disk was full: told before anything else is printed.
        self._untold: tuple[PrintJob, Outcome] | None = None

    def take_over(self, broken: list[PrintJob]) -> None:
        """Have the printer end what the desk before this one left half done in it; call it before ``run``.

        A printer that was in the middle of a picture would take the beginning of the next job for the rest of it.
        """
        for job in broken:
            if job.printer == self._name:
                own = self._box.look(partial(stationery_for, job=job))
                with contextlib.suppress(Exception):
                    self._printer.broke_off(len(self._laid_out(job, own)))

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
        self._tell()
        try:
            self._printer.open()
            self._printer.status().raise_if_not_ready()
            self._printer.raise_if_behind()
        except DeviceError as error:
            self._leave_to_the_other(error)
            return self._backoff.next_s()
        claimed = self._box.run(self._claim)
        outcome: Outcome | None = None
        while claimed is not None:
            job, own = claimed
            outcome = self._print(job, own)
            self._untold = job, outcome
            goes_on = outcome.state == "printed" and not (stop and stop.is_set())
            claimed = self._box.run(_finishing(job, outcome, self._claim if goes_on else None))
            self._told()
        if outcome is not None and outcome.state == "failed" and not outcome.given_up:
            if self._pass_on:
                self._pass_on()
            return self._backoff.next_s()
        self._backoff.reset()
        return IDLE_S if outcome is None else 0.0

    def _tell(self) -> None:
        """Say what became of a job for which that failed; a failing disk raises again, and nothing is printed meanwhile."""
        if self._untold is None:
            return
        # Refused only where a desk that came after this one has taken the job for in doubt.
        with contextlib.suppress(Refusal):
            self._box.run(_finishing(*self._untold, None))
        self._told()

    def _told(self) -> None:
        if self._untold is not None:
            job, outcome = self._untold
            log.info("print", job=job.id, printer=self._name, state=outcome.state, reason=outcome.reason)
        self._untold = None

    def _claim(self, unit: Unit) -> Claimed | None:
        job = printing.claim(unit, self._name)
        return (job, stationery_for(unit, job)) if job is not None else None

    def _leave_to_the_other(self, error: DeviceError) -> None:
        if self._pass_on and self._box.run(lambda unit: printing.pass_on(unit, self._name, str(error))):
            self._pass_on()

    def _print(self, job: PrintJob, own: Stationery) -> Outcome:
        try:
            data = self._laid_out(job, own)
        except Exception as error:
            log.exception("print_layout_failed", job=job.id)
            words = f"The job could not be laid out ({type(error).__name__}); nothing was sent."
            return Outcome("failed", words, given_up=True)
        try:
            self._printer.write(data, write_deadline_s(len(data), self._printer.bytes_per_s, self._write_s))
        except DeviceError as error:
            return Outcome("ambiguous" if error.bytes_taken else "failed", str(error))
        except Exception as error:
            log.exception("print_failed", job=job.id)
            return _in_doubt(error)
        try:
            return self._after_all_bytes()
        except Exception as error:
            log.exception("print_failed", job=job.id)
            return _in_doubt(error)

    def _laid_out(self, job: PrintJob, own: Stationery) -> bytes:
        """Return the bytes of a job; in the product's own layout where the organiser's text or picture cannot be printed."""
        document = documents.decode(job.document)

        def rendered(on: Stationery) -> bytes:
            laid_out = lay_out(document, on, marks_of(job))
            return render(laid_out, self._printer.profile, bytes_per_s=self._printer.bytes_per_s)

        try:
            return rendered(own)
        except Exception:
            log.exception("print_own_layout_failed", job=job.id, kind=job.kind)
            return rendered(Stationery(drawer=own.drawer))

    def _after_all_bytes(self) -> Outcome:
        if self._printer.confirm(self._confirm_s):
            return Outcome("printed")
        try:
            self._printer.status().raise_if_not_ready()
        except DeviceError as error:
            return Outcome("ambiguous", str(error))
        return Outcome("sent", "The printer took it and does not say whether it came out.")


def _in_doubt(error: Exception) -> Outcome:
    """A fault of ours may have struck before or after the printer took the job."""
    return Outcome("ambiguous", f"The desk failed while printing ({type(error).__name__}).")


def _finishing(job: PrintJob, outcome: Outcome, claim: Callable[[Unit], Claimed | None] | None) -> _UseCase:
    def finish(unit: Unit) -> Claimed | None:
        printing.finish(unit, job.id, outcome.state, outcome.reason, given_up=outcome.given_up)
        return claim(unit) if claim is not None else None

    return finish
