"""From the rows of a contradiction to the facts its remedies are chosen by."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, cast
from zoneinfo import ZoneInfo

from mqtt_bridge.cloud.accounts import account
from mqtt_bridge.cloud.books import Book
from mqtt_bridge.cloud.closed_epochs import net
from mqtt_bridge.cloud.records import Contradiction, Device, Line, Order, Payment, Quota, Refund, Ticket
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.catalogue import Catalogue, EventSession
from mqtt_bridge.protocol.money import MONEY
from mqtt_bridge.protocol.remedies import Alternative, Case, Draw, Kind


@dataclass(frozen=True)
class Found:
    """The rows behind a contradiction: tickets a remedy may change (``open``), those somebody came in on, all of the order.

    ``types`` maps, per session to rebook to, old ticket type to new.
    """

    row: Contradiction
    order: Order | None
    open: tuple[Ticket, ...]
    admitted: tuple[Ticket, ...]
    case: Case
    types: dict[str, dict[str, str]] = field(default_factory=dict)


def gather(work: Work, catalogue: Catalogue, row: Contradiction, wall_ms: int, pools: Pools | None = None) -> Found:
    """Read what a contradiction is about, as it is now; ``pools`` may be shared by many that only look."""
    pools = pools or Pools(work, wall_ms)
    order = work.of(Order).get(row.order_id) if row.order_id else None
    named = set(json.loads(row.tickets))
    all_tickets = work.of(Ticket).where("order_id", row.order_id) if row.order_id else []
    tickets = [each for each in all_tickets if each.id in named] if named else list(all_tickets)
    if named and not all_tickets:
        tickets = [found for each in sorted(named) if (found := work.of(Ticket).get(each)) is not None]
    withdrawn = {each.ticket for each in work.of(Refund).where("order_id", row.order_id)} if row.order_id else set()
    free = [each for each in tickets if each.state == "valid" and each.replaced_by is None and each.id not in withdrawn]
    # Where too much was taken, no ticket is in question.
    opened = () if row.kind == "paid-twice" else tuple(each for each in free if each.check_in is None)
    admitted = tuple(each for each in tickets if each.check_in is not None)
    at = _session(catalogue, row.event_session or next((each.event_session for each in tickets), ""))
    types: dict[str, dict[str, str]] = {}
    case = Case(
        kind=cast("Kind", row.kind),
        open=len(opened),
        admitted=len(admitted),
        short=_short(row.kind, tickets),
        pool=_pool(pools, row.kind, tickets),
        refund_minor=account(work, row.order_id).due_minor
        if row.kind == "paid-twice"
        else _refund(work, row.order_id, all_tickets, opened, withdrawn),
        currency=next((each.currency for each in tickets), ""),
        cancelled=at is not None and at.cancelled,
        elapsed=at is not None and wall_ms >= at.ends_at_ms,
        alternatives=_alternatives(pools, catalogue, opened, at, wall_ms, types, row.remedy),
    )
    return Found(row, order, opened, admitted, case, types)


def _pool(pools: Pools, kind: str, tickets: list[Ticket]) -> int:
    """What could stand behind short tickets; the stock of oversold ones was bought already when it was released."""
    quotas = {each.quota for each in tickets} if kind == "cancelled-and-admitted" else set()
    return min((pools.free(each) for each in quotas), default=0)


def _session(catalogue: Catalogue, event_session: str) -> EventSession | None:
    found = catalogue.event_session.get(event_session)
    return None if found is None else found.at


def _short(kind: str, tickets: list[Ticket]) -> int:
    """Tickets that people have and no stock stands behind: sold beyond the limit, or used after their stock was given back."""
    if kind == "oversold":
        return sum(each.state == "valid" for each in tickets)
    if kind == "cancelled-and-admitted":
        return sum(each.state == "cancelled" and each.check_in is not None for each in tickets)
    return 0


def _refund(
    work: Work, order_id: str, all_tickets: list[Ticket], opened: tuple[Ticket, ...], withdrawn: set[str]
) -> int:
    """What was paid for the open tickets: money taken and not promised back, less what the rest of the order costs."""
    if not order_id:
        return 0
    paid = sum(
        each.amount_minor
        for each in work.of(Payment).where("order_id", order_id)
        if each.method in MONEY and each.amount_minor > 0
    )
    promised = sum(each.amount_minor for each in work.of(Refund).where("order_id", order_id))
    concerned = {each.id for each in opened} | withdrawn
    kept = sum(
        each.price_minor
        for each in all_tickets
        if each.id not in concerned and each.replaced_by is None and (each.state == "valid" or each.check_in)
    )
    return max(0, min(sum(each.price_minor for each in opened), paid - promised - kept))


class Figures(NamedTuple):
    """A quota's pool, what is kept of it for rebooking, and what devices have free."""

    name: str
    pool: int = 0
    kept: int = 0
    elsewhere: int = 0


