"""The print spool: the desk takes a job, says what became of it, and never prints one twice by itself.

    queued --claim--> sending --finish--> printed | sent | failed | ambiguous
    sending --recover (the desk died in between)--> ambiguous

``sent``: all bytes are at the printer, which cannot say more. ``ambiguous``: paper may or may not carry it; a person looks
and reprints.
"""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import Row

from appliance.domain.errors import Invalid, NotFound
from appliance.services.box import Unit
from appliance.services.views import PrintJob
from appliance.store import records

Outcome = Literal["printed", "sent", "failed", "ambiguous", "queued"]


def claim(unit: Unit) -> PrintJob | None:
    """Return the oldest queued job, now ``sending``; None if there is none."""
    row = records.next_print_job(unit.db)
    if row is None:
        return None
    records.change_print_job(
        unit.db, row.id, state="sending", attempts=row.attempts + 1, changed_at_ms=unit.now.wall_ms
    )
    return view(_find(unit, row.id))


def finish(unit: Unit, job_id: int, state: Outcome, reason: str | None = None) -> None:
    """Say what became of a job that was ``sending``; ``queued`` puts it back because nothing reached the printer.

    Raises ``Invalid`` for a job that is not ``sending``, so that a slow desk cannot overwrite a newer truth.
    """
    row = _find(unit, job_id)
    if row.state != "sending":
        msg = f"Print job {job_id} is {row.state}, not sending."
        raise Invalid(msg, field="job")
    records.change_print_job(unit.db, job_id, state=state, reason=reason, changed_at_ms=unit.now.wall_ms)


def reprint(unit: Unit, job_id: int, staff: str) -> PrintJob:
    """Queue a copy of a job that is over; the copy says of which one it is."""
    row = _find(unit, job_id)
    if row.state in {"queued", "sending"}:
        msg = "This job has not been printed yet; it is still in the queue."
        raise Invalid(msg, field="job")
    unit.wakes.add("desk")
    copy = records.add_print_job(unit.db, row.kind, row.document, unit.now.wall_ms, job_id)
    unit.audit(staff, "reprint", str(job_id))
    return view(_find(unit, copy))


def recover(unit: Unit) -> int:
    """Call once when the desk starts: what was ``sending`` when it died is ``ambiguous`` now; return how many."""
    found = records.print_jobs_in(unit.db, "sending")
    for job in found:
        records.change_print_job(
            unit.db,
            job,
            state="ambiguous",
            reason="The desk stopped while this was being printed. Look at the paper; reprint if it is missing.",
            changed_at_ms=unit.now.wall_ms,
        )
    return len(found)


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
    )


def _find(unit: Unit, job_id: int) -> Row[Any]:
    row = records.find_print_job(unit.db, job_id)
    if row is None:
        msg = "This print job does not exist."
        raise NotFound(msg)
    return row
