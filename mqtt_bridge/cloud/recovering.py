"""Read the log of a sealed device's old card as evidence: through the same path as its messages, so any number of times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
from sqlalchemy import Connection

from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.directory import audit
from mqtt_bridge.cloud.incoming import Incoming
from mqtt_bridge.cloud.introductions import introduce_earlier, keys_of
from mqtt_bridge.cloud.opened import Opened
from mqtt_bridge.cloud.reconcile import Batch
from mqtt_bridge.cloud.records import Device, Line, Quota
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.cloud.sealing import SealRefused
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.messages import StockCount
from mqtt_bridge.protocol.stock import Totals

MESSAGES_PER_BATCH = 100


@dataclass(frozen=True)
class Card:
    """What was read of a card: every message it had kept, as (incarnation, envelope) in order, and what it counted."""

    device: str
    messages: tuple[tuple[str, bytes], ...]
    stock: tuple[StockCount, ...] = ()
    damaged: str = ""


@dataclass(frozen=True)
class Found:
    """What a card brought: tickets that were not known, and per quota's name (in doubt before, in doubt now)."""

    messages: int
    new_tickets: int
    in_doubt: dict[str, tuple[int, int]] = field(default_factory=dict)


def recover(database: Database, card: Card, org: str, who: str, wall_ms: int, *, final: bool) -> Found:
    """Apply what a card says. ``final``: it is the card itself, and its device will never run again.

    Then what it did not sell comes back. Raises ``SealRefused`` unless the device is sealed and its key is believed.
    """
    store = SqlStore(database)
    before = store.run(lambda rows: _prepare(rows, card, wall_ms))
    catalogues, opened = Catalogues(), Opened()
    for part in _parts(card):

        def apply(rows: Rows, part: list[Incoming] = part) -> object:
            return Batch(rows, org, wall_ms, catalogues, opened, store.failures).run(part, Lock.CHANGE)

        store.run(apply)
    if final:
        store.run(lambda rows: _hand_back(rows, card))
    after = store.look(lambda rows: _standing(Work(rows), card.device))
    names = {quota for quota in before if before[quota][1] or after[quota][1]}
    found = Found(
        messages=len(card.messages),
        new_tickets=sum(after[each][2] - before[each][2] for each in before),
        in_doubt={before[each][0]: (before[each][1], after[each][1]) for each in sorted(names)},
    )

    def note(db: Connection) -> None:
        audit(db, wall_ms, who, "card read", card.device, f"{found.messages} messages, {found.new_tickets} new tickets")

    database.run(note)
    return found


Standing = dict[str, tuple[str, int, int]]


def _prepare(rows: Rows, card: Card, wall_ms: int) -> Standing:
    work = Work(rows)
    work.of(Device).lock("name", [card.device], Lock.ALONE)
    device = work.of(Device).get(card.device)
    if device is None or device.status != "sealed":
        raise SealRefused(f"device {card.device!r} is not sealed; seal it before its card is read")
    if not keys_of(work, card.device):
        raise SealRefused(f"no key of {card.device!r} is believed: it never said hello, or was sealed as stolen")
    introduce_earlier(work, device, [inc for inc, _ in card.messages], wall_ms)
    work.write()
    return _standing(Work(rows), card.device)


def _standing(work: Work, device: str) -> Standing:
    """Per quota: its name, what is in doubt of the device, and how many of its tickets are known by id."""
    found: Standing = {}
    for line in work.of(Line).where("device", device):
        quota = work.of(Quota).get(line.quota)
        name, doubt, known = found.get(line.quota, (quota.name if quota else line.quota, 0, 0))
        found[line.quota] = (name, doubt + max(0, line.unsold), known + line.known_sold)
    return found


def _parts(card: Card) -> Iterator[list[Incoming]]:
    messages = [Incoming(card.device, "msg", envelope) for _, envelope in card.messages]
    for start in range(0, len(messages), MESSAGES_PER_BATCH):
        yield messages[start : start + MESSAGES_PER_BATCH]


def _hand_back(rows: Rows, card: Card) -> None:
    """The card is all there ever will be of this device: what it counts is counted, the rest was never sold."""
    work = Work(rows)
    work.of(Line).lock("device", [card.device], Lock.CHANGE)
    told = {(each.quota, each.epoch): each.totals for each in card.stock}
    for line in work.of(Line).where("device", card.device):
        counted = _as_counted(line, told.get((line.quota, line.epoch), Totals()))
        back = max(0, counted.unsold)
        now = {"sold": counted.sold, "cancelled": counted.cancelled}
        work.of(Line).change(line, returned=line.returned + back, reclaimed=line.reclaimed + back, **now)
    work.write()


def _as_counted(line: Line, told: Totals) -> Line:
    sold, cancelled = max(line.sold, told.sold), max(line.cancelled, told.cancelled)
    return msgspec.structs.replace(line, sold=sold, cancelled=min(cancelled, sold + line.confirmed))
