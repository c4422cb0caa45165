"""Carry out what a person (or a rule set by one) decided about a contradiction: one transaction, once.

Stock moves under the locks on the quotas' rows, as everywhere: rebooking takes from the target quota's pool and counts the new
tickets in ``confirmed`` of the device that answers for the order; the old ones are counted ``cancelled`` by their issuer once
their door has voided them. Overbooking takes from the pool what it has and raises ``bought`` by the rest. Money that is paid
back is owed as soon as the tickets are void, or at once where the date itself was cancelled. Devices hear of it by letters.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import contradictions
from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.aftermath import fact_of, payment_of
from mqtt_bridge.cloud.cases import Found, Pools, gather
from mqtt_bridge.cloud.catalogue import current_catalogue
from mqtt_bridge.cloud.concerned import answers_for, owe, tell
from mqtt_bridge.cloud.directory import audit
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.lineup import ENTRUSTED
from mqtt_bridge.cloud.records import Contradiction, Device, Entry, Order, Quota, Refund, Ticket
from mqtt_bridge.cloud.rows import Lock
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.database import Database
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.messages import OrderRebooked, ReturnAllocation, StockCount, Swap, TicketsWithdrawn
from mqtt_bridge.protocol.remedies import Suggestion, by_rule, may_be_automatic, suggestions, tickets
from mqtt_bridge.protocol.topics import CLOUD
from mqtt_bridge.protocol.waitlist import entry_of

# How long stock that was called back waits in the pool for tickets to be rebooked, before it is granted again.
KEPT_FOR_MS = 5 * 60 * 1000


class RepairRefused(Exception):
    """What was asked for cannot be done (any more); the sentence says why. Nothing changed."""


def apply_remedy(
    database: Database,
    number: int,
    remedy: str,
    who: str,
    wall_ms: int,
    *,
    target: str = "",
    seen: tuple[int, int] | None = None,
) -> str:
    """Resolve a contradiction and return what was done, in words.

    ``target`` is the session to rebook to. ``seen`` is the price that was shown, as (tickets oversold, money in minor units):
    if it has grown, nothing is done. Raises ``RepairRefused``; of two people who decide at once one is told who was faster.
    """

    def run(db: Connection) -> str:
        work, found = _locked(db, number, wall_ms)
        offers = suggestions(found.case)
        offer = next((each for each in offers if (each.remedy, each.target) == (remedy, target)), None)
        if offer is None:
            raise RepairRefused("this is not offered (any more); look at the suggestions as they are now")
        if seen is not None and (offer.oversell > seen[0] or offer.amount_minor > seen[1]):
            raise RepairRefused(f"the price has grown since it was shown: {offer.price}")
        return _carry_out(db, work, found, offer, who, wall_ms)

    return database.run(run)


def dismiss(database: Database, number: int, who: str, wall_ms: int, why: str = "") -> None:
    """Leave everything as it is and take the contradiction off the list. Raises ``RepairRefused`` if it was decided already."""

    def run(db: Connection) -> None:
        if not contradictions.decide(db, number, "dismissed", "", why or "left as it is", who, wall_ms):
            raise RepairRefused(_decided(db, number))
        audit(db, wall_ms, who, "contradiction dismissed", str(number), why)

    database.run(run)


def set_rule(database: Database, kind: str, remedy: str, who: str, wall_ms: int) -> None:
    """Choose a remedy for every contradiction of a kind, those that wait included; an empty one lets people decide again."""
    if remedy and remedy not in may_be_automatic(kind):
        raise RepairRefused(
            f"{remedy!r} is no automatic choice for {kind!r}; these are: {', '.join(may_be_automatic(kind))}"
        )

    def run(db: Connection) -> None:
        db.execute(sa.delete(t.remedy_rule).where(t.remedy_rule.c.kind == kind))
        if remedy:
            row = {"kind": kind, "remedy": remedy, "set_at_ms": wall_ms, "set_by": who}
            db.execute(sa.insert(t.remedy_rule).values(**row))
        audit(db, wall_ms, who, "repair rule set", kind, remedy or "none")

    database.run(run)


def rules(db: Connection) -> dict[str, str]:
    """The automatic remedy by kind."""
    return {row.kind: row.remedy for row in db.execute(sa.select(t.remedy_rule))}


def apply_rules(database: Database, wall_ms: int, *, most: int = 100) -> int:
    """Do what waited for stock, and apply the operator's rules to what is open; returns how many were resolved.

    What cannot be done now stays for a person.
    """
    with database.read() as db:
        chosen = rules(db)
        waiting = contradictions.undecided(db, chosen, most, wall_ms)

    def decide(number: int) -> bool:
        def run(db: Connection) -> bool:
            work, found = _locked(db, number, wall_ms)
            remedy, _, target = found.row.remedy.partition(":")
            if remedy:
                offers = suggestions(found.case)
                offer = next(
                    (each for each in offers if (each.remedy, each.target, each.missing) == (remedy, target, 0)), None
                )
            else:
                offer = by_rule(found.case, chosen.get(found.row.kind, ""))
            if offer is not None:
                _carry_out(db, work, found, offer, found.row.decided_by or "rule", wall_ms)
            return offer is not None

        try:
            return database.run(run)
        except RepairRefused:
            return False

    return sum(decide(number) for number in waiting)


def _locked(db: Connection, number: int, wall_ms: int) -> tuple[Work, Found]:
    """Lock the contradiction, then every quota it may touch, and read the facts as of now."""
    work = Work(SqlRows(db))
    known = contradictions.find(db, number)
    key = (known.kind, known.subject) if known is not None else ("", "")
    work.of(Contradiction).lock_keys([key], Lock.ALONE)
    row = work.of(Contradiction).get(*key)
    if row is None or row.state != "open":
        raise RepairRefused(_decided(db, number))
    catalogue = current_catalogue(db)
    # A look without locks says which quotas matter; what counts is read again once they are held.
    seen = gather(Work(SqlRows(db)), catalogue, row, wall_ms)
    quotas = {each.quota for each in (*seen.open, *seen.admitted)}
    quotas |= {draw.quota for each in seen.case.alternatives for draw in each.draws}
    work.of(Quota).lock("id", sorted(quotas), Lock.ALONE)
    return work, gather(work, catalogue, row, wall_ms)


def _wait(db: Connection, work: Work, found: Found, offer: Suggestion, who: str, wall_ms: int) -> str:
    """Ask devices for what the pools lack and keep it there; ``apply_rules`` rebooks as soon as enough came back."""
    choice = f"{offer.remedy}:{offer.target}"
    if found.row.remedy == choice:
        return found.row.outcome
    to = next(each for each in found.case.alternatives if each.event_session == offer.target)
    short = sum(_ask_back(work, draw.quota, draw.number, wall_ms) for draw in to.draws)
    if short:
        raise RepairRefused(
            f"{offer.missing} tickets are missing and {short} of them are nowhere to come back from now"
        )
    words = f"waits for {tickets(offer.missing)} to come back from devices, then: {offer.effect}"
    work.of(Contradiction).change(found.row, remedy=choice, outcome=words, decided_by=who, decided_at_ms=wall_ms)
    work.write()
    audit(db, wall_ms, who, "stock called back", found.row.kind, words)
    return words


def _decided(db: Connection, number: int) -> str:
    row = contradictions.find(db, number)
    if row is None:
        return "there is no such entry"
    return f"{row.decided_by} has decided this already: {row.outcome}"


def _carry_out(db: Connection, work: Work, found: Found, offer: Suggestion, who: str, wall_ms: int) -> str:
    if offer.missing:
        return _wait(db, work, found, offer, who, wall_ms)
    step = _Step(db, work, current_catalogue(db), found, wall_ms)
    words = {"rebook": step.rebook, "overbook": step.overbook, "refund": step.refund, "waitlist": step.waitlist}[
        offer.remedy
    ](offer)
    work.of(Contradiction).change(
        found.row, state="resolved", remedy=offer.remedy, outcome=words, decided_by=who, decided_at_ms=wall_ms
    )
    work.write()
    audit(db, wall_ms, who, f"repaired: {offer.remedy}", found.row.kind, words)
    return words


class _Step:
    """One remedy being carried out."""

    def __init__(self, db: Connection, work: Work, catalogue: Catalogue, found: Found, wall_ms: int) -> None:
        self.db = db
        self.work = work
        self.catalogue = catalogue
        self.found = found
        self.wall_ms = wall_ms

    @property
    def order(self) -> Order:
        """The order the tickets belong to."""
        if self.found.order is None:
            raise RepairRefused("the order of these tickets is not known here")
        return self.found.order

    def rebook(self, offer: Suggestion) -> str:
        """Give each open ticket a new one for the target session."""
        to = self.found.types[offer.target]
        holder, signer = self._holder()
        swaps = []
        for old in self.found.open:
            kind = self.catalogue.ticket_type[to[old.ticket_type]].kind
            new = Ticket(
                id=ids.secret(secrets.token_bytes(ids.SECRET_BYTES)),
                order_id=old.order_id,
                code=ids.code(secrets.token_bytes(5)),
                ticket_type=kind.id,
                event_session=offer.target,
                quota=kind.quota,
                epoch=holder.epoch,
                price_minor=old.price_minor,
                currency=old.currency,
                state="valid",
                check_in=None,
            )
            self.work.of(Ticket).add(new)
            self.work.of(Ticket).change(old, replaced_by=new.id)
            swaps.append(Swap(fact_of(old), fact_of(new)))
        numbers = Counter(each.new.quota for each in swaps)
        stock = tuple(self._confirm(quota, holder, number) for quota, number in numbers.items())
        order = self.order
        body = OrderRebooked(
            order.id, order.code, order.issuer, signer, payment_of(order), tuple(swaps), self.found.row.kind, stock
        )
        # Every door of the order, because each of them counts what of it stands.
        sessions = {offer.target, *(each.event_session for each in self.work.of(Ticket).where("order_id", order.id))}
        tell(self.work, order, sessions, body)
        return f"{len(swaps)} rebooked to {offer.place}"

    def refund(self, offer: Suggestion) -> str:
        """Take the open tickets back; the money is owed once they are void, or at once for a cancelled date.

        Where too much was taken no ticket is in question: the surplus is owed at once.
        """
        order, left = self.order, offer.amount_minor
        if self.found.row.kind == "paid-twice":
            owe(self.work, order, self.found.row.kind)
            return f"every desk concerned knows: {offer.price}"
        for each in self.found.open:
            amount = min(each.price_minor, left)
            left -= amount
            self.work.of(Refund).add(
                Refund(each.id, order.id, amount, each.currency, self.found.case.cancelled, self.wall_ms)
            )
        facts = tuple(fact_of(each) for each in self.found.open)
        body = TicketsWithdrawn(order.id, order.code, order.issuer, payment_of(order), facts, self.found.row.kind)
        sessions = {each.event_session for each in self.found.open}
        tell(self.work, order, sessions, body)
        if self.found.case.cancelled:
            owe(self.work, order, self.found.row.kind)
        return f"{len(facts)} withdrawn: {offer.price}"

    def waitlist(self, offer: Suggestion) -> str:
        """Take the open tickets back as for a refund, and have the holder first in the line of each quota.

        The device that answers for the order is entrusted with the entry, like one of a device that is gone.
        """
        wanted: dict[str, Counter[str]] = {}
        for each in self.found.open:
            wanted.setdefault(each.quota, Counter())[each.ticket_type] += 1
        words = self.refund(offer)
        c = t.waitlist.c
        for quota, wishes in sorted(wanted.items()):
            entry = entry_of(self.order.id, quota)
            if self.db.execute(sa.select(c.place).where(c.entry == entry)).first() is not None:
                continue
            place = min(0, self.db.execute(sa.select(sa.func.min(c.place))).scalar() or 0) - 1
            row = Entry(
                entry=entry,
                quota=quota,
                device=self._holder()[0].name,
                inc="",
                number=ENTRUSTED + place,
                quantity=wishes.total(),
                wishes=json.dumps([{"ticket_type": kind, "quantity": n} for kind, n in sorted(wishes.items())]),
                joined_at_ms=self.wall_ms,
                place=place,
            )
            self.db.execute(sa.insert(t.waitlist).values(**msgspec.structs.asdict(row)))
        return f"{words}; first on the waitlist"

    def overbook(self, offer: Suggestion) -> str:
        """Let tickets count that no stock stands behind: from the pool as far as it goes, the rest is bought."""
        if self.found.row.kind == "cancelled-and-admitted":
            gone = [each for each in self.found.admitted if each.state == "cancelled"]
            for quota, number in Counter(each.quota for each in gone).items():
                book = Pools(self.work, self.wall_ms).book(quota)
                if book is not None:
                    book.change(extra=book.quota.extra + max(0, number - max(0, book.pool)))
                    self._confirm(quota, self._holder()[0], number)
            for each in gone:
                self.work.of(Ticket).change(each, state="valid")
        return f"{self.found.case.short} counted: {offer.price}"

    def _holder(self) -> tuple[Device, str]:
        """The device whose ``confirmed`` counts new tickets, and who signs their receipts.

        The issuer as long as it may speak; of a sealed one its replacement, which answers for its orders. Where there is none,
        the sealed device's totals count them and nobody signs: the new door knows the tickets by old and new code.
        """
        issuer, speaker = self.work.of(Device).get(self.order.issuer), answers_for(self.work, self.order.issuer)
        if issuer is None:
            raise RepairRefused(f"{self.order.issuer} is not registered")
        if speaker is None or speaker.inc is None:
            return issuer, ""
        for now in self.work.rows.lock(Device, ("name",), [(speaker.name,)], Lock.SHARE_KEY):
            speaker = now
        return speaker, speaker.name

    def _confirm(self, quota: str, holder: Device, number: int) -> StockCount:
        book = Pools(self.work, self.wall_ms).book(quota)
        if book is None or book.pool < number:
            raise RepairRefused("the pool has not enough any more")
        line = book.line(holder.name, holder.epoch)
        line = book.change_line(holder.name, holder.epoch, confirmed=(line.confirmed if line else 0) + number)
        book.change(kept=max(0, book.quota.kept - number))
        return StockCount(quota, holder.epoch, line.totals)


def _ask_back(work: Work, quota: str, number: int, wall_ms: int) -> int:
    """Have the pool keep ``number`` more for a while and recall what it lacks, from those with most free stock first.

    Returns how much of all that is kept will not be there.
    """
    book, post = Pools(work, wall_ms).book(quota), Forwarder(work, lambda _session: None)
    if book is None:
        return number
    book.change(kept=book.kept(wall_ms) + number, kept_until_ms=wall_ms + KEPT_FOR_MS)
    coming = sum(max(0, each.recall_to - each.returned) for each in book.lines.values())
    missing = max(0, book.quota.kept - max(0, book.pool) - coming)
    for line in sorted(book.lines.values(), key=lambda each: (each.held - each.unsold, each.device)):
        device = work.of(Device).get(line.device)
        asked = max(line.recall_to, line.returned)
        free = min(missing, line.unsold - line.held - (asked - line.returned))
        if free <= 0 or device is None or device.status == "sealed" or device.epoch != line.epoch:
            continue
        book.change_line(line.device, line.epoch, recall_to=asked + free, recalled_at_ms=wall_ms)
        post.send(line.device, CLOUD, ReturnAllocation(quota, line.epoch, asked + free))
        missing -= free
    return missing
