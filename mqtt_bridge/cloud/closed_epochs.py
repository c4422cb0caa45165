"""Stock of closed epochs in the rows: what is in doubt, what comes back, and tickets counted by id where the cloud alone counts.

``doubt`` has the arithmetic. Who calls what: ``planning`` nets what came back and lists what was sold twice, under the quota's
lock; ``facts`` and ``stand_ins`` tell of each ticket that becomes known or cancelled, under the lock on the sealed device's
allocation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.books import Book
from mqtt_bridge.cloud.doubt import Doubt, came_back, counted
from mqtt_bridge.cloud.records import Contradiction, Device, Line, Order, Ticket
from mqtt_bridge.cloud.rows import Lock
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import StockCount


def closed(line: Line, devices: Mapping[str, Device]) -> bool:
    """Whether nothing more is granted at this allocation's epoch: its device was sealed or began another life."""
    device = devices.get(line.device)
    return device is None or device.status == "sealed" or device.epoch != line.epoch


def doubt_of(released: int, lines: Iterable[Line], devices: Mapping[str, Device]) -> Doubt:
    """Return what is in doubt of a quota."""
    ended = [each for each in lines if closed(each, devices)]
    beyond = sum(max(0, -each.unsold) for each in ended if _is_sealed(devices.get(each.device)))
    return Doubt(sum(max(0, each.unsold) for each in ended), released, beyond)


def _is_sealed(device: Device | None) -> bool:
    return device is not None and device.status == "sealed"


def close_lines(work: Work, device: str) -> None:
    """Note what a device had returned when its epoch closes: only what comes back from now on lowers what was released.

    Those before were closed earlier. One after it is of a life that these rows had forgotten, and closes too.
    """
    found = work.of(Device).get(device)
    for line in work.of(Line).where("device", device):
        if line.netted != line.returned and (found is None or line.epoch >= found.epoch):
            work.of(Line).change(line, netted=line.returned)


def net(book: Book, devices: Mapping[str, Device]) -> None:
    """Let what came back from closed epochs lower the released extra before the pool is used; holds the quota's lock."""
    fresh = [each for each in book.lines.values() if each.returned > each.netted and closed(each, devices)]
    back = came_back(book.quota.released, sum(each.returned - each.netted for each in fresh), book.pool)
    later = back.later
    for line in fresh:
        waits = min(later, line.returned - line.netted)
        later -= waits
        book.change_line(line.device, line.epoch, netted=line.returned - waits)
    if back.lowered:
        book.change(released=book.quota.released - back.lowered, extra=book.quota.extra - back.lowered)


def list_oversold(work: Work, book: Book, devices: Mapping[str, Device], wall_ms: int) -> None:
    """List the latest sales of closed epochs that only fit stock which was released, or none; each once. Holds the quota's lock."""
    oversold = doubt_of(book.quota.released, book.lines.values(), devices).oversold
    fresh = oversold - book.quota.contradicted
    if fresh == 0:
        return
    book.change(contradicted=oversold)
    if fresh < 0:
        return
    late: dict[str, list[Ticket]] = {}
    for order, ticket in _latest(work, book, devices)[:fresh]:
        late.setdefault(order.id, []).append(ticket)
    for order_id, tickets in late.items():
        _contradict(work, book, order_id, tickets, wall_ms)


def _latest(work: Work, book: Book, devices: Mapping[str, Device]) -> list[tuple[Order, Ticket]]:
    """Valid tickets of closed epochs that were not listed before, the latest sale first."""
    epochs = {(each.device, each.epoch) for each in book.lines.values() if closed(each, devices)}
    listed = {
        ticket for each in work.of(Contradiction).where("kind", "oversold") for ticket in json.loads(each.tickets)
    }
    found = [
        (order, ticket)
        for ticket in work.of(Ticket).where("quota", book.id)
        if ticket.state == "valid"
        and ticket.id not in listed
        and (order := work.of(Order).get(ticket.order_id)) is not None
        and (order.issuer, ticket.epoch) in epochs
    ]
    return sorted(found, key=lambda pair: (-pair[0].confirmed_at_ms, pair[0].id, pair[1].id))


