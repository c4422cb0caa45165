"""What a person has to look at: contradictions are listed, never allowed to stop the stream."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mqtt_bridge.cloud.records import Alarm, Contradiction
from mqtt_bridge.cloud.work import Sheet, Work
from mqtt_bridge.protocol.remedies import Kind

# Names in a topic are a stranger's choice: beyond this many subjects of one kind the rest is counted in one row.
SUBJECTS_PER_KIND = 200
OTHERS = "(others)"
LONGEST_DETAIL = 2000
LONGEST_SUBJECT = 200
MOST_TICKETS = 500


def raise_alarm(work: Work, kind: str, subject: str, detail: str, wall_ms: int, evidence: bytes | None = None) -> bool:
    """Add the alarm, or count it again; tells whether this subject was not listed by name. The first evidence is kept."""
    detail, sheet = detail[:LONGEST_DETAIL], work.of(Alarm)
    if _again(sheet, kind, subject, detail, wall_ms):
        return False
    known = work.rows.count(Alarm, "kind", kind) + sum(each.kind == kind for each in sheet.added())
    if known >= SUBJECTS_PER_KIND:
        subject, evidence = OTHERS, None
        if _again(sheet, kind, subject, detail, wall_ms):
            return True
    sheet.add(Alarm(kind, subject, detail, evidence, 1, wall_ms, wall_ms))
    return True


def contradict(
    work: Work,
    kind: Kind,
    subject: str,
    detail: str,
    wall_ms: int,
    *,
    order: str = "",
    event_session: str = "",
    tickets: Iterable[str] = (),
) -> bool:
    """List a contradiction; tells whether it is new. Told again it is only counted, whatever became of it.

    ``subject`` is what it is about (a ticket, an order, a session and an order ...), ``tickets`` are the ids a remedy would
    change and ``order`` theirs.
    """
    sheet, subject = work.of(Contradiction), subject[:LONGEST_SUBJECT]
    known = sheet.get(kind, subject)
    if known is not None:
        sheet.change(known, count=known.count + 1, last_at_ms=wall_ms)
        return False
    listed = json.dumps(sorted(tickets)[:MOST_TICKETS])
    detail = detail[:LONGEST_DETAIL]
    sheet.add(Contradiction(kind, subject, detail, order, event_session, listed, "open", 1, wall_ms, wall_ms))
    return True


def _again(sheet: Sheet[Alarm], kind: str, subject: str, detail: str, wall_ms: int) -> bool:
    known = sheet.get(kind, subject)
    if known is not None:
        sheet.change(known, count=known.count + 1, last_at_ms=wall_ms, detail=detail)
    return known is not None
