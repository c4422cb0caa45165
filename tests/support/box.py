"""A real box on a real SQLite file, with a clock the test turns and a seeded random source.

``make_box(tmp_path)`` gives the venue "north", hosting tonight's session of ``example_catalogue()``, with stock granted.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.domain.client import Client
from appliance.domain.clock import HOUR_MS, Now
from appliance.services import sync
from appliance.services.box import Box, Identity, Unit
from appliance.services.startup import prepare
from appliance.store.engine import open_database
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.catalogue import (
    Catalogue,
    Event,
    EventSession,
    Limits,
    Quota,
    StaffMember,
    TicketType,
    Venue,
)
from mqtt_bridge.protocol.codec import key_id
from mqtt_bridge.protocol.messages import DeviceKey, DeviceState, Granted, KeyDirectory

ORG = "org"
START_MS = 1_800_000_000_000
SLUG = "river"
TONIGHT = ids.event_session_id(SLUG, "tonight")
AWAY = ids.event_session_id(SLUG, "away")
ROOM = ids.quota_id(SLUG, "tonight", "room")
BALCONY = ids.quota_id(SLUG, "tonight", "balcony")
HALL = ids.quota_id(SLUG, "away", "hall")
ADULT = ids.ticket_type_id(SLUG, "tonight", "Adult")
CHILD = ids.ticket_type_id(SLUG, "tonight", "Child")
SEAT = ids.ticket_type_id(SLUG, "tonight", "Balcony")
ELSEWHERE = ids.ticket_type_id(SLUG, "away", "Adult")
PIN = "2468"
BADGE = "A7"


class FakeClock:
    """A clock that stands still until the test moves it."""

    def __init__(self, wall_ms: int = START_MS, *, trusted: bool = True) -> None:
        self.now = Now(wall_ms=wall_ms, boot_ms=1_000_000, boot_id="boot-1", trusted=trusted)

    def __call__(self) -> Now:
        return self.now

    def advance(self, ms: int) -> None:
        """Let time pass on both clocks."""
        self.now = replace(self.now, wall_ms=self.now.wall_ms + ms, boot_ms=self.now.boot_ms + ms)

    def reboot(self) -> None:
        """Begin another boot."""
        number = int(self.now.boot_id.removeprefix("boot-")) + 1
        self.now = replace(self.now, boot_ms=5_000, boot_id=f"boot-{number}")

    def trust(self, trusted: bool) -> None:
        """Say whether the wall clock is believed."""
        self.now = replace(self.now, trusted=trusted)


class SeededBytes:
    """Random bytes that are the same in every run of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def __call__(self, number: int) -> bytes:
        with self._lock:
            return self._random.randbytes(number)


class TestKey:
    """An Ed25519 key in memory."""

    __test__ = False

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.kid = key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        """Return the signature."""
        return self._key.sign(data)


@dataclass
class Wakes:
    """Whom the box woke, in order."""

    whom: list[str] = field(default_factory=list)

    def __call__(self, whom: str) -> None:
        self.whom.append(whom)


def example_catalogue(limits: Limits | None = None, version: int = 1, adult_minor: int = 1200) -> Catalogue:
    """One event: tonight at "north" (a room shared by adults and children, a balcony), and later at "south"."""
    room = (Quota(ROOM, "room", 25), Quota(BALCONY, "balcony", 5))
    types = (
        TicketType(ADULT, "Adult", ROOM, adult_minor, "EUR"),
        TicketType(CHILD, "Child", ROOM, 0, "EUR"),
        TicketType(SEAT, "Balcony", BALCONY, 2000, "EUR"),
    )
    tonight = EventSession(
        TONIGHT, "tonight", "north", START_MS + HOUR_MS, START_MS + 3 * HOUR_MS, "Europe/Berlin", room, types
    )
    away = EventSession(
        AWAY,
        "away",
        "south",
        START_MS + 2 * HOUR_MS,
        START_MS + 4 * HOUR_MS,
        "Europe/Berlin",
        (Quota(HALL, "hall", 10),),
        (TicketType(ELSEWHERE, "Adult", HALL, 1500, "EUR"),),
    )
    event = Event(ids.event_id(SLUG), SLUG, "Songs of the River", "An evening.", (tonight, away))
    return Catalogue(
        version=version,
        venues=(Venue("north", "North Hall", "1 North St"), Venue("south", "South Barn", "2 South St")),
        events=(event,),
        limits=limits or Limits(),
        staff=(StaffMember(BADGE, "Ada", _quick_hash(PIN)), StaffMember("S1", "Sol", "x", ("south",))),
    )


