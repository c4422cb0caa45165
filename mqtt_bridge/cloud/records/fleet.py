"""The cloud itself, its devices, what they said and what is to be said to them."""

from __future__ import annotations

import json
from typing import ClassVar

from mqtt_bridge.cloud.estimates import Outages
from mqtt_bridge.cloud.records.base import Record
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import HardwareReport
from mqtt_bridge.protocol.running import Running, running_of

# A device says something every two seconds; after this it counts as away even before the broker noticed.
SILENT_MS = 10_000
# What was sent this long before the last word was not overtaken: its device's clock was set back, and on that no stock depends.
OVERTAKEN_MS = 60_000


def outage_columns(outages: Outages) -> dict[str, float]:
    """The columns of a device that hold its outages."""
    return {"outages": outages.count, "outage_hours": outages.hours, "down_since_ms": outages.down_since_ms}


class Cloud(Record, frozen=True):
    """The one row of the cloud itself."""

    TABLE: ClassVar[str] = "cloud"

    id: int
    generation: int
    inc: str
    catalogue_version: int
    keys_revision: int
    frozen: str
    restoring: bool = False


class Device(Record, frozen=True):
    """One registered device and its present life."""

    TABLE: ClassVar[str] = "device"
    KEY: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    venue: str
    status: str
    door: bool
    registered_at_ms: int
    inc: str | None = None
    epoch: int = 0
    told_to_stop: str | None = None
    link_up: bool = False
    last_seen_ms: int | None = None
    status_sent_ms: int = 0
    unsynced: int = 0
    oldest_unsynced_ms: int = 0
    clock_trusted: bool = False
    hardware: str = "{}"
    state_revision: int = 0
    state_urgent: str = ""
    state_digest: str = ""
    state_at_ms: int = 0
    lost_inc: str = ""
    lost_upto: int = 0
    outages: float = 0.0
    outage_hours: float = 0.0
    down_since_ms: int = 0
    generation: int = 0
    answered_by: str = ""
    health: str = ""
    older_inc: str = ""
    older_since_ms: int = 0

    @property
    def outage_memory(self) -> Outages:
        """What its next outage is guessed from."""
        return Outages(self.outages, self.outage_hours, self.down_since_ms)

    @property
    def stopped(self) -> bool:
        """Whether its present life may not go on."""
        return self.inc is not None and self.inc == self.told_to_stop

    def overtaken(self, sent_at_ms: int) -> bool:
        """Whether a word sent then arrives after a later one."""
        return 0 < self.status_sent_ms - sent_at_ms <= OVERTAKEN_MS

    def present(self, wall_ms: int) -> bool:
        """Whether it can be talked to right now; ``samples`` asks the same in SQL."""
        return self.link_up and self.last_seen_ms is not None and wall_ms - self.last_seen_ms < SILENT_MS

    def live(self, wall_ms: int) -> bool:
        """Whether stock may be granted to it now."""
        return self.status == "live" and not self.stopped and self.present(wall_ms)

    def hardware_states(self) -> dict[str, str]:
        """State by hardware name, as told last."""
        states: dict[str, str] = json.loads(self.hardware)
        return states

    def hardware_report(self) -> HardwareReport | None:
        """What it last said of its hardware at length; None if it never did."""
        return decode(self.health.encode(), HardwareReport) if self.health else None

    def running(self) -> Running | None:
        """What image and program it last said that it runs; None if it never did."""
        return running_of(self.hardware_report())


class Life(Record, frozen=True):
    """An incarnation of a device and the epoch of its stock."""

    TABLE: ClassVar[str] = "incarnation"
    KEY: ClassVar[tuple[str, ...]] = ("device", "inc")

    device: str
    inc: str
    epoch: int
    since_ms: int
    due_upto: int = 0


class Key(Record, frozen=True):
    """A public key of a device."""

    TABLE: ClassVar[str] = "device_key"
    KEY: ClassVar[tuple[str, ...]] = ("kid",)

    kid: str
    device: str
    public: str
    retired: bool
    revoked: bool
    added_at_ms: int


class StaffBadge(Record, frozen=True):
    """A badge that was issued to a member of staff; ``public`` is the key that signed it."""

    TABLE: ClassVar[str] = "staff_badge"
    KEY: ClassVar[tuple[str, ...]] = ("serial",)

    serial: str
    badge: str
    public: str
    issued_at_ms: int
    issued_by: str
    revoked_at_ms: int | None = None
    revoked_by: str = ""


class Stream(Record, frozen=True):
    """How far a device's messages were applied."""

    TABLE: ClassVar[str] = "inbox"
    KEY: ClassVar[tuple[str, ...]] = ("peer", "inc")

    peer: str
    inc: str
    upto: int
    updated_at_ms: int


class Early(Record, frozen=True):
    """A message that arrived before its predecessors."""

    TABLE: ClassVar[str] = "inbox_early"
    KEY: ClassVar[tuple[str, ...]] = ("peer", "inc", "seq")

    peer: str
    inc: str
    seq: int
    envelope: bytes


class Applied(Record, frozen=True):
    """What was applied under a number."""

    TABLE: ClassVar[str] = "applied"
    KEY: ClassVar[tuple[str, ...]] = ("device", "inc", "seq")

    device: str
    inc: str
    seq: int
    sha256: str
    kind: str
    at_ms: int
    content: bytes | None


class Parked(Record, frozen=True):
    """A fact that cannot be forwarded yet."""

    TABLE: ClassVar[str] = "parked"
    SERIAL: ClassVar[str | None] = "id"

    about: str
    device: str
    body: bytes
    private: bytes | None
    id: int


class Letter(Record, frozen=True):
    """A message to a device, committed with what caused it and not numbered yet."""

    TABLE: ClassVar[str] = "letter"
    SERIAL: ClassVar[str | None] = "id"

    device: str
    origin: str
    body: bytes
    private: bytes | None
    id: int


class Member(Record, frozen=True):
    """A reconciler and its heartbeats."""

    TABLE: ClassVar[str] = "member"

    id: str
    beat: int
