"""What waits for a decision, as an operator sees it: grouped by what happened to which date, each entry with its remedies."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from mqtt_bridge.cloud import contradictions, repair
from mqtt_bridge.cloud.cases import Found, Pools, gather, moment
from mqtt_bridge.cloud.catalogue import current_catalogue
from mqtt_bridge.cloud.contradictions import Contradiction
from mqtt_bridge.cloud.records import Contradiction as Row
from mqtt_bridge.cloud.records import Line, Order, Payment, Quota, Refund, SessionChange, Ticket
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Venue
from mqtt_bridge.protocol.remedies import TITLES, Suggestion, may_be_automatic, suggestions

# How many open entries one page decides about, and how many of a group it shows one by one.
SHOWN = 300
ONE_BY_ONE = 20
DECIDED = 100


@dataclass(frozen=True)
class Entry:
    """One contradiction with its facts and what can be done."""

    row: Contradiction
    found: Found
    offers: tuple[Suggestion, ...]


@dataclass(frozen=True)
class Bulk:
    """One remedy for all shown entries of a group that offer it: how many, at which price in all."""

    offer: Suggestion
    entries: int
    oversell: int
    amount_minor: int

    @property
    def choice(self) -> tuple[str, str]:
        """What is chosen: remedy and target."""
        return self.offer.remedy, self.offer.target


@dataclass(frozen=True)
class Group:
    """Entries of one kind about one session; ``event`` and ``at`` are None where they concern none."""

    kind: str
    title: str
    event: Event | None
    at: EventSession | None
    venue: str
    when: str
    entries: tuple[Entry, ...]

    @property
    def shown(self) -> tuple[Entry, ...]:
        """Those that are shown one by one."""
        return self.entries[:ONE_BY_ONE]

    @property
    def bulk(self) -> tuple[Bulk, ...]:
        """What can be done about several at once."""
        kinds: dict[tuple[str, str], list[Suggestion]] = {}
        for entry in self.entries:
            for offer in entry.offers:
                kinds.setdefault((offer.remedy, offer.target), []).append(offer)
        return tuple(
            Bulk(
                offers[0], len(offers), sum(each.oversell for each in offers), sum(each.amount_minor for each in offers)
            )
            for offers in kinds.values()
            if len(offers) > 1
        )


@dataclass(frozen=True)
class RepairView:
    """The open list, or what was decided lately (with the booking's code); ``rules`` are (kind, title, remedies to choose from, the chosen one)."""

    groups: tuple[Group, ...]
    decided: tuple[tuple[Contradiction, str], ...]
    open: int
    rules: tuple[tuple[str, str, tuple[str, ...], str], ...]


def repairs(db: Connection, wall_ms: int, *, decided: bool = False) -> RepairView:
    """Read the list."""
    chosen = repair.rules(db)
    rules = tuple(
        (kind, title, may_be_automatic(kind), chosen.get(kind, ""))
        for kind, title in TITLES.items()
        if may_be_automatic(kind)
    )
    number = contradictions.open_count(db)
    if decided:
        rows, orders = contradictions.listed(db, "decided", DECIDED), Work(SqlRows(db)).of(Order)
        orders.fetch("id", {each.order_id for each in rows})
        codes = {each.order_id: found.code for each in rows if (found := orders.get(each.order_id)) is not None}
        return RepairView((), tuple((each, codes.get(each.order_id, "")) for each in rows), number, rules)
    return RepairView(_groups(db, contradictions.listed(db, "open", SHOWN), wall_ms), (), number, rules)


def _groups(db: Connection, rows: tuple[Contradiction, ...], wall_ms: int) -> tuple[Group, ...]:
    work, catalogue = Work(SqlRows(db)), current_catalogue(db)
    pools = Pools(work, wall_ms)
    orders = {each.order_id for each in rows if each.order_id}
    kinds = ((Order, "id"), (Ticket, "order_id"), (Payment, "order_id"), (Refund, "order_id"))
    work.fetch((kind, column, order) for order in orders for kind, column in kinds)
    work.of(Row).fetch_keys((each.kind, each.subject) for each in rows)
    if rows:
        work.of(Quota).fetch_all()
        work.of(Line).fetch_all()
    found: dict[tuple[str, str], list[Entry]] = {}
    for row in rows:
        known = work.of(Row).get(row.kind, row.subject)
        if known is None:
            continue
        facts = gather(work, catalogue, known, wall_ms, pools)
        found.setdefault((row.kind, row.event_session), []).append(Entry(row, facts, suggestions(facts.case)))
    return tuple(_group(catalogue, *key, tuple(entries)) for key, entries in found.items())


def _group(catalogue: Catalogue, kind: str, event_session: str, entries: tuple[Entry, ...]) -> Group:
    event, at = catalogue.event_session.get(event_session, (None, None))
    venue = _name(catalogue, at.venue) if at else ""
    return Group(kind, TITLES.get(kind, kind), event, at, venue, moment(at) if at else "", entries)


def _name(catalogue: Catalogue, venue: str) -> str:
    return catalogue.venue.get(venue, Venue(venue, venue, "")).name


@dataclass(frozen=True)
class SessionFacts:
    """A session with what depends on it: bookings, valid tickets, people inside, money taken by currency."""

    event: Event
    at: EventSession
    venue: str
    when: str
    change: SessionChange | None
    bookings: int
    tickets: int
    admitted: int
    paid_minor: int
    currency: str
    venues: tuple[Venue, ...]


def session_facts(db: Connection, event_session: str) -> SessionFacts | None:
    """Read one session, None if there is none."""
    work, catalogue = Work(SqlRows(db)), current_catalogue(db)
    found = catalogue.event_session.get(event_session)
    if found is None:
        return None
    event, at = found
    sold = [each for each in work.of(Ticket).where("event_session", at.id) if each.state == "valid"]
    orders = sorted({each.order_id for each in sold})
    work.fetch((Order, "id", each) for each in orders)
    paid = {each for each in orders if (order := work.of(Order).get(each)) is not None and order.payment == "paid"}
    return SessionFacts(
        event=event,
        at=at,
        venue=_name(catalogue, at.venue),
        when=moment(at),
        change=work.of(SessionChange).get(at.id),
        bookings=len(orders),
        tickets=len(sold),
        admitted=sum(each.check_in is not None for each in sold),
        paid_minor=sum(each.price_minor for each in sold if each.order_id in paid),
        currency=next((each.currency for each in sold), ""),
        venues=catalogue.venues,
    )


def all_sessions(db: Connection) -> list[tuple[Event, EventSession, str, str]]:
    """Return every session with its venue's name and its moment, next first."""
    catalogue = current_catalogue(db)
    dates = sorted(catalogue.event_session.values(), key=lambda each: (each.at.starts_at_ms, each.at.id))
    return [(event, at, _name(catalogue, at.venue), moment(at)) for event, at in dates]
