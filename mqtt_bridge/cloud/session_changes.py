"""A session is cancelled or moved by an operator: a new catalogue that holders and doors see, and a list of whom it concerns.

The change is laid over every file that is imported later, so importing yesterday's file again does not bring a cancelled date
back. A file that says something new about the time wins over the move, and so does one about the venue as long as nothing was
sold; a file that says the same makes no difference. ``restore`` takes the change back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.aftermath import fact_of, payment_of, sale_of, sold_words
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.catalogue import current_catalogue, store_version
from mqtt_bridge.cloud.directory import audit, lock
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.overrides import Move, Placed, as_filed, changed
from mqtt_bridge.cloud.records import CheckIn, Device, Order, Payment, Refund, SessionChange, Ticket
from mqtt_bridge.cloud.rows import Lock
from mqtt_bridge.cloud.scans import standing
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.database import Database
from mqtt_bridge.protocol import remedies
from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession
from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.messages import (
    CancelRequested,
    Downlink,
    OrderCancelled,
    PaymentTaken,
    RefundPaid,
    TicketsWithdrawn,
)
from mqtt_bridge.protocol.moments import moment_ms
from mqtt_bridge.protocol.remedies import Kind
from mqtt_bridge.protocol.topics import CLOUD

LONGEST_NOTICE = 300


class ChangeRefused(Exception):
    """The session cannot be changed so; the sentence says why. Nothing changed."""


def find_session(catalogue: Catalogue, name: str) -> tuple[Event, EventSession]:
    """Return the session called ``name``: its id, or ``event/key`` as in the file. Raises ``ChangeRefused``."""
    found = catalogue.event_session.get(name)
    if found is not None:
        return found
    slug, _, key = name.partition("/")
    event = catalogue.event.get(slug)
    for at in event.sessions if event is not None else ():
        if event is not None and at.key == key:
            return event, at
    raise ChangeRefused(f"no session {name!r}; name it EVENT/KEY as in the catalogue file, or by its id")


def local_ms(database: Database, name: str, text: str | None) -> int | None:
    """Return a local time of a session's place, like ``2026-12-04T20:00``, in ms since the Unix epoch; None for none.

    Raises ``ChangeRefused`` for what the catalogue file would not be believed either (a time that clocks skip, one that happens
    twice and has no offset), and for a session that does not exist.
    """
    if text is None:
        return None
    with database.read() as db:
        _, at = find_session(current_catalogue(db), name)
    try:
        return moment_ms(text, at.timezone)
    except ValueError as error:
        raise ChangeRefused(str(error)) from None


def cancel_session(database: Database, name: str, who: str, wall_ms: int, notice: str = "") -> list[str]:
    """Call a session off; sales stop, its tickets admit nobody, every order of it is listed. Returns what was done."""

    def run(db: Connection) -> list[str]:
        change = _Change(db, name, who, wall_ms)
        if change.at.cancelled:
            raise ChangeRefused(f"{change.title} is cancelled already")
        change.put(cancelled=True, notice=notice[:LONGEST_NOTICE])
        change.publish("session cancelled", notice[:LONGEST_NOTICE])
        listed = change.list_orders("session-cancelled", "the date was cancelled")
        return [f"{change.title} is cancelled", listed]

    return database.run(run)


def move_session(
    database: Database,
    name: str,
    who: str,
    wall_ms: int,
    *,
    venue: str | None = None,
    starts_at_ms: int | None = None,
    ends_at_ms: int | None = None,
    notice: str = "",
) -> list[str]:
    """Move a session to another venue or time; its tickets stay valid and are admitted there. Returns what was done.

    Without an end the session stays as long as it was. What the old door was told of it goes to the new one.
    """

    def run(db: Connection) -> list[str]:
        change = _Change(db, name, who, wall_ms)
        before = _placed(change.at)
        starts = before.starts_at_ms if starts_at_ms is None else starts_at_ms
        ends = starts + before.ends_at_ms - before.starts_at_ms if ends_at_ms is None else ends_at_ms
        now = Placed(venue or before.venue, starts, ends)
        change.check_move(before, now)
        document = change.record.document if change.record else None
        was = decode(document, Move).was if document is not None else before
        change.put(document=encode(Move(was, now, wall_ms)), notice=notice[:LONGEST_NOTICE])
        change.publish("session moved", f"{before} -> {now}")
        words = [f"{change.title} is moved", change.list_orders("session-moved", "the date was moved")]
        if now.venue != before.venue:
            words.append(change.tell_new_door(now.venue))
        return words

    return database.run(run)


def restore_session(database: Database, name: str, who: str, wall_ms: int) -> list[str]:
    """Take a cancel or move back: what the file says is true again, and what was listed because of it is dismissed."""

    def run(db: Connection) -> list[str]:
        change = _Change(db, name, who, wall_ms)
        if change.record is None:
            raise ChangeRefused(f"{change.title} was neither cancelled nor moved here")
        before = change.at
        change.drop()
        number = change.dismiss(["session-cancelled", "session-moved"], "taken back")
        words = [f"{change.title} is as the file says", f"{number} entries of the repair list dismissed"]
        if change.at.venue != before.venue:
            words.append(change.tell_new_door(change.at.venue))
        return words

    return database.run(run)


def _placed(at: EventSession) -> Placed:
    return Placed(at.venue, at.starts_at_ms, at.ends_at_ms)


class _Change:
    """One change of one session in one transaction."""

    def __init__(self, db: Connection, name: str, who: str, wall_ms: int) -> None:
        self.db = db
        self.who = who
        self.wall_ms = wall_ms
        lock(db)
        self.work = Work(SqlRows(db))
        self.catalogue = current_catalogue(db)
        self.event, self.at = find_session(self.catalogue, name)
        self.record = self.work.of(SessionChange).get(self.at.id)

    @property
    def title(self) -> str:
        """What it is called."""
        return f"{self.event.title} ({self.at.key})"

    def check_move(self, before: Placed, now: Placed) -> None:
        """Raise ``ChangeRefused`` for a move that cannot be."""
        if self.at.cancelled:
            raise ChangeRefused(f"{self.title} is cancelled; restore it first")
        if now == before:
            raise ChangeRefused(f"{self.title} is there and then already")
        if now.ends_at_ms <= now.starts_at_ms:
            raise ChangeRefused("it must end after it starts")
        if now.venue not in self.catalogue.venue:
            raise ChangeRefused(f"no venue {now.venue!r}; venues are {', '.join(sorted(self.catalogue.venue))}")

    def put(self, **values: object) -> None:
        """Write the change down."""
        sheet = self.work.of(SessionChange)
        values |= {"changed_at_ms": self.wall_ms, "changed_by": self.who}
        fresh = SessionChange(self.at.id, cancelled=False, notice="", document=None, changed_at_ms=0, changed_by="")
        self.record = sheet.change(self.record or sheet.add(fresh), **values)

    def publish(self, action: str, detail: str) -> None:
        """Make the changed catalogue the current one."""
        if self.record is None:
            return
        record = self.record
        self._store(lambda at: changed(as_filed(at, record), record), action, detail)

    def drop(self) -> None:
        """Forget the change and publish the session as the file has it."""
        record = self.record
        if record is None:
            return
        self.work.of(SessionChange).remove(record)
        self._store(lambda at: as_filed(at, record), "session restored", "")

    def _store(self, change: Callable[[EventSession], EventSession], action: str, detail: str) -> None:
        sessions = tuple(change(at) if at.id == self.at.id else at for at in self.event.sessions)
        event = msgspec.structs.replace(self.event, sessions=sessions)
        events = tuple(event if each.slug == event.slug else each for each in self.catalogue.events)
        store_version(self.db, msgspec.structs.replace(self.catalogue, events=events), self.wall_ms)
        audit(self.db, self.wall_ms, self.who, action, self.title, detail[:2000])
        self.catalogue = current_catalogue(self.db)
        self.event, self.at = self.catalogue.event_session[self.at.id]

    def dismiss(self, kinds: list[Kind], why: str) -> int:
        """Take open entries about the session off the list; returns how many."""
        c = t.contradiction.c
        mine = (c.event_session == self.at.id, c.kind.in_(kinds), c.state == "open")
        done = {"state": "dismissed", "outcome": why, "decided_by": self.who, "decided_at_ms": self.wall_ms}
        return self.db.execute(sa.update(t.contradiction).where(*mine).values(**done)).rowcount

    def list_orders(self, kind: Kind, why: str) -> str:
        """List every order with tickets for the session, instead of what an earlier move had listed; returns how many.

        Sales that are being applied are waited for; those applied from now on find the session changed and list themselves.
        """
        names = [(each.name,) for each in self.work.rows.all(Device)]
        self.work.rows.lock(Device, ("name",), names, Lock.CHANGE)
        self.dismiss(["session-moved"], "the date was changed again")
        valid: dict[str, list[str]] = {}
        for ticket in self.work.of(Ticket).where("event_session", self.at.id):
            if ticket.state == "valid" and ticket.replaced_by is None:
                valid.setdefault(ticket.order_id, []).append(ticket.id)
        orders = self.work.of(Order)
        orders.fetch("id", valid)
        for order_id, tickets in sorted(valid.items()):
            order = orders.get(order_id)
            words = sold_words(len(tickets), order.issuer if order else "?", why)
            subject = f"{self.at.id} {self.wall_ms} {order_id}"
            where = {"order": order_id, "event_session": self.at.id}
            contradict(self.work, kind, subject, words, self.wall_ms, tickets=tickets, **where)
        self.work.write()
        number = len(valid)
        bookings = f"{number} booking" if number == 1 else f"{number} bookings"
        return f"{remedies.tickets(sum(map(len, valid.values())))} of {bookings} listed for repair"

    def tell_new_door(self, venue: str) -> str:
        """Send the door of a venue what is known of the session's tickets, payments and scans."""
        sold = self.work.of(Ticket).where("event_session", self.at.id)
        ids = sorted({each.order_id for each in sold})
        self.work.fetch(
            (kind, column, order)
            for order in ids
            for kind, column in ((Order, "id"), (Ticket, "order_id"), (Payment, "order_id"), (Refund, "order_id"))
        )
        self.work.fetch((CheckIn, "ticket", each.id) for each in sold)
        forwarder = Forwarder(self.work, lambda _session: None)
        for order in filter(None, map(self.work.of(Order).get, ids)):
            for origin, body in told_again(self.work, order):
                forwarder.to_door(venue, origin, body)
        self.work.write()
        return f"{len(ids)} bookings go to the door at {venue!r}"


