"""One town, made from a seed: run it, and it is told what breaks; afterwards all is mended and everything must be right."""

from __future__ import annotations

import random
from collections import Counter

from mqtt_bridge.protocol.catalogue import Catalogue, Event, EventSession, Quota, TicketType, Venue
from tests.simulation.centre import Centre
from tests.simulation.clock import EPOCH_MS, Time
from tests.simulation.device import Device
from tests.simulation.guards import Guards
from tests.simulation.guests import LIMITS, Guests
from tests.simulation.keys import Key
from tests.simulation.network import Network
from tests.simulation.truth import Truth

VENUES = ("hall", "yard", "barn", "mill")
ON_REQUEST = ("b",)
HOSTS = {"a": "hall", "b": "yard", "c": "barn"}
DEVICES_PER_VENUE = 2
GUESTS = 420
STORM_MS = 70_000
PATIENCE_MS = 240_000


def catalogue(limits: dict[str, int]) -> Catalogue:
    """Three dates with a quota each, hosted by three of the venues."""
    sessions = tuple(
        EventSession(
            f"s-{quota}",
            quota,
            HOSTS[quota],
            EPOCH_MS,
            EPOCH_MS + 86_400_000,
            "Europe/Berlin",
            (Quota(quota, quota, limit),),
            (TicketType(f"t-{quota}", "Seat", quota, 1000, "EUR", "provisional" if quota in ON_REQUEST else "strict"),),
        )
        for quota, limit in limits.items()
    )
    places = tuple(Venue(each, each.title(), "") for each in VENUES)
    return Catalogue(1, places, (Event("e", "night", "One Night", "", sessions),), LIMITS)


class World:
    """Everything of one run. ``story`` is kept if ``telling``; ``largest`` is the most that a quota may have at first."""

    def __init__(self, seed: int, guards: Guards | None = None, *, telling: bool = False, largest: int = 260) -> None:
        self.seed = seed
        self.guards = guards or Guards()
        self.rng = random.Random(seed)
        self.telling = telling
        self.story: list[str] = []
        self.happened: Counter[str] = Counter()
        self.closing = False
        self.sealed: set[str] = set()
        self.time = Time()
        self.network = Network(self.time, random.Random(f"{seed} network"))
        self.cloud_key = Key.of("cloud")
        limits = {quota: self.rng.randint(90, largest) for quota in HOSTS}
        self.quota_ids = list(limits)
        self.catalogue = catalogue(limits)
        self.truth = Truth(self)
        for quota, limit in limits.items():
            self.truth.limit_changed(quota, limit)
        self.devices: list[Device] = []
        self.doors: dict[str, Device] = {}
        self._make_devices()
        self.centre = Centre(self)
        self.centre.open(
            self.catalogue,
            {each.name: (each.identity.venue, self.doors[each.identity.venue] is each) for each in self.devices},
        )
        self.guests = Guests(self)

    def _make_devices(self) -> None:
        for venue in VENUES:
            for number in range(1, DEVICES_PER_VENUE + 1):
                name = f"{venue}-{number}"
                device = self.guards.device(self, name, venue, f"board of {name}")
                self.devices.append(device)
                self.doors.setdefault(venue, device)
        self.rng.shuffle(self.devices)

    def door_of(self, event_session: str) -> Device:
        """The device that decides about a date."""
        return self.doors[self.catalogue.event_session[event_session].at.venue]

    # --- telling

    def tell(self, who: str, what: str) -> None:
        """Add a line to the story."""
        if self.telling:
            self.story.append(f"{self.time.now_ms / 1000:9.3f} s  {who:<14} {what}")

    def fault_happened(self, kind: str) -> None:
        """Count a fault that really took effect."""
        self.happened[kind] += 1

    # --- a run

    def start(self) -> None:
        """Switch everything on."""
        self.centre.processes[0].start()
        for device in self.devices:
            self.time.after(self.rng.randint(0, 500), device.boot)

    def pass_time(self, wait_ms: int) -> None:
        """Let things happen for a while."""
        until_ms = self.time.now_ms + wait_ms
        while self.time.step(until_ms):
            pass
