"""The stock during one transaction: read by quota, merged with what devices report, planned, written back once.

The caller holds the lock on the ``cloud`` row, so figures read here stay true until COMMIT.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.alarms import raise_alarm
from mqtt_bridge.cloud.allocation import DeviceFacts, Grant, QuotaFacts, Recall, plan, stepped_limit
from mqtt_bridge.cloud.directory import Device
from mqtt_bridge.protocol.messages import QuotaNeed, ReturnAllocation, StockCount
from mqtt_bridge.protocol.stock import Totals, pool

# How long a request is remembered, and how long a recall may take before it is asked again. Neither moves stock by itself.
WANTED_FOR_MS = 10_000
RECALL_PATIENCE_MS = 5_000
LARGEST = 2**31 - 1
LONGEST_SUBJECT = 200


@dataclass
class Line:
    """An allocation: the totals of one (quota, device, epoch) and what was asked lately."""

    device: str
    epoch: int
    totals: Totals = field(default_factory=Totals)
    held: int = 0
    recall_to: int = 0
    recalled_at_ms: int = 0
    wanted_to: int = 0
    wanted_at_ms: int = 0
    stored: tuple[object, ...] | None = None

    def values(self) -> dict[str, int]:
        """The columns that change."""
        asked = ("held", "recall_to", "recalled_at_ms", "wanted_to", "wanted_at_ms")
        return msgspec.structs.asdict(self.totals) | {name: getattr(self, name) for name in asked}


@dataclass
class Book:
    """A quota and all its allocations, those of past epochs included."""

    id: str
    event_session: str
    name: str
    limit: int
    extra: int
    target: int | None
    retired: bool
    frozen: str
    lines: dict[tuple[str, int], Line] = field(default_factory=dict)
    stored: dict[str, object] = field(default_factory=dict)

    def values(self) -> dict[str, object]:
        """The columns that change while reconciling."""
        return {"limit": self.limit, "target": self.target, "frozen": self.frozen}

    @property
    def pool(self) -> int:
        """Tickets that may still be granted."""
        return pool(self.limit, self.extra, [each.totals for each in self.lines.values()])

    @property
    def committed(self) -> int:
        """Tickets that devices own or sold: sum(granted - returned + confirmed)."""
        return self.limit + self.extra - self.pool

    @property
    def known_sales(self) -> int:
        """Valid tickets the cloud has heard of."""
        return sum(each.totals.valid for each in self.lines.values())

    def line(self, device: str, epoch: int) -> Line | None:
        """The allocation of a device at an epoch."""
        return self.lines.get((device, epoch))

    def elsewhere(self, device: str) -> int:
        """Pool plus what all other devices still own: zero means sold out everywhere."""
        others = sum(max(0, each.totals.unsold) for each in self.lines.values() if each.device != device)
        return max(0, self.pool) + others


@dataclass
class Settled:
    """What planning did: devices with new grants, and recalls to send."""

    granted: set[str] = field(default_factory=set)
    recalls: list[tuple[str, ReturnAllocation]] = field(default_factory=list)


class Ledger:
    """Books of one transaction. ``frozen`` is the reason why the whole cloud grants nothing, or empty."""

    def __init__(self, db: Connection, wall_ms: int, frozen: str = "") -> None:
        self.db = db
        self.wall_ms = wall_ms
        self.frozen = frozen
        self._books: dict[str, Book | None] = {}
        self._touched: set[str] = set()
        self._complete = False

    def book(self, quota: str) -> Book | None:
        """The book of a quota, None if there is no such quota."""
        if quota not in self._books and not self._complete:
            self._read([quota])
        return self._books.get(quota)

    def books(self) -> list[Book]:
        """Every quota's book."""
        if not self._complete:
            self._read(None)
            self._complete = True
        return [each for each in self._books.values() if each is not None]

    def touch(self, quotas: Iterable[str]) -> None:
        """Have these quotas planned by ``settle``."""
        self._touched.update(quotas)

    def _read(self, quotas: list[str] | None) -> None:
        """Read books not read before; those in memory hold newer figures than the rows."""
        where = t.quota.c.id.in_(quotas) if quotas is not None else sa.true()
        fresh: dict[str, Book] = {}
        for row in self.db.execute(sa.select(t.quota).where(where)):
            if row.id not in self._books:
                fresh[row.id] = book = Book(**row._mapping)
                book.stored = book.values()
        for row in self.db.execute(sa.select(t.allocation).where(t.allocation.c.quota.in_(list(fresh)))):
            totals = Totals(row.granted, row.confirmed, row.returned, row.sold, row.cancelled)
            asked = (row.recall_to, row.recalled_at_ms, row.wanted_to, row.wanted_at_ms)
            line = Line(row.device, row.epoch, totals, row.held, *asked)
            line.stored = tuple(line.values().values())
            fresh[row.quota].lines[row.device, row.epoch] = line
        self._books.update(fresh)
        for quota in quotas or ():
            self._books.setdefault(quota, None)

    def alarm(self, kind: str, subject: str, detail: str) -> bool:
        """Put something on the list of contradictions; tells whether it is new."""
        return raise_alarm(self.db, kind, subject[:LONGEST_SUBJECT], detail, self.wall_ms)

    def freeze(self, book: Book, reason: str) -> None:
        """Grant nothing more of a quota until a person has looked; what that person knows already freezes nothing again."""
        if self.alarm("quota-frozen", f"{book.id}: {reason}", reason) and not book.frozen:
            book.frozen = reason
            self._touched.add(book.id)

    def report(self, device: str, count: StockCount, *, now: bool = False) -> None:
        """Merge a device's own totals by maximum; ``now`` says that its open holds are current too."""
        book = self.book(count.quota)
        line = book.line(device, count.epoch) if book else None
        told = count.totals
        if book is None or line is None:
            if told != Totals():
                self._unknown(device, count, book)
            return
        if max(told.granted, told.confirmed, told.returned, told.sold, told.cancelled, count.held) > LARGEST:
            self.alarm("impossible-total", f"{device} {book.id}", f"{device} reports {told}")
            return
        if told.granted > line.totals.granted or told.confirmed > line.totals.confirmed:
            ahead = (
                f"{device} knows of {told.granted} granted at epoch {count.epoch}, these rows of {line.totals.granted}"
            )
            self.freeze(book, f"{ahead}: restored from an old copy?")
        self._merge(book, line, told)
        if now:
            line.held = max(0, count.held)
        self._touched.add(book.id)

    def _unknown(self, device: str, count: StockCount, book: Book | None) -> None:
        """Stock that these rows never granted: if the quota is ours, it may be sold twice, so nothing more is granted."""
        reason = (
            f"{device} reports {count.totals.granted} granted at epoch {count.epoch}, of which these rows know nothing"
        )
        self.alarm("unknown-allocation", f"{device} {count.quota} {count.epoch}", reason)
        if book is not None and count.totals.granted > 0:
            self.freeze(book, reason)

    def _merge(self, book: Book, line: Line, told: Totals) -> None:
        """Take over the device's three totals; sales are facts, a return must be covered by the grant."""
        mine = line.totals
        sold, cancelled = max(mine.sold, told.sold), max(mine.cancelled, told.cancelled)
        returned = max(mine.returned, told.returned)
        merged = Totals(mine.granted, mine.confirmed, returned, sold, cancelled)
        if cancelled > sold + mine.confirmed:
            self.freeze(book, f"{line.device} cancelled {cancelled} of {sold} sold at epoch {line.epoch}")
            merged = msgspec.structs.replace(
                merged, cancelled=max(mine.cancelled, min(cancelled, sold + mine.confirmed))
            )
        if merged.unsold < 0:
            self.freeze(
                book, f"{line.device} sold or returned {-merged.unsold} more than granted at epoch {line.epoch}"
            )
            covered = max(mine.returned, merged.returned + merged.unsold)
            merged = msgspec.structs.replace(merged, returned=min(merged.returned, covered))
        line.totals = merged

    def ask(self, device: str, epoch: int, need: QuotaNeed) -> None:
        """Remember a request as the ``granted`` total it asks for: repeating it asks for nothing more."""
        self.report(device, need.stock, now=True)
        book = self.book(need.quota)
        if book is None or need.wanted <= 0 or (need.stock.quota, need.stock.epoch) != (need.quota, epoch):
            return
        line = book.lines.setdefault((device, epoch), Line(device, epoch))
        line.wanted_to = max(
            line.wanted_to,
            min(need.stock.totals.granted, line.totals.granted) + min(need.wanted, book.limit + book.extra),
        )
        line.wanted_at_ms = self.wall_ms
        self._touched.add(book.id)

    def settle(self, devices: Mapping[str, Device]) -> Settled:
        """Check, plan and debit every touched quota; nothing is written yet."""
        settled = Settled()
        for quota in sorted(self._touched):
            book = self.book(quota)
            if book is not None and self._sound(book) and not book.frozen and not self.frozen:
                if book.target is not None:
                    self._step_down(book)
                self._plan(book, devices, settled)
                self._sound(book)
        return settled

    def _sound(self, book: Book) -> bool:
        """Hold the invariant pool + sum(granted - returned + confirmed) = limit + extra with pool >= 0, or freeze."""
        if book.pool < 0:
            self.freeze(book, f"allocations exceed limit and extra by {-book.pool}")
        return book.pool >= 0

    @staticmethod
    def _step_down(book: Book) -> None:
        target = book.target or 0
        book.limit = min(book.limit, stepped_limit(target, book.committed, book.extra))
        book.target = None if book.limit <= target else target

    def _plan(self, book: Book, devices: Mapping[str, Device], settled: Settled) -> None:
        facts = QuotaFacts(book.limit, book.extra, book.pool, book.target)
        able = [each for each in devices.values() if each.status != "sealed"]
        for step in plan(facts, [self._facts(book, each) for each in able]):
            line = book.lines.setdefault(
                (step.device, devices[step.device].epoch), Line(step.device, devices[step.device].epoch)
            )
            if isinstance(step, Grant):
                line.totals = msgspec.structs.replace(line.totals, granted=line.totals.granted + step.quantity)
                settled.granted.add(step.device)
            elif self._must_ask(line, step, devices[step.device]):
                line.recall_to, line.recalled_at_ms = max(line.recall_to, step.returned), self.wall_ms
                settled.recalls.append((step.device, ReturnAllocation(book.id, line.epoch, line.recall_to)))

    def _facts(self, book: Book, device: Device) -> DeviceFacts:
        line = book.line(device.name, device.epoch) or Line(device.name, device.epoch)
        live = device.live(self.wall_ms)
        waiting = not live or self.wall_ms - line.recalled_at_ms < RECALL_PATIENCE_MS
        asking = self.wall_ms - line.wanted_at_ms < WANTED_FOR_MS
        return DeviceFacts(
            name=device.name,
            totals=line.totals,
            held=line.held,
            live=live,
            started=line.totals.granted > 0,
            wanted=max(0, line.wanted_to - line.totals.granted) if asking else 0,
            recalled=max(0, line.recall_to - line.totals.returned) if waiting else 0,
        )

    def _must_ask(self, line: Line, step: Recall, device: Device) -> bool:
        """A recall already under way to an absent device waits in its outbox; a present one may be asked again."""
        return step.returned > line.recall_to or device.live(self.wall_ms)

    def write(self) -> None:
        """Write what changed, and check the invariant once more on the rows themselves."""
        for quota in sorted(self._touched):
            book = self._books.get(quota)
            if book is not None:
                self._write_book(book)
                for line in book.lines.values():
                    self._write_line(quota, line)
        if self._touched:
            for row in self.db.execute(pools(self._touched)).all():
                if row.pool < 0:
                    self.alarm("quota-frozen", row.id, f"allocations exceed limit and extra by {-row.pool}")
                    frozen = sa.update(t.quota).where(t.quota.c.id == row.id, t.quota.c.frozen == "")
                    self.db.execute(frozen.values(frozen="allocations exceed limit and extra"))

    def _write_book(self, book: Book) -> None:
        if book.stored != book.values():
            self.db.execute(sa.update(t.quota).where(t.quota.c.id == book.id).values(**book.values()))
            book.stored = book.values()

    def _write_line(self, quota: str, line: Line) -> None:
        values = line.values()
        key = {"quota": quota, "device": line.device, "epoch": line.epoch}
        if line.stored is None:
            self.db.execute(sa.insert(t.allocation).values(**key, **values))
        elif line.stored != tuple(values.values()):
            row = [t.allocation.c[name] == value for name, value in key.items()]
            self.db.execute(sa.update(t.allocation).where(*row).values(**values))
        line.stored = tuple(values.values())


def pools(quotas: Iterable[str]) -> sa.Select[tuple[str, int]]:
    """Select (quota, pool) straight from the rows."""
    a = t.allocation.c
    out = sa.func.coalesce(sa.func.sum(a.granted - a.returned + a.confirmed), 0)
    joined = t.quota.outerjoin(t.allocation, a.quota == t.quota.c.id)
    columns = (t.quota.c.id, (t.quota.c.limit + t.quota.c.extra - out).label("pool"))
    return (
        sa.select(*columns)
        .select_from(joined)
        .where(t.quota.c.id.in_(sorted(quotas)))
        .group_by(t.quota.c.id, t.quota.c.limit, t.quota.c.extra)
    )