def told_again(work: Work, order: Order) -> Iterator[tuple[str, Downlink]]:
    """Yield (origin, message) of all that a door needs to know of an order that other doors were told of before."""
    tickets = work.of(Ticket).where("order_id", order.id)
    facts = {each.id: fact_of(each) for each in tickets}
    payment = payment_of(order)
    yield order.issuer, sale_of(work, order, tuple(facts.values()))
    for each in work.of(Payment).where("order_id", order.id):
        yield each.device, _payment_taken(each, tuple(facts)) if each.amount_minor > 0 else _refund_paid(each)
    for ticket in tickets:
        yield from standing(work, ticket)
    gone = tuple(each.id for each in tickets if each.state != "valid")
    if gone:
        yield order.issuer, OrderCancelled(order.id, gone, ())
    refunded = {each.ticket for each in work.of(Refund).where("order_id", order.id)}
    left = tuple(each for each in tickets if each.state == "valid")
    going = tuple(facts[each.id] for each in left if each.replaced_by is not None or each.id in refunded)
    if going:
        yield CLOUD, TicketsWithdrawn(order.id, order.code, order.issuer, payment, going, "session-moved")
    if order.status == "cancel_pending" and left:
        yield order.issuer, CancelRequested(order.id, tuple(facts[each.id] for each in left))


def _refund_paid(row: Payment) -> RefundPaid:
    return RefundPaid(
        order=row.order_id,
        payment=row.id,
        method=row.method,  # type: ignore[arg-type]  # as it was told
        amount_minor=-row.amount_minor,
        currency=row.currency,
        staff=row.staff,
    )


def _payment_taken(row: Payment, tickets: tuple[str, ...]) -> PaymentTaken:
    return PaymentTaken(
        order=row.order_id,
        payment=row.id,
        method=row.method,  # type: ignore[arg-type]  # as it was told
        amount_minor=row.amount_minor,
        currency=row.currency,
        staff=row.staff,
        paid=row.paid,
        tickets=tickets,
    )
