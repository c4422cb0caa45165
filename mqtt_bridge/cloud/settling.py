"""Carry out what was said about pre-enrolments: some words per transaction, letters to devices and mails with them.

The verifier alone runs this, so nobody but it changes a verification. It locks the devices whose orders it decides about, as a
batch of their messages does, and then the verifications; stock is none of its business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from msgspec.structs import asdict, replace

from mqtt_bridge.cloud import mailing, verdicts
from mqtt_bridge.cloud.aftermath import fact_of, payment_of
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.catching_up import caught_up
from mqtt_bridge.cloud.concerned import answers_for, tell
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.records import Cloud, Device, Order, Ticket, Verification, VerificationWord
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import OrderRefused, OrderVerified, TicketsWithdrawn, VerificationMoved
from mqtt_bridge.protocol.topics import CLOUD

WORDS_AT_ONCE = 200
NOT_VERIFIED = "not-verified"


@dataclass(frozen=True)
class Settled:
    """How many words were taken, and how many orders were decided; ``after``: others may wait behind this one, 0 where none do."""

    words: int
    decided: int
    after: int = 0


def settle(rows: Rows, catalogues: Catalogues, limits: mailing.Limits, wall_ms: int, after: int = 0) -> Settled:
    """Apply the oldest words behind ``after``. Those of devices that still have to tell something after a restore wait for it.

    All words of such a device stay, so those of one order are never taken out of their order.
    """
    words = rows.after(VerificationWord, (after,), WORDS_AT_ONCE)
    if not words:
        return Settled(0, 0)
    work = Work(rows)
    named = _named(work, words)
    issuers = sorted({each.device for each in named.values()})
    work.of(Device).lock("name", issuers, Lock.CHANGE)
    work.of(Verification).lock("order_id", sorted(named), Lock.CHANGE)
    ready = caught_up(work, issuers)
    work.fetch((kind, column, order) for order in named for kind, column in ((Order, "id"), (Ticket, "order_id")))
    desk = _Desk(work, catalogues, limits, wall_ms)
    taken = 0
    for word in words:
        row = work.of(Verification).get(_order_of(word, named))
        if row is not None and row.device not in ready:
            continue
        taken += 1
        work.of(VerificationWord).remove(work.of(VerificationWord).get(word.id) or word)
        if row is not None:
            desk.take(row, word)
    desk.tell()
    work.write()
    return Settled(taken, desk.decided, words[-1].id if len(words) == WORDS_AT_ONCE else 0)


def _named(work: Work, words: Iterable[VerificationWord]) -> dict[str, Verification]:
    """Return the verifications these words are about, by order."""
    sheet = work.rows
    orders = sorted({each.order_id for each in words if each.order_id})
    links = sorted({each.detail for each in words if each.word == "link" and each.detail})
    found = sheet.find(Verification, ("order_id",), [(each,) for each in orders])
    found += sheet.find(Verification, ("link_digest",), [(each,) for each in links])
    return {each.order_id: each for each in found}


def _order_of(word: VerificationWord, named: dict[str, Verification]) -> str:
    if word.word != "link":
        return word.order_id
    return next((each.order_id for each in named.values() if each.link_digest == word.detail), "")


class _Desk:
    """One transaction's decisions."""

    def __init__(self, work: Work, catalogues: Catalogues, limits: mailing.Limits, wall_ms: int) -> None:
        self.decided = 0
        self._work = work
        self._catalogues = catalogues
        self._post = Forwarder(work, lambda _session: None)
        self._mails = mailing.Mails(work, limits, wall_ms, self._salt())
        self._wall_ms = wall_ms
        self._before: dict[str, Verification] = {}

    def take(self, row: Verification, word: VerificationWord) -> None:
        """Apply a word."""
        self._before.setdefault(row.order_id, row)
        step = verdicts.step(row, word, self._wall_ms)
        after = step.row
        if step.mail and not self._mails.add(
            after.order_id, step.mail, row.private if word.private is None else word.private
        ):
            # A mail with a verdict is a courtesy; a code that is not mailed has to be told.
            after = after if step.mail != "code" else _not_mailed(after, self._mails.why)
        if after != row:
            self._work.of(Verification).change(row, **_changes(row, after))
        if step.verdict:
            self._decide(after, step.verdict)

    def tell(self) -> None:
        """Tell issuers how far those are that still wait."""
        for order_id, before in self._before.items():
            now = self._work.of(Verification).get(order_id)
            if now is None or now.state != "waiting" or _told(now) == _told(before):
                continue
            device = answers_for(self._work, now.device)
            if device is not None:
                self._post.send(device.name, CLOUD, _told(now))

    def _decide(self, row: Verification, verdict: str) -> None:
        order = self._work.of(Order).get(row.order_id)
        if order is None or order.status != "pending":
            return
        self.decided += 1
        tickets = self._work.of(Ticket).where("order_id", order.id)
        sessions = {each.event_session for each in tickets}
        order = self._work.of(Order).change(order, status="confirmed" if verdict == "verified" else "refused")
        if verdict == "verified":
            tell(self._work, order, sessions, OrderVerified(order.id, row.decided_by), self._catalogues)
            return
        refused = OrderRefused(order.id, row.refusal)  # type: ignore[arg-type]  # written by ``verdicts``
        tell(self._work, order, sessions, refused, self._catalogues)
        if answers_for(self._work, order.issuer) is None:
            # Nobody is left who would ask the doors to void the tickets.
            valid = tuple(fact_of(each) for each in tickets if each.state == "valid")
            gone = TicketsWithdrawn(order.id, order.code, order.issuer, payment_of(order), valid, NOT_VERIFIED)
            tell(self._work, order, sessions, gone, self._catalogues)

    def _salt(self) -> str:
        cloud = self._work.of(Cloud).get(1)
        return "" if cloud is None else cloud.inc


def _told(row: Verification) -> VerificationMoved:
    return VerificationMoved(row.order_id, row.waits_for, row.news, row.tries_left)  # type: ignore[arg-type]  # as above


def _not_mailed(row: Verification, why: str) -> Verification:
    return replace(row, news=why)


def _changes(before: Verification, after: Verification) -> dict[str, object]:
    was = asdict(before)
    return {name: value for name, value in asdict(after).items() if value != was[name]}
