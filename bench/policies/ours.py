"""Ours: the cloud's own plan and estimates, fed with what a cloud hears and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from bench.policies.trace import Trace
from mqtt_bridge.cloud.allocation import DeviceFacts, Grant, QuotaFacts, plan
from mqtt_bridge.cloud.estimates import Demand, Outages, usual_outage_h, usual_rate
from mqtt_bridge.protocol.stock import Totals, pool

MINUTE_MS = 60_000
# The cloud's clock at minute 0; any other would do.
START_MS = 1_800_000_000_000
# A broken link is noticed when the keepalive runs out; until then grants and recalls are sent in vain, and arrive later.
NOTICED_AFTER_MIN = 1.0
# A recall frees stock that the next plan grants: so many plans fit into the two seconds a device waits.
ROUNDS = 4


@dataclass
class _Device:
    """A device's own totals, and what the cloud knows of it (``heard``, ``recall_to``, ``wanted_to`` and the estimates)."""

    own: Totals = field(default_factory=Totals)
    heard: Totals = field(default_factory=Totals)
    up: bool = True
    down_at: float = 0.0
    recall_to: int = 0
    wanted_to: int = 0
    demand: Demand = field(default_factory=lambda: Demand(as_of_ms=START_MS))
    outages: Outages = field(default_factory=Outages)

    @property
    def free(self) -> int:
        return self.own.available(0)


class PredictiveEscrow:
    """One cloud and its devices in one sale; messages take no time while a link is up."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.devices = [_Device() for _ in range(trace.venues)]
        self.settle(0.0)

    def link(self, minute: float, venue: int, *, up: bool) -> None:
        """On a new link the device says hello: grants and recalls that waited arrive, and its totals are told."""
        device = self.devices[venue]
        device.up = up
        device.outages = device.outages.link(_ms(minute), up=up)
        if up:
            self._exchange(device, minute)
            self.settle(minute)
        else:
            device.down_at = minute

    def sell(self, minute: float, venue: int, size: int) -> bool:
        """Sell what the device owns; with a link, ask once before refusing."""
        device = self.devices[venue]
        if device.free < size and device.up:
            device.wanted_to = device.heard.granted + size - device.free
            self.settle(minute)
            device.wanted_to = 0
        if device.free < size:
            return False
        device.own = msgspec.structs.replace(device.own, sold=device.own.sold + size)
        if device.up:
            self._exchange(device, minute)
            self.settle(minute)
        return True

    def settle(self, minute: float) -> None:
        """Plan until nothing moves."""
        for _ in range(ROUNDS):
            steps = plan(self._quota(minute), self._facts(minute))
            for step in steps:
                device = self.devices[int(step.device)]
                if isinstance(step, Grant):
                    granted = device.heard.granted + step.quantity
                    device.heard = msgspec.structs.replace(device.heard, granted=granted)
                else:
                    device.recall_to = max(device.recall_to, step.returned)
                if device.up:
                    self._exchange(device, minute)
            if not steps:
                return

    def _exchange(self, device: _Device, minute: float) -> None:
        """Grants arrive, recalled stock is debited, totals are told."""
        dry = device.free == 0
        own = msgspec.structs.replace(device.own, granted=device.heard.granted)
        returned = own.returned + own.returnable(device.recall_to - own.returned, 0)
        device.own = device.heard = msgspec.structs.replace(own, returned=returned)
        device.demand = device.demand.look(own.sold, _ms(minute), dry=dry)

    def _quota(self, minute: float) -> QuotaFacts:
        left = pool(self.trace.seats, 0, [each.heard for each in self.devices])
        return QuotaFacts(self.trace.seats, 0, left, hours_left=(self.trace.minutes - minute) / 60)

    def _facts(self, minute: float) -> list[DeviceFacts]:
        demands = [self._demand(each, minute) for each in self.devices]
        usual = usual_rate(demands)
        usual_h = usual_outage_h((each.outages for each in self.devices), _ms(minute))
        return [
            DeviceFacts(
                name=f"{venue:02}",
                totals=device.heard,
                live=self._live(device, minute),
                started=device.heard.granted > 0,
                wanted=max(0, device.wanted_to - device.heard.granted),
                recalled=max(0, device.recall_to - device.heard.returned),
                rate=self._rate(venue, demand, usual),
                outage_h=device.outages.expected_h(usual_h),
            )
            for venue, (device, demand) in enumerate(zip(self.devices, demands, strict=True))
        ]

    def _rate(self, venue: int, demand: Demand, usual: float | None) -> float | None:
        """Tickets per hour the cloud expects ``venue`` to sell; what else it could be told is tried in ``knowing``."""
        return demand.rate(usual)

    def _demand(self, device: _Device, minute: float) -> Demand:
        """That a device which can be heard says nothing is news too."""
        if not self._live(device, minute):
            return device.demand
        return device.demand.look(device.heard.sold, _ms(minute), dry=device.heard.available(0) == 0)

    @staticmethod
    def _live(device: _Device, minute: float) -> bool:
        return device.up or minute < device.down_at + NOTICED_AFTER_MIN


def _ms(minute: float) -> int:
    return START_MS + round(minute * MINUTE_MS)
