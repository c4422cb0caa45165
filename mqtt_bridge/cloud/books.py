"""A quota and all its allocations, as the one place where stock is granted: only under the lock on the quota's row.

What devices themselves count is merged elsewhere (``counts``), without that lock; whoever holds it reads the allocations anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from mqtt_bridge.cloud.alarms import LONGEST_SUBJECT, raise_alarm
from mqtt_bridge.cloud.allocation import DeviceFacts, Grant, QuotaFacts, Recall, plan, stepped_limit
from mqtt_bridge.cloud.forecast import Guess, forecast, inherited
from mqtt_bridge.cloud.lineup import Lineup, line_of, plan_line
from mqtt_bridge.cloud.records import Device, Line, Quota, demand_columns
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import ReturnAllocation, WaitlistEntrusted
from mqtt_bridge.protocol.stock import pool

# How long a request is remembered, and how long a recall may take before it is asked again. Neither moves stock by itself.
WANTED_FOR_MS = 10_000
RECALL_PATIENCE_MS = 5_000
# Why a quota is frozen when a restore is confirmed and more of it is out than there is.
NOT_ALL_TOLD = (
    "more is granted or sold than these restored rows explain; it is lifted once what came back since is told again"
)


class Book:
    """A quota and its allocations, those of past epochs included; what changes here is written with the working set."""

    def __init__(self, work: Work, quota: Quota, lines: Iterable[Line]) -> None:
        self._work = work
        self.quota = quota
        self.lines = {(each.device, each.epoch): each for each in lines}

    @property
    def id(self) -> str:
        """The quota's id."""
        return self.quota.id

    @property
    def capacity(self) -> int:
        """Tickets there can be."""
        return self.quota.limit + self.quota.extra

    @property
    def pool(self) -> int:
        """Tickets that may still be granted."""
        return pool(self.quota.limit, self.quota.extra, self.lines.values())

    def kept(self, wall_ms: int) -> int:
        """Tickets of the pool that are kept for rebooking."""
        return self.quota.kept if wall_ms < self.quota.kept_until_ms else 0

    @property
    def committed(self) -> int:
        """Tickets that devices own or sold: sum(granted - returned + confirmed)."""
        return self.capacity - self.pool

    @property
    def known_sales(self) -> int:
        """Valid tickets the cloud has heard of."""
        return sum(each.totals.valid for each in self.lines.values())

    def line(self, device: str, epoch: int) -> Line | None:
        """The allocation of a device at an epoch."""
        return self.lines.get((device, epoch))

    def change(self, **values: object) -> None:
        """Change the quota's own row."""
        self.quota = self._work.of(Quota).change(self.quota, **values)

    def change_line(self, device: str, epoch: int, **values: object) -> Line:
        """Change an allocation, or begin it."""
        sheet, line = self._work.of(Line), self.lines.get((device, epoch))
        if line is None:
            line = sheet.add(Line(self.quota.id, device, epoch))
        self.lines[device, epoch] = line = sheet.change(line, **values)
        return line

    def waitlist(self, devices: Mapping[str, Device], wall_ms: int) -> Lineup:
        """Who waits for it."""
        return line_of(self._work, self.id, self.lines.values(), devices, wall_ms)

    def to_ask(
        self, recalls: Iterable[tuple[Recall, Line]], devices: Mapping[str, Device], wall_ms: int
    ) -> list[tuple[Recall, Line]]:
        """Return the recalls that need a letter: those for more than before, and those that a device has heard and can hear again.

        What it has not acknowledged yet, its outbox repeats.
        """
        asked = list(recalls)
        again = {line.device for step, line in asked if step.returned <= line.recall_to}
        present = {name for name in again if devices[name].live(wall_ms)}
        owing = self._work.rows.outboxes.owing(present, ReturnAllocation.__name__)
        return [
            (step, line) for step, line in asked if step.returned > line.recall_to or line.device in present - owing
        ]

    def freeze(self, reason: str, wall_ms: int) -> None:
        """Grant nothing more until a person has looked."""
        freeze(self._work, self.quota, reason, wall_ms)
        self.quota = self._work.of(Quota).get(self.quota.id) or self.quota


def freeze(work: Work, quota: Quota, reason: str, wall_ms: int) -> bool:
    """Freeze a quota; a reason that a person knows already freezes nothing again. Tells whether it was news."""
    news = raise_alarm(work, "quota-frozen", f"{quota.id}: {reason}"[:LONGEST_SUBJECT], reason, wall_ms)
    if news and not quota.frozen:
        work.of(Quota).change(quota, frozen=reason)
    return news


def all_books(work: Work) -> list[Book]:
    """Every quota's book."""
    lines: dict[str, list[Line]] = {}
    for line in work.of(Line).fetch_all():
        lines.setdefault(line.quota, []).append(line)
    return [Book(work, quota, lines.get(quota.id, ())) for quota in work.of(Quota).fetch_all()]


@dataclass
class Settled:
    """What planning did: devices with new grants, and letters to send."""

    granted: dict[str, int] = field(default_factory=dict)  # epoch by device
    letters: list[tuple[str, ReturnAllocation | WaitlistEntrusted]] = field(default_factory=list)


