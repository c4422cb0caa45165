"""The print spool: what waits, what became of each job, and printing one again.

queued -> sending -> printed     the printer itself said it worked through the job, or a person saw it
                     sent        it took every byte and cannot say more
                     failed      it took no byte: nothing can be on paper, so another printer, or the same one later, takes the job;
                                 ``given_up`` when nobody will, because it cannot be laid out or came too late
                     ambiguous   it took some bytes, or all and then reported trouble: a person looks and says
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Row

from appliance.domain.clock import MINUTE_MS
from appliance.domain.errors import Invalid, NotFound
from appliance.domain.printing import Stub, decode
from appliance.services.box import Unit
from appliance.services.staff_views import PrintJob
from appliance.store import jobs

Outcome = Literal["printed", "sent", "failed", "ambiguous"]

FIRST = "printer"
SECOND = "printer_2"
LOOKED_THROUGH = 50
STUB_KEPT_MS = 10 * MINUTE_MS
JOB_KEPT_MS = 60 * MINUTE_MS
_TOO_LATE = "It waited too long for a printer. Print it again if somebody still needs it."
_MISSING = "Staff looked: it is not on paper."


def claim(unit: Unit, printer: str = FIRST) -> PrintJob | None:
    """Return the oldest job that ``printer`` may take, now ``sending``; None if there is none.

    The second printer takes only what another one could not take a byte of. What waited so long that its paper would
    only confuse people is given up, where a clock can tell.
    """
    jobs.give_up_old(unit.db, unit.now, STUB_KEPT_MS, JOB_KEPT_MS, _TOO_LATE)
    row = jobs.next_for(unit.db, failed_only=printer != FIRST)
    if row is None:
        return None
    jobs.change(
        unit.db,
        row.id,
        state="sending",
        printer=printer,
        attempts=row.attempts + 1,
        changed_at_ms=unit.now.wall_ms,
    )
    return view(_find(unit, row.id))


def finish(unit: Unit, job_id: int, state: Outcome, reason: str | None = None, *, given_up: bool = False) -> None:
    """Say what became of a job that was ``sending``.

    Raises ``Invalid`` for a job that is not ``sending``, so that a slow desk cannot overwrite a newer truth.
    """
    row = _find(unit, job_id)
    if row.state != "sending":
        msg = f"Print job {job_id} is {row.state}, not sending."
        raise Invalid(msg, field="job")
    jobs.change(unit.db, job_id, state=state, reason=reason, given_up=given_up, changed_at_ms=unit.now.wall_ms)


def pass_on(unit: Unit, printer: str, reason: str) -> int:
    """``printer`` cannot print now: mark what is queued as failed there, so that the second one takes it; return how many."""
    return jobs.fail_queued(unit.db, printer, reason, unit.now.wall_ms)


def reprint(unit: Unit, job_id: int, staff: str) -> PrintJob:
    """Queue a copy of a job that is over; the copy says of which one it is, and REPRINT on paper.

    While it waits, asking again changes nothing: whoever taps until the printer has paper wants one.
    """
    row = _find(unit, job_id)
    if row.state in {"queued", "sending"} or _still_tried(row):
        msg = "This job has not been printed yet; it is still in the queue."
        raise Invalid(msg, field="job")
    unit.wakes.add("desk")
    waiting = jobs.waiting_copy(unit.db, job_id)
    if waiting is not None:
        return view(waiting)
    copy = jobs.add(unit.db, row.kind, row.document, unit.now, job_id, training=row.training)
    unit.audit(staff, "reprint", str(job_id))
    return view(_find(unit, copy))


def reprint_stub(unit: Unit, check_in: str, staff: str) -> PrintJob | None:
    """Queue a copy of the stub of a scan; None if no stub of it is among the latest jobs."""
    for row in jobs.recent(unit.db, LOOKED_THROUGH):
        if row.kind == "stub" and row.reprint_of is None and check_in.encode() in row.document:
            document = decode(row.document)
            if isinstance(document, Stub) and document.check_in == check_in:
                return reprint(unit, row.id, staff)
    return None


def resolve(unit: Unit, job_id: int, staff: str, *, came_out: bool) -> PrintJob:
    """A person looked after an ambiguous job: it is on paper, or it is printed again as a REPRINT. Returns that job.

    Raises ``Invalid`` where there is nothing to decide (any more).
    """
    row = _find(unit, job_id)
    if row.state != "ambiguous":
        msg = f"This job is not in doubt: it is {row.state}."
        raise Invalid(msg, field="job")
    unit.audit(staff, "print_resolved", str(job_id), "on paper" if came_out else "not on paper")
    if came_out:
        jobs.change(unit.db, job_id, state="printed", reason=None, changed_at_ms=unit.now.wall_ms)
        return view(_find(unit, job_id))
    jobs.change(unit.db, job_id, state="failed", given_up=True, reason=_MISSING, changed_at_ms=unit.now.wall_ms)
    return reprint(unit, job_id, staff)


def recover(unit: Unit) -> list[PrintJob]:
    """Call once when the desk starts: what was ``sending`` when it died is ``ambiguous`` now; return these jobs."""
    found = jobs.in_state(unit.db, "sending")
    for job in found:
        jobs.change(
            unit.db,
            job,
            state="ambiguous",
            reason="The desk stopped while this was being printed. Look at the paper; reprint if it is missing.",
            changed_at_ms=unit.now.wall_ms,
        )
    return [view(_find(unit, job)) for job in found]


def find(unit: Unit, job_id: int) -> PrintJob:
    """Return a job; raises ``NotFound``."""
    return view(_find(unit, job_id))


def view(row: Row[Any]) -> PrintJob:
    """Return a job row as a view."""
    return PrintJob(
        id=row.id,
        kind=row.kind,
        document=row.document,
        state=row.state,
        reason=row.reason,
        attempts=row.attempts,
        reprint_of=row.reprint_of,
        created_at_ms=row.created_at_ms,
        changed_at_ms=row.changed_at_ms,
        printer=row.printer,
        waits=row.state == "queued" or _still_tried(row),
        training=row.training,
    )


def _still_tried(row: Row[Any]) -> bool:
    return row.state == "failed" and not row.given_up


def _find(unit: Unit, job_id: int) -> Row[Any]:
    row = jobs.find(unit.db, job_id)
    if row is None:
        msg = "This print job does not exist."
        raise NotFound(msg)
    return row
