"""Merge what a device counts into its own allocations: no other device's rows are touched, and no quota is locked.

``sold``, ``cancelled`` and ``returned`` have one writer, the device; a return only ever enlarges the pool, so whoever grants
meanwhile, under the quota's lock, may see it or not. A contradiction freezes the quota, which does lock its row.
"""

from __future__ import annotations

from mqtt_bridge.cloud.alarms import LONGEST_SUBJECT, raise_alarm
from mqtt_bridge.cloud.books import freeze
from mqtt_bridge.cloud.closed_epochs import sealed
from mqtt_bridge.cloud.doubt import handed_back
from mqtt_bridge.cloud.records import Line, Quota, demand_columns
from mqtt_bridge.cloud.rows import Lock
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.messages import QuotaNeed, StockCount
from mqtt_bridge.protocol.stock import Totals, unsold

LARGEST = 2**31 - 1


class Counts:
    """The counting of one transaction. ``waiting`` are quotas somebody waits for, ``moved`` those worth a look soon."""

    def __init__(self, work: Work, wall_ms: int) -> None:
        self._work = work
        self._lines = work.of(Line)
        self._wall_ms = wall_ms
        self.waiting: set[str] = set()
        self.moved: set[str] = set()

    def report(self, device: str, count: StockCount, *, now: bool = False) -> None:
        """Merge a device's own totals by maximum; ``now`` says that its open holds are current too.

        Of a sealed device only what it returned is taken: its sales are counted by the cloud, ticket by ticket.
        """
        if sealed(self._work, device):
            self._hand_back(device, count)
            return
        line = self._lines.get(count.quota, device, count.epoch)
        if line is None:
            if count.totals != Totals():
                self._unknown(device, count)
            return
        told = count.totals
        if max(told.granted, told.confirmed, told.returned, told.sold, told.cancelled, count.held) > LARGEST:
            self._alarm("impossible-total", f"{device} {count.quota}", f"{device} reports {told}")
            return
        if told.granted > line.granted or told.confirmed > line.confirmed:
            ahead = f"{device} knows of {told.granted} granted at epoch {count.epoch}, these rows of {line.granted}"
            self._freeze(count.quota, f"{ahead}: restored from an old copy?")
        merged = self._merged(line, told)
        held = max(0, count.held) if now else line.held
        if merged == (line.returned, line.sold, line.cancelled) and held == line.held:
            return
        returned, sold, cancelled = merged
        dry = unsold(line.granted, returned, sold, cancelled) <= held
        demand = demand_columns(line.demand.look(sold, self._wall_ms, dry=dry))
        changed = self._lines.change(line, returned=returned, sold=sold, cancelled=cancelled, held=held, **demand)
        self._look_at(line, changed)

    def _hand_back(self, device: str, count: StockCount) -> None:
        self._lines.lock_keys([(count.quota, device, count.epoch)], Lock.CHANGE)
        line = self._lines.get(count.quota, device, count.epoch)
        if line is None:
            return
        returned = handed_back(line.totals, max(0, count.totals.returned), line.reclaimed).returned
        if returned != line.returned:
            self._lines.change(line, returned=returned)
            self.waiting.add(count.quota)

    def _look_at(self, before: Line, after: Line) -> None:
        """What came free may serve who waits; each time its stock halved a device may be due for more."""
        if after.returned > before.returned or after.cancelled > before.cancelled:
            self.waiting.add(after.quota)
        elif max(0, after.unsold - after.held).bit_length() < max(0, before.unsold - before.held).bit_length():
            self.moved.add(after.quota)

    def _unknown(self, device: str, count: StockCount) -> None:
        """Stock that these rows never granted: if the quota is ours, it may be sold twice, so nothing more is granted."""
        reason = (
            f"{device} reports {count.totals.granted} granted at epoch {count.epoch}, of which these rows know nothing"
        )
        self._alarm("unknown-allocation", f"{device} {count.quota} {count.epoch}", reason)
        if count.totals.granted > 0:
            self._freeze(count.quota, reason)

    def _merged(self, line: Line, told: Totals) -> tuple[int, int, int]:
        """Return (returned, sold, cancelled): sales are facts, a return must be covered by the grant."""
        sold, cancelled = max(line.sold, told.sold), max(line.cancelled, told.cancelled)
        returned = max(line.returned, told.returned)
        if cancelled > sold + line.confirmed:
            self._freeze(line.quota, f"{line.device} cancelled {cancelled} of {sold} sold at epoch {line.epoch}")
            cancelled = max(line.cancelled, min(cancelled, sold + line.confirmed))
        left = unsold(line.granted, returned, sold, cancelled)
        if left < 0:
            self._freeze(line.quota, f"{line.device} sold or returned {-left} more than granted at epoch {line.epoch}")
            returned = min(returned, max(line.returned, returned + left))
        return returned, sold, cancelled

    def ask(self, device: str, epoch: int, need: QuotaNeed) -> None:
        """Remember a request as the ``granted`` total it asks for: repeating it asks for nothing more."""
        self.report(device, need.stock, now=True)
        quota = self._work.of(Quota).get(need.quota)
        if quota is None or need.wanted <= 0 or (need.stock.quota, need.stock.epoch) != (need.quota, epoch):
            return
        line = self._lines.get(quota.id, device, epoch) or self._lines.add(Line(quota.id, device, epoch))
        known = min(need.stock.totals.granted, line.granted)
        wanted_to = max(line.wanted_to, known + min(need.wanted, quota.limit + quota.extra))
        self._lines.change(line, wanted_to=wanted_to, wanted_at_ms=self._wall_ms)
        self.waiting.add(quota.id)

    def _freeze(self, quota: str, reason: str) -> None:
        found = self._work.of(Quota).get(quota)
        if found is not None:
            freeze(self._work, found, reason, self._wall_ms)

    def _alarm(self, kind: str, subject: str, detail: str) -> None:
        raise_alarm(self._work, kind, subject[:LONGEST_SUBJECT], detail, self._wall_ms)