@dataclass
class Round:
    """One quota while it is planned: after its waitlist, ``left`` tickets of the pool are for everybody else.

    ``coming`` may come back from devices and is due to nobody in line.
    """

    book: Book
    facts: QuotaFacts
    devices: list[DeviceFacts]
    left: int
    coming: int


def serve_waitlist(
    book: Book, devices: Mapping[str, Device], wall_ms: int, settled: Settled, hours_left: float | None = None
) -> Round | None:
    """Check a quota, step it down and grant what is due to people in line; the caller holds its row's lock.

    Its sale ends in ``hours_left``, as far as that is known.

    None where nothing may be decided about it.
    """
    if book.quota.frozen == NOT_ALL_TOLD and book.pool >= 0:
        book.change(frozen="")
    if not _sound(book, wall_ms) or book.quota.frozen:
        return None
    if book.quota.target is not None:
        _step_down(book, book.quota.target)
    spare = max(0, book.pool - book.kept(wall_ms))
    facts = QuotaFacts(book.quota.limit, book.quota.extra, spare, book.quota.target, hours_left=hours_left)
    able = _facts(book, [each for each in devices.values() if each.status != "sealed"], wall_ms)
    line = book.waitlist(devices, wall_ms)
    settled.letters += line.letters
    waited_for = sum(each.quantity for each in line.entries)
    if book.quota.target is not None:
        # Whatever comes back lowers the limit first.
        coming = book.quota.target + book.quota.extra - book.known_sales - waited_for
        return Round(book, facts, able, 0, coming)
    coming = book.capacity - book.known_sales - book.kept(wall_ms) - waited_for
    if not line.entries:
        return Round(book, facts, able, spare, coming - spare)
    served = plan_line(line, spare, able)
    _carry_out(book, served.steps, devices, wall_ms, settled)
    return Round(book, facts, served.devices, served.pool, coming - served.pool)


def grant(
    at: Round, devices: Mapping[str, Device], wall_ms: int, settled: Settled, *, requested: int, kept: int, missing: int
) -> None:
    """Plan and debit what is left of a quota.

    ``requested`` tickets of what was left went to orders on request meanwhile; those that wait keep ``kept`` more of it from
    everybody and want ``missing`` ones back.
    """
    left = max(0, at.left - requested - kept) if at.facts.target is None else at.facts.pool
    steps = plan(replace(at.facts, pool=left, asked=missing), at.devices)
    _carry_out(at.book, steps, devices, wall_ms, settled)
    _sound(at.book, wall_ms)


def _sound(book: Book, wall_ms: int) -> bool:
    """Hold the invariant pool + sum(granted - returned + confirmed) = limit + extra with pool >= 0, or freeze."""
    if book.pool < 0:
        book.freeze(f"allocations exceed limit and extra by {-book.pool}", wall_ms)
    return book.pool >= 0


def _step_down(book: Book, target: int) -> None:
    limit = min(book.quota.limit, stepped_limit(target, book.committed, book.quota.extra))
    book.change(limit=limit, target=None if limit <= target else target)


def _carry_out(
    book: Book, steps: Iterable[Grant | Recall], devices: Mapping[str, Device], wall_ms: int, settled: Settled
) -> None:
    recalls: list[tuple[Recall, Line]] = []
    for step in steps:
        device = devices[step.device]
        line = book.line(device.name, device.epoch) or Line(book.id, device.name, device.epoch)
        if isinstance(step, Grant):
            if book.line(device.name, device.epoch) is None:
                demand = inherited(book.lines.values(), device.name, wall_ms)
                book.change_line(device.name, device.epoch, **demand_columns(demand))
            book.change_line(device.name, device.epoch, granted=line.granted + step.quantity)
            settled.granted[device.name] = device.epoch
        else:
            recalls.append((step, line))
    for step, line in book.to_ask(recalls, devices, wall_ms):
        to = max(line.recall_to, step.returned)
        book.change_line(line.device, line.epoch, recall_to=to, recalled_at_ms=wall_ms)
        settled.letters.append((line.device, ReturnAllocation(book.id, line.epoch, to)))


def _facts(book: Book, devices: list[Device], wall_ms: int) -> list[DeviceFacts]:
    guesses = forecast(devices, book.lines, wall_ms)
    return [_device_facts(book, each, guesses[each.name], wall_ms) for each in devices]


def _device_facts(book: Book, device: Device, guess: Guess, wall_ms: int) -> DeviceFacts:
    line = book.line(device.name, device.epoch) or Line(book.id, device.name, device.epoch)
    live = device.live(wall_ms)
    # An age below zero is a clock that was set back: what was asked then is over.
    waiting = not live or 0 <= wall_ms - line.recalled_at_ms < RECALL_PATIENCE_MS
    asking = 0 <= wall_ms - line.wanted_at_ms < WANTED_FOR_MS
    return DeviceFacts(
        name=device.name,
        totals=line.totals,
        held=line.held,
        live=live,
        started=line.granted > 0,
        wanted=max(0, line.wanted_to - line.granted) if asking else 0,
        recalled=max(0, line.recall_to - line.returned) if waiting else 0,
        rate=guess.rate,
        outage_h=guess.outage_h,
    )