def _contradict(work: Work, book: Book, order_id: str, tickets: list[Ticket], wall_ms: int) -> None:
    order = work.of(Order).get(order_id)
    issuer = "" if order is None else order.issuer
    detail = (
        f"{len(tickets)} of {book.quota.name!r} were sold by {issuer} before it was sealed and became known after their "
        "places were on sale again"
    )
    ids = sorted(each.id for each in tickets)
    contradict(
        work,
        "oversold",
        f"{book.id} {ids[0]}",
        detail,
        wall_ms,
        order=order_id,
        event_session=tickets[0].event_session,
        tickets=ids,
    )


# --- a sealed device's tickets, counted by id


def sealed(work: Work, device: str) -> bool:
    """Whether the cloud alone counts this device's sales."""
    return _is_sealed(work.of(Device).get(device))


def ticket_known(work: Work, issuer: str, ticket: Ticket) -> set[str]:
    """Count a ticket that became known; returns the quota to look at, none unless its issuer was sealed."""
    line = _line(work, issuer, ticket)
    return set() if line is None else _count(work, line, known_sold=line.known_sold + 1)


def ticket_cancelled(work: Work, issuer: str, ticket: Ticket, *, certain: bool) -> set[str]:
    """Count a ticket that was cancelled since its issuer was sealed; returns the quota to look at, none otherwise.

    ``certain``: the lost device cannot have sold the place again, so it comes back; otherwise it stays in doubt.
    """
    line = _line(work, issuer, ticket)
    if line is None:
        return set()
    looked_at = _count(work, line, known_cancelled=line.known_cancelled + 1)
    line = _line(work, issuer, ticket) or line
    if certain and line.unsold > 0:
        work.of(Line).change(line, returned=line.returned + 1, reclaimed=line.reclaimed + 1)
    return looked_at


def hand_back(work: Work, device: str, told: StockCount) -> set[str]:
    """Return to the pool all that is left of an allocation after a sealed device's last word; returns the quota to look at.

    That is more than the device gave back where the last grant never reached it.
    """
    work.of(Line).lock_keys([(told.quota, device, told.epoch)], Lock.CHANGE)
    line = work.of(Line).get(told.quota, device, told.epoch)
    if line is None:
        return set()
    left = max(0, line.unsold - max(0, told.totals.sold - line.sold))
    work.of(Line).change(line, returned=line.returned + left)
    return {line.quota}


def recount(work: Work, device: str) -> None:
    """Count a device's tickets by id for the first time, when it is sealed."""
    known: dict[tuple[str, int], list[Ticket]] = {}
    for order in work.of(Order).where("issuer", device):
        for ticket in work.of(Ticket).where("order_id", order.id):
            known.setdefault((ticket.quota, ticket.epoch), []).append(ticket)
    for line in work.of(Line).where("device", device):
        tickets = known.get((line.quota, line.epoch), ())
        gone = sum(each.state == "cancelled" for each in tickets)
        _count(work, line, known_sold=len(tickets), known_cancelled=gone)


def _line(work: Work, issuer: str, ticket: Ticket) -> Line | None:
    if not sealed(work, issuer):
        return None
    key = (ticket.quota, issuer, ticket.epoch)
    work.of(Line).lock_keys([key], Lock.CHANGE)
    return work.of(Line).get(*key)


def _count(work: Work, line: Line, **values: int) -> set[str]:
    """Confirmed requests are tickets too, but they were counted by the cloud when it confirmed them."""
    line = work.of(Line).change(line, **values)
    totals = counted(line.totals, line.known_sold - line.confirmed, line.known_cancelled)
    work.of(Line).change(line, sold=totals.sold, cancelled=totals.cancelled)
    return {line.quota}