class Pools:
    """What quotas have left at a moment; what is kept there for others who are being rebooked is not free."""

    def __init__(self, work: Work, wall_ms: int) -> None:
        self._work = work
        self._wall_ms = wall_ms
        self._known: dict[str, Figures] = {}

    def book(self, quota: str) -> Book | None:
        """The book of a quota, after what came back from lost devices lowered what was released of it."""
        found = self._work.of(Quota).get(quota)
        if found is None:
            return None
        book = Book(self._work, found, self._work.of(Line).where("quota", quota))
        if found.released:
            net(book, {each.name: each for each in self._work.of(Device).fetch_all()})
        return book

    def free(self, quota: str, mine: int = 0) -> int:
        """Tickets in the pool; ``mine`` of those that are kept are kept for whoever asks."""
        figures = self._look(quota)
        return max(0, figures.pool - max(0, figures.kept - mine))

    def draw(self, quota: str, number: int, *, waits: bool) -> Draw:
        """What taking ``number`` tickets means; ``waits`` says that they are kept there already."""
        figures = self._look(quota)
        return Draw(quota, figures.name, number, self.free(quota, number if waits else 0), figures.elsewhere)

    def _look(self, quota: str) -> Figures:
        """The figures of a quota, read once."""
        if quota not in self._known:
            book = self.book(quota)
            if book is None:
                self._known[quota] = Figures(quota)
            else:
                pool = 0 if book.quota.frozen else book.pool
                elsewhere = sum(max(0, each.unsold - each.held) for each in book.lines.values())
                self._known[quota] = Figures(book.quota.name, pool, book.kept(self._wall_ms), elsewhere)
        return self._known[quota]


def _alternatives(
    pools: Pools,
    catalogue: Catalogue,
    opened: tuple[Ticket, ...],
    at: EventSession | None,
    wall_ms: int,
    types: dict[str, dict[str, str]],
    waits_for: str,
) -> tuple[Alternative, ...]:
    """Sessions of the same event still to come that have ticket types of the same names; fills ``types``."""
    if at is None or not opened:
        return ()
    names = {each.ticket_type: _type_name(catalogue, each.ticket_type) for each in opened}
    found = []
    for other in catalogue.event_session[at.id].event.sessions:
        if other.id == at.id or other.cancelled or wall_ms >= other.ends_at_ms:
            continue
        kinds = {each.name: each for each in other.ticket_types}
        if not all(name in kinds for name in names.values()):
            continue
        types[other.id] = {old: kinds[name].id for old, name in names.items()}
        wanted: dict[str, int] = {}
        for each in opened:
            quota = kinds[names[each.ticket_type]].quota
            wanted[quota] = wanted.get(quota, 0) + 1
        waits = waits_for == f"rebook:{other.id}"
        draws = tuple(pools.draw(quota, number, waits=waits) for quota, number in sorted(wanted.items()))
        venue = catalogue.venue.get(other.venue)
        found.append(
            Alternative(other.id, venue.name if venue else other.venue, moment(other), other.starts_at_ms, draws)
        )
    return tuple(found)


def _type_name(catalogue: Catalogue, ticket_type: str) -> str:
    known = catalogue.ticket_type.get(ticket_type)
    return known.kind.name if known is not None else ""


def moment(at: EventSession) -> str:
    """When a session begins, at its own place: ``Fri 24 Nov, 19:30``."""
    return datetime.fromtimestamp(at.starts_at_ms / 1000, ZoneInfo(at.timezone)).strftime("%a %-d %b, %H:%M")
