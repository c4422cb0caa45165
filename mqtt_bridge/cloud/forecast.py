"""The guesses of one plan: every device's demand and outages as of now, from the rows. Sizes grants, decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mqtt_bridge.cloud.estimates import Demand, usual_outage_h, usual_rate
from mqtt_bridge.cloud.records import Device, Line
from mqtt_bridge.protocol.catalogue import EventSession
from mqtt_bridge.protocol.moments import HOUR_MS


class Guess(NamedTuple):
    """Tickets per hour (None: not known) and hours of the next outage."""

    rate: float | None
    outage_h: float


def forecast(devices: Iterable[Device], lines: Mapping[tuple[str, int], Line], wall_ms: int) -> dict[str, Guess]:
    """Return the guess of each device from the allocations of one quota by (device, epoch)."""
    here = list(devices)
    demands = [_demand(each, lines.get((each.name, each.epoch)), wall_ms) for each in here]
    outages = [each.outage_memory for each in here]
    usual, usual_h = usual_rate(demands), usual_outage_h(outages, wall_ms)
    return {
        each.name: Guess(demand.rate(usual), outage.expected_h(usual_h))
        for each, demand, outage in zip(here, demands, outages, strict=True)
    }


def _demand(device: Device, line: Line | None, wall_ms: int) -> Demand:
    """That a device which can be heard says nothing is news too."""
    if line is None:
        return Demand()
    return line.demand.look(line.sold, wall_ms, dry=line.available == 0) if device.live(wall_ms) else line.demand


def inherited(lines: Iterable[Line], device: str, wall_ms: int) -> Demand:
    """Return the demand a device's new allocation begins with: that of its latest earlier epoch."""
    earlier = [each for each in lines if each.device == device]
    return max(earlier, key=lambda each: each.epoch).demand.inherited(wall_ms) if earlier else Demand(as_of_ms=wall_ms)


def hours_left(at: EventSession | None, wall_ms: int) -> float | None:
    """Hours until the sale of a session ends, by the cloud's clock; None if no catalogue names it."""
    if at is None:
        return None
    ends_at_ms = at.ends_at_ms if at.sale_closes_at_ms is None else at.sale_closes_at_ms
    return (ends_at_ms - wall_ms) / HOUR_MS
