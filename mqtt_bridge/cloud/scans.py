"""Scans at doors, in and out. Those of one ticket that count are a chain: each names the one it follows, so no clock decides."""

from __future__ import annotations

from collections.abc import Iterator

from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import CheckIn, Order, Ticket
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.messages import CheckedIn, CheckInUndone, Exited, ExitVerdict, Reason, Verdict
from mqtt_bridge.protocol.remedies import Kind

Scan = CheckedIn | Exited


def presence(work: Work, ticket: str) -> tuple[str | None, str | None]:
    """Return (the admission that counts, the exit since it) of a ticket that was scanned before its sale arrived here."""
    scans = [each for each in work.of(CheckIn).where("ticket", ticket) if not each.undone]
    first = min(
        (each for each in scans if each.verdict == "admitted" and each.after is None),
        key=lambda each: each.at_ms,
        default=None,
    )
    followed = {each.after: each for each in scans if each.after is not None and each.verdict in {"admitted", "left"}}
    chain = []
    while first is not None and first not in chain:
        chain.append(first)
        first = followed.get(first.id)
    if not chain:
        return None, None
    last = chain[-1]
    return (last.after, last.id) if last.verdict == "left" else (last.id, None)


def standing(work: Work, ticket: Ticket) -> Iterator[tuple[str, Scan]]:
    """Yield (device, message) of what a door must know of a ticket's scans: who let it in, and whether it went out since.

    Admissions that contradict the one that counts are told after it; what a re-entry left behind is not.
    """
    scans = work.of(CheckIn)
    past: set[str] = set()
    at = None if ticket.check_in is None else scans.get(ticket.check_in)
    while at is not None and at.after is not None and at.after not in past:
        past.add(at.after)
        at = scans.get(at.after)
        if at is not None and at.verdict == "admitted":
            past.add(at.id)
    admitted = [each for each in scans.where("ticket", ticket.id) if each.verdict == "admitted" and not each.undone]
    for each in sorted(admitted, key=lambda each: each.id != ticket.check_in):
        if each.id not in past:
            yield each.device, _checked_in(each)
    went = None if ticket.exit is None else scans.get(ticket.exit)
    if went is not None:
        yield went.device, _exited(went)


def _checked_in(row: CheckIn) -> CheckedIn:
    verdict: Verdict = row.verdict  # type: ignore[assignment]  # written from such a message
    reason: Reason | None = row.reason  # type: ignore[assignment]
    return CheckedIn(row.id, verdict, reason, row.ticket, row.event_session, row.staff, row.at_ms, row.after)


def _exited(row: CheckIn) -> Exited:
    verdict: ExitVerdict = row.verdict  # type: ignore[assignment]  # written from such a message
    return Exited(row.id, verdict, None, row.ticket, row.event_session, row.staff, row.at_ms, row.after)


def _needs(work: Work, body: Scan | CheckInUndone) -> Iterator[list[Need]]:
    needs: list[Need] = [(CheckIn, "id", body.check_in)]
    if body.ticket is not None:
        needs.append((Ticket, "id", body.ticket))
    yield needs
    ticket = None if body.ticket is None else work.of(Ticket).get(body.ticket)
    if ticket is not None:
        yield [(Order, "id", ticket.order_id), (Ticket, "order_id", ticket.order_id)]


@applies(CheckedIn, _needs)
def _on_checked_in(at: Telling, body: CheckedIn) -> None:
    ticket = _note(at, body)
    if ticket is None or body.verdict != "admitted":
        return
    if ticket.check_in is not None and (body.after is None or body.after != ticket.exit):
        detail = f"check-ins {ticket.check_in} and, by {at.device}, {body.check_in}"
        contradict_ticket(at, "admitted-twice", ticket, detail)
        return
    if ticket.state == "cancelled":
        contradict_ticket(at, "cancelled-and-admitted", ticket, f"{at.device} admitted a cancelled ticket")
    at.work.of(Ticket).change(ticket, check_in=body.check_in, exit=None)


@applies(Exited, _needs)
def _on_exited(at: Telling, body: Exited) -> None:
    """Somebody went out; of a ticket whose admission that counts is another one, the scan is kept and changes nothing."""
    ticket = _note(at, body)
    if ticket is not None and body.verdict == "left" and ticket.check_in is not None and ticket.check_in == body.after:
        at.work.of(Ticket).change(ticket, exit=body.check_in)


@applies(CheckInUndone, _needs)
def _on_undone(at: Telling, body: CheckInUndone) -> None:
    scans = at.work.of(CheckIn)
    scan = scans.get(body.check_in)
    if scan is not None:
        scan = scans.change(scan, undone=True)
    ticket = None if body.ticket is None else at.work.of(Ticket).get(body.ticket)
    if ticket is None:
        return
    if ticket.exit == body.check_in:
        at.work.of(Ticket).change(ticket, exit=None)
    elif ticket.check_in == body.check_in:
        before = None if scan is None or scan.after is None else scans.get(scan.after)
        out = None if before is None or before.undone else before.id
        at.work.of(Ticket).change(ticket, check_in=None if before is None else before.after, exit=out)


def _note(at: Telling, body: Scan) -> Ticket | None:
    """Keep a scan; return its ticket, None where the scan was known before or its ticket is not."""
    if at.work.of(CheckIn).get(body.check_in) is not None:
        return None
    at.work.of(CheckIn).add(
        CheckIn(
            id=body.check_in,
            device=at.device,
            verdict=body.verdict,
            reason=body.reason,
            ticket=body.ticket,
            event_session=body.event_session,
            staff=body.staff,
            at_ms=body.at_ms,
            after=body.after,
        )
    )
    return None if body.ticket is None else at.work.of(Ticket).get(body.ticket)


def contradict_ticket(at: Telling, kind: Kind, ticket: Ticket, detail: str) -> None:
    """List what contradicts a ticket's row, with the order and the session it belongs to."""
    where = {"order": ticket.order_id, "event_session": ticket.event_session}
    contradict(at.work, kind, ticket.id, detail, at.wall_ms, tickets=[ticket.id], **where)