def _quick_hash(pin: str) -> str:
    """Return what is stored of a PIN, cheap to try: hundreds of tests sign in."""
    return f"scrypt$16$8$1${'00' * 16}${hashlib.scrypt(pin.encode(), salt=bytes(16), n=16, r=8, p=1, dklen=32).hex()}"


OPEN_LIMITS = Limits(
    per_hold=50,
    holds_per_client=1000,
    unpaid_per_client=10_000,
    free_per_client=10_000,
    share_per_client=1.0,
    new_clients_per_minute=10_000,
)


@dataclass(frozen=True)
class TestBox(Box):
    """A box with its test controls in reach."""

    __test__ = False

    turn: FakeClock = field(default_factory=FakeClock)
    wakes: Wakes = field(default_factory=Wakes)

    def grant(
        self, grants: Mapping[str, int], *, epoch: int = 1, revision: int | None = None, elsewhere: int = 0
    ) -> None:
        """Let the cloud grant totals, as a state of this device's incarnation."""

        def work(unit: Unit) -> None:
            number = unit.device.state_revision + 1 if revision is None else revision
            rows = tuple(Granted(quota, epoch, total, 0, elsewhere, 25) for quota, total in grants.items())
            sync.apply_state(unit, state(unit, rows, revision=number))

        self.run(work)

    def meet(self, *others: TestBox) -> None:
        """Learn the public keys of these devices and of itself."""
        keys = tuple(
            DeviceKey(each.identity.device, each.identity.venue, True, each.signer.kid, each.signer.public.hex())
            for each in (self, *others)
        )
        self.run(lambda unit: sync.apply_keys(unit, KeyDirectory(1, keys)))


def state(
    unit: Unit, grants: tuple[Granted, ...], *, revision: int, stop: bool = False, door: bool = True
) -> DeviceState:
    """Return a state for this very device and life."""
    return DeviceState(
        device=unit.identity.device,
        inc=unit.inc,
        revision=revision,
        upto=0,
        grants=grants,
        door=door,
        stop=stop,
        as_of_ms=unit.now.wall_ms,
    )


DEFAULT_GRANTS = {ROOM: 10, BALCONY: 5, HALL: 4}


@cache
def _empty_file() -> bytes:
    """A migrated, empty database: migrating each test's own would take most of its time."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        database = open_database(path)
        database.checkpoint()
        database.close()
        return path.read_bytes()


def make_box(
    folder: Path,
    *,
    venue: str = "north",
    catalogue: Catalogue | None = None,
    grants: Mapping[str, int] | None = None,
    clock: FakeClock | None = None,
    seed: int = 1,
    elsewhere: int = 5,
) -> TestBox:
    """Return the box of device ``<venue>-1`` with its database in ``folder``; ``grants={}`` gives it no stock."""
    random_bytes = SeededBytes(seed * 1000 + len(venue) + ord(venue[0]))
    identity = Identity(ORG, venue, f"{venue}-1")
    path = folder / f"{venue}.db"
    if not path.exists():
        path.write_bytes(_empty_file())
    database = open_database(path)
    signer = TestKey(random_bytes(32))
    prepare(database, identity, random_bytes, signer)
    wakes = Wakes()
    turn = clock or FakeClock()
    box = TestBox(
        database=database,
        clock=turn,
        random=random_bytes,
        signer=signer,
        identity=identity,
        wake=wakes,
        turn=turn,
        wakes=wakes,
    )
    box.run(lambda unit: sync.apply_catalogue(unit, catalogue or example_catalogue()))
    box.grant(DEFAULT_GRANTS if grants is None else grants, elsewhere=elsewhere)
    wakes.whom.clear()
    return box


def guest(name: str = "phone-1", address: str = "10.0.0.1") -> Client:
    """Return a guest's phone."""
    return Client(name, address)


def desk(badge: str = BADGE) -> Client:
    """Return staff at the desk."""
    return Client(f"staff:{badge}", "desk", kind="staff")
