"""What a quota's waitlist asks of the plan: a pure decision from figures, made before ordinary grants.

Those who are due (``protocol.waitlist``, over all stock that can be reached) are served where they joined: from what their device
has free, else from the pool, else from what others have free and nobody in line is due. What is left is for ordinary grants.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from mqtt_bridge.cloud.allocation import DeviceFacts, Grant, Recall
from mqtt_bridge.protocol.waitlist import Served, Waiting, serve


@dataclass(frozen=True)
class Standing:
    """An entry in line and the device it joined at."""

    device: str
    waiting: Waiting


@dataclass
class LinePlan:
    """``grants`` by device for those who are due, ``recalls`` of stock that is missing for them.

    ``pool`` is left for ordinary grants; ``devices`` are the facts for planning those: what is due or saved counts as held.
    """

    served: Served
    pool: int
    devices: list[DeviceFacts]
    grants: dict[str, int] = field(default_factory=dict)
    recalls: list[Recall] = field(default_factory=list)

    @property
    def steps(self) -> list[Grant | Recall]:
        """What to do for those who are due."""
        grants = [Grant(device, quantity) for device, quantity in sorted(self.grants.items()) if quantity]
        return [*grants, *self.recalls]


def serve_line(line: Iterable[Standing], pool: int, devices: Iterable[DeviceFacts]) -> LinePlan:
    """Decide what the line gets of the ``pool`` and of the live devices' free stock."""
    line, devices = tuple(line), list(devices)
    free = {each.name: each.totals.available(each.held) for each in devices if each.live}
    served = serve((each.waiting for each in line), pool + sum(free.values()))
    plan = LinePlan(served, pool, devices)
    at = {each.waiting.id: each.device for each in line}
    missing = _grant(plan, [(at[each.id], each.quantity) for each in served.offers], free)
    _recall(plan, missing, free)
    plan.pool = min(plan.pool, served.spare)
    plan.devices = _for_others(devices, free, served)
    return plan


def _grant(plan: LinePlan, due: Iterable[tuple[str, int]], free: dict[str, int]) -> int:
    """Cover each due entry from its device, then the pool; return what is missing. ``free`` keeps what nobody is due."""
    missing = 0
    for device, quantity in due:
        own = min(free.get(device, 0), quantity)
        free[device] = free.get(device, 0) - own
        given = min(quantity - own, plan.pool)
        plan.pool -= given
        if given == quantity - own:
            plan.grants[device] = plan.grants.get(device, 0) + given
        else:  # kept in the pool until the rest has come back: half a group is of no use to anybody
            missing += quantity - own - given
    return missing


def _recall(plan: LinePlan, missing: int, free: Mapping[str, int]) -> None:
    """Ask for what is missing, first those who have most that nobody is due; what is on its way need not be asked for."""
    donors = sorted(
        (each for each in plan.devices if free.get(each.name)), key=lambda each: (-free[each.name], each.name)
    )
    needed = missing - sum(min(each.returning, free[each.name]) for each in donors)
    for each in donors:
        asked = min(needed, free[each.name] - min(each.returning, free[each.name]))
        if asked > 0:
            plan.recalls.append(Recall(each.name, each.totals.returned + each.returning + asked))
            needed -= asked


def _for_others(devices: Iterable[DeviceFacts], free: Mapping[str, int], served: Served) -> list[DeviceFacts]:
    """Return the facts as ordinary planning may use them: while somebody is unmet, nothing free is moved to others."""
    facts = []
    for each in devices:
        left = 0 if served.unmet else free.get(each.name, 0)
        kept = each.totals.available(each.held) - left if each.live else 0
        facts.append(replace(each, held=each.held + kept))
    return facts
