"""From the print spool to paper, with honest states: what nobody saw come out is never called printed.

queued -> sending -> printed     the printer itself said it worked through the job
                     sent        it took every byte and says nothing
                     ambiguous   it took some bytes, or took all and then reported trouble: a person looks
                     queued      it took no byte: nothing can have been printed, so it is sent again
                     failed      the job itself cannot be laid out; nothing was sent
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import structlog

from appliance.desk.documents import lay_out
from appliance.domain import printing as documents
from appliance.services import printing
from appliance.services.box import Box
from appliance.services.views import PrintJob
from drivers.backoff import Backoff
from drivers.errors import DeviceError
from drivers.printer.api import Printer
from drivers.printer.encoder import render

WRITE_S = 10.0
CONFIRM_S = 5.0
IDLE_S = 2.0
log = structlog.get_logger()


class Outcome(NamedTuple):
    """How a job ended: a state of the spool, and a reason for people unless it went well."""

    state: printing.Outcome
    reason: str | None = None


class PrintPump:
    """Owns the printer; ``wake`` tells it that the spool has work."""

    def __init__(self, box: Box, printer: Printer, *, write_s: float = WRITE_S, confirm_s: float = CONFIRM_S) -> None:
        self._box = box
        self._printer = printer
        self._write_s = write_s
        self._confirm_s = confirm_s
        self._work = threading.Event()
        self._backoff = Backoff(max_s=5.0)

    def wake(self) -> None:
        """Look at the spool now."""
        self._work.set()

    def run(self, stop: threading.Event) -> None:
        """Print until told to stop; call ``wake`` after setting ``stop`` to return at once."""
        while not stop.is_set():
            self._work.clear()
            try:
                pause_s = self.step()
            except Exception:
                # A job that cannot be laid out or recorded must not end printing for the evening.
                log.exception("print_step_failed")
                pause_s = self._backoff.next_s()
            if pause_s:
                self._work.wait(pause_s)
        self._printer.close()

    def step(self) -> float:
        """Print one job if there is one and the printer can; returns the seconds to wait before the next step."""
        try:
            self._printer.open()
            self._printer.status().raise_if_not_ready()
        except DeviceError:
            return self._backoff.next_s()
        job = self._box.run(printing.claim)
        if job is None:
            self._backoff.reset()
            return IDLE_S
        outcome = self._print(job)
        self._box.run(lambda unit: printing.finish(unit, job.id, outcome.state, outcome.reason))
        log.info("print", job=job.id, state=outcome.state, reason=outcome.reason)
        if outcome.state == "queued":
            return self._backoff.next_s()
        self._backoff.reset()
        return 0.0

    def _print(self, job: PrintJob) -> Outcome:
        try:
            document = lay_out(documents.decode(job.document), reprint=job.reprint_of is not None)
            data = render(document, self._printer.profile)
        except Exception as error:
            log.exception("print_layout_failed", job=job.id)
            return Outcome("failed", f"The job could not be laid out ({type(error).__name__}); nothing was sent.")
        try:
            self._printer.write(data, self._write_s)
        except DeviceError as error:
            return Outcome("ambiguous" if error.bytes_taken else "queued", str(error))
        if self._printer.confirm(self._confirm_s):
            return Outcome("printed")
        try:
            self._printer.status().raise_if_not_ready()
        except DeviceError as error:
            return Outcome("ambiguous", str(error))
        return Outcome("sent", "The printer took it and does not say whether it came out.")
