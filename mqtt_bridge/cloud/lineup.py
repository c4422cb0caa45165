"""The one line of a quota while it is planned: everybody who waits, and which device answers for each.

Changed only under the quota's lock: what passed by an entry, its rounds, and to whom it is entrusted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mqtt_bridge.cloud.allocation import DeviceFacts
from mqtt_bridge.cloud.lines import LinePlan, Standing, serve_line
from mqtt_bridge.cloud.records import Device, Entry, Line
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol import waitlist
from mqtt_bridge.protocol.messages import InLine, WaitlistEntrusted, Wish
from mqtt_bridge.protocol.waitlist import MOST_PER_QUOTA, OPEN, Waiting

# Entries that a device takes over stand before its own, in the order of the line.
ENTRUSTED = -(2**40)


@dataclass
class Lineup:
    """The line of a quota while it is planned; ``letters`` entrust entries to devices."""

    work: Work
    entries: list[Entry]
    devices: Mapping[str, Device]
    wall_ms: int
    letters: list[tuple[str, WaitlistEntrusted]] = field(default_factory=list)

    def standing(self) -> list[Standing]:
        """Everybody who waits, in order."""
        return [
            Standing(each.device, _waiting(each, self.devices, self.wall_ms))
            for each in self.entries
            if each.state == "waiting"
        ]

    def change(self, entry: Entry, **values: object) -> None:
        """Change an entry in its place."""
        changed = self.work.of(Entry).change(entry, **values)
        self.entries[self.entries.index(entry)] = changed


def _waiting(entry: Entry, devices: Mapping[str, Device], wall_ms: int) -> Waiting:
    device = devices.get(entry.device)
    reachable = device is not None and device.live(wall_ms) and device.inc == entry.inc
    return Waiting(entry.entry, entry.quantity, True, reachable, entry.rounds, entry.passed)


def line_of(work: Work, quota: str, stock: Iterable[Line], devices: Mapping[str, Device], wall_ms: int) -> Lineup:
    """Return the line of a quota, with entries entrusted where their device cannot answer for them; needs the quota's lock."""
    everybody = work.of(Entry).where("quota", quota)
    entries = sorted(
        (each for each in everybody if each.state in OPEN or not each.counted), key=lambda each: each.place
    )
    if not entries:
        return Lineup(work, [], devices, wall_ms)
    taken = sum(each.quantity for each in everybody if each.state == "taken")
    sold_to_others = sum(each.sold + each.confirmed for each in stock) - taken
    line = Lineup(work, entries, devices, wall_ms)
    for entry in [each for each in entries if each.state in OPEN]:
        _entrust(line, entry)
    _count_offers(line)
    _count_sales(line, sold_to_others)
    return line


def _entrust(line: Lineup, entry: Entry) -> None:
    """Give an entry to the device that answers for its venue now, or back to one that began a new life without it."""
    owner = line.devices.get(entry.device)
    if owner is not None and owner.status == "sealed":
        owner = _heir(line, owner)
    if owner is None or owner.inc is None or (owner.name == entry.device and owner.inc == entry.inc):
        return
    if (entry.device, entry.entrusted) == (owner.name, owner.inc):
        return
    number = entry.number if owner.name == entry.device else ENTRUSTED + entry.place
    letter = WaitlistEntrusted(entry.entry, entry.quota, number, wishes_of(entry), entry.joined_at_ms)
    line.letters.append((owner.name, letter))
    state = entry.state if owner.name == entry.device else "waiting"
    line.change(entry, device=owner.name, number=number, state=state, entrusted=owner.inc, inc=_unless(owner, entry))


def _heir(line: Lineup, lost: Device) -> Device | None:
    """Who answers for a sealed device: whoever was named, else its venue's door, else any device there."""
    live = (each for each in line.devices.values() if each.status == "live")
    heirs = [each for each in live if each.name == lost.answered_by or each.venue == lost.venue]
    return min(heirs, key=lambda each: (each.name != lost.answered_by, not each.door, each.name), default=None)


def _unless(owner: Device, entry: Entry) -> str:
    """The life in which the entry was told last; none of the new owner's until it speaks of the entry itself."""
    return entry.inc if owner.name == entry.device else ""


def wishes_of(entry: Entry) -> tuple[Wish, ...]:
    """Return what an entry wants."""
    return tuple(Wish(**each) for each in json.loads(entry.wishes))


def _count_offers(line: Lineup) -> None:
    """Count each offer once, past those before it who still wait and could have been served."""
    for offered in [each for each in line.entries if not each.counted]:
        if offered.offered:
            for entry in [each for each in line.entries if each.place < offered.place and each.state == "waiting"]:
                if _waiting(entry, line.devices, line.wall_ms).reachable:
                    line.change(entry, passed=entry.passed + offered.quantity)
        if offered.offered or offered.state not in OPEN:
            line.change(offered, counted=True)
    line.entries = [each for each in line.entries if each.state in OPEN]


def _count_sales(line: Lineup, sold: int) -> None:
    """Count what people outside the line bought past groups that could have been served; ``sold`` is their total so far."""
    for entry in [each for each in line.entries if each.state == "waiting" and each.quantity > 1]:
        if not _waiting(entry, line.devices, line.wall_ms).reachable:
            if entry.sold_from >= 0:
                line.change(entry, sold_from=-1)
        elif entry.sold_from != sold:
            gone_by = max(0, sold - entry.sold_from) if entry.sold_from >= 0 else 0
            line.change(entry, passed=entry.passed + gone_by, sold_from=sold)


def plan_line(line: Lineup, pool: int, devices: list[DeviceFacts]) -> LinePlan:
    """Decide what those who wait get, and note how long stock has been saved for the first who is unmet."""
    plan = serve_line(line.standing(), pool, devices)
    if _turned(line, plan):
        plan = serve_line(line.standing(), pool, devices)
    return plan


def _turned(line: Lineup, plan: LinePlan) -> bool:
    """Begin another round when stock was saved in vain for too long; tells whether that changes the plan."""
    if not plan.served.unmet:
        return False
    first = plan.served.unmet[0]
    entry = next(each for each in line.entries if each.entry == first.id)
    saved_ms = line.wall_ms - entry.since_ms
    if not plan.served.saved:
        if entry.since_ms:
            line.change(entry, since_ms=0)
    elif not entry.since_ms or saved_ms < 0:
        line.change(entry, since_ms=line.wall_ms)
    elif saved_ms >= waitlist.saving_ms(entry.rounds):
        for each in plan.served.unmet:
            unmet = next(one for one in line.entries if one.entry == each.id)
            line.change(unmet, rounds=unmet.rounds + 1, passed=0, since_ms=0)
        return True
    return False


def told_line(entries: Iterable[Entry], devices: Mapping[str, Device], to: str, wall_ms: int) -> tuple[InLine, ...]:
    """Return the line as a device is told it, from its head, in full."""
    line = []
    for each in sorted(entries, key=lambda one: one.place):
        waiting = _waiting(each, devices, wall_ms)
        number = each.number if each.device == to else 0
        line.append(InLine(number, each.quantity, each.rounds, each.passed, waiting.reachable))
    return tuple(line)


def cut(line: tuple[InLine, ...]) -> tuple[tuple[InLine, ...], int]:
    """Return the part of a line that travels, and how many stand behind it."""
    return line[:MOST_PER_QUOTA], max(0, len(line) - MOST_PER_QUOTA)
