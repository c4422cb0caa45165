"""What this venue prints on: the organiser's templates and logo, and a picture of a job as it looks on paper."""

from __future__ import annotations

from appliance.domain import printing as documents
from appliance.domain.paper import SAMPLES, Stationery, lay_out
from appliance.domain.printing import Printable
from appliance.services import printing
from appliance.services.box import Unit
from appliance.services.staff_views import PrintJob
from appliance.store import documents as rows
from appliance.store import photos

REPRINT = "REPRINT"
TRAINING = "TRAINING - NOT VALID"


def stationery_for(unit: Unit, job: PrintJob) -> Stationery:
    """Return what ``job`` is laid out with: its template, the logo if that has arrived, and its photo."""
    paper = unit.catalogue.paper
    logo = rows.find_asset(unit.db, paper.logo) if paper.logo else None
    templates = {kind: text for kind, text in paper.templates if kind == job.kind}
    return Stationery(templates, logo[1] if logo else None, _photos(unit, job), drawer=paper.drawer)


def _photos(unit: Unit, job: PrintJob) -> dict[str, bytes]:
    """A job keeps only the id of a photo: one that was deleted since is left out, whoever prints the badge again."""
    document = documents.decode(job.document) if job.kind == "badge" else None
    wanted = document.photo if isinstance(document, documents.Badge) else ""
    body = photos.body(unit.db, wanted) if wanted else None
    return {wanted: body} if body else {}


def marks_of(job: PrintJob) -> tuple[str, ...]:
    """Return the words that stand on top of a job's paper, whatever the template says."""
    reprint = (REPRINT,) if job.reprint_of is not None else ()
    return (TRAINING, *reprint) if job.training else reprint


def picture(unit: Unit, job_id: int) -> bytes:
    """Return a job as it looks on paper, as PNG; raises ``NotFound``."""
    job = printing.find(unit, job_id)
    return _drawn(documents.decode(job.document), stationery_for(unit, job), marks_of(job))


def sample(kind: str, template: str, logo: bytes | None) -> bytes:
    """Return what a template prints of an invented job of its kind, as PNG."""
    return _drawn(SAMPLES[kind], Stationery({kind: template}, logo), ())


def _drawn(job: Printable, own: Stationery, marks: tuple[str, ...]) -> bytes:
    # Drawing needs the printer's interpreter and pictures, which a process that shows none does not load.
    from drivers.printer.preview import document_png

    return document_png(lay_out(job, own, marks))
