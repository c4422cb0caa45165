"""The rows the reconciler works with, as values: fields are columns of the table of that name, see ``tables`` for their meaning.

A record is never changed in place: ``work.Sheet.change`` makes the next version, so that a step can be undone and a
transaction in memory is a copy of dictionaries. ``KEY`` names the primary key.
"""

from __future__ import annotations

import json
from typing import ClassVar

import msgspec

from mqtt_bridge.cloud.estimates import Demand, Outages
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import HardwareReport
from mqtt_bridge.protocol.stock import Totals

# A device says something every two seconds; after this it counts as away even before the broker noticed.
SILENT_MS = 10_000


def demand_columns(demand: Demand) -> dict[str, float]:
    """The columns of an allocation that hold its demand."""
    return {
        "demand_tickets": demand.tickets,
        "demand_hours": demand.hours,
        "demand_sold": demand.sold,
        "demand_at_ms": demand.as_of_ms,
    }


def outage_columns(outages: Outages) -> dict[str, float]:
    """The columns of a device that hold its outages."""
    return {"outages": outages.count, "outage_hours": outages.hours, "down_since_ms": outages.down_since_ms}


class Record(msgspec.Struct, frozen=True, gc=False):
    """One row. ``SERIAL`` names a column that the database numbers; until it is written it holds a negative number."""

    TABLE: ClassVar[str]
    KEY: ClassVar[tuple[str, ...]] = ("id",)
    SERIAL: ClassVar[str | None] = None


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


class CatalogueVersion(Record, frozen=True):
    """A catalogue as it was imported."""

    TABLE: ClassVar[str] = "catalogue"
    KEY: ClassVar[tuple[str, ...]] = ("version",)

    version: int
    document: bytes


class Asset(Record, frozen=True):
    """An image of the catalogue."""

    TABLE: ClassVar[str] = "asset"
    KEY: ClassVar[tuple[str, ...]] = ("sha256",)

    sha256: str
    media_type: str
    body: bytes


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
    outages: float = 0.0
    outage_hours: float = 0.0
    down_since_ms: int = 0
    generation: int = 0
    answered_by: str = ""
    health: str = ""

    @property
    def outage_memory(self) -> Outages:
        """What its next outage is guessed from."""
        return Outages(self.outages, self.outage_hours, self.down_since_ms)

    @property
    def stopped(self) -> bool:
        """Whether its present life may not go on."""
        return self.inc is not None and self.inc == self.told_to_stop

    def present(self, wall_ms: int) -> bool:
        """Whether it can be talked to right now."""
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


class Quota(Record, frozen=True):
    """A limit across all venues."""

    TABLE: ClassVar[str] = "quota"

    id: str
    event_session: str
    name: str
    limit: int
    extra: int
    target: int | None = None
    retired: bool = False
    frozen: str = ""
    kept: int = 0
    kept_until_ms: int = 0
    released: int = 0
    contradicted: int = 0


class Line(Record, frozen=True):
    """An allocation: the totals of one (quota, device, epoch) and what was asked lately."""

    TABLE: ClassVar[str] = "allocation"
    KEY: ClassVar[tuple[str, ...]] = ("quota", "device", "epoch")

    quota: str
    device: str
    epoch: int
    granted: int = 0
    confirmed: int = 0
    returned: int = 0
    sold: int = 0
    cancelled: int = 0
    held: int = 0
    recall_to: int = 0
    recalled_at_ms: int = 0
    wanted_to: int = 0
    wanted_at_ms: int = 0
    demand_tickets: float = 0.0
    demand_hours: float = 0.0
    demand_sold: int = 0
    demand_at_ms: int = 0
    netted: int = 0
    reclaimed: int = 0
    known_sold: int = 0
    known_cancelled: int = 0
    remembered: int = 0

    @property
    def demand(self) -> Demand:
        """What its rate of sales is guessed from."""
        return Demand(self.demand_tickets, self.demand_hours, self.demand_sold, self.demand_at_ms)

    @property
    def available(self) -> int:
        """Tickets the device could sell now."""
        return max(0, self.unsold - self.held)

    @property
    def totals(self) -> Totals:
        """The five totals."""
        return Totals(self.granted, self.confirmed, self.returned, self.sold, self.cancelled)

    @property
    def unsold(self) -> int:
        """Tickets the device still owns, whether held or free."""
        return self.granted - self.returned - self.sold + self.cancelled


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


class Order(Record, frozen=True):
    """A booking, as told."""

    TABLE: ClassVar[str] = "orders"

    id: str
    code: str
    issuer: str
    status: str
    payment: str
    sold_by: str
    confirmed_at_ms: int


class Ticket(Record, frozen=True):
    """One admission in an order."""

    TABLE: ClassVar[str] = "ticket"

    id: str
    order_id: str
    code: str
    ticket_type: str
    event_session: str
    quota: str
    epoch: int
    price_minor: int
    currency: str
    state: str
    check_in: str | None
    replaced_by: str | None = None
    exit: str | None = None


class Payment(Record, frozen=True):
    """Money taken for an order."""

    TABLE: ClassVar[str] = "payment"

    id: str
    order_id: str
    device: str
    method: str
    amount_minor: int
    currency: str
    staff: str
    paid: bool


class CheckIn(Record, frozen=True):
    """A scan at a door; one on the way out has the verdict ``left``. ``after`` is the scan of the ticket that it follows."""

    TABLE: ClassVar[str] = "check_in"

    id: str
    device: str
    verdict: str
    reason: str | None
    ticket: str | None
    event_session: str | None
    staff: str
    at_ms: int
    undone: bool = False
    after: str | None = None


class Request(Record, frozen=True):
    """An order asked for past its device's allocation; ``place`` is its number in the queue."""

    TABLE: ClassVar[str] = "request"
    KEY: ClassVar[tuple[str, ...]] = ("place",)
    SERIAL: ClassVar[str | None] = "place"

    order_id: str
    device: str
    state: str
    refusal: str
    body: bytes
    private: bytes | None
    received_at_ms: int
    answered_at_ms: int | None
    place: int


class Asked(Record, frozen=True):
    """Tickets of a quota that an open request waits for."""

    TABLE: ClassVar[str] = "asked"
    KEY: ClassVar[tuple[str, ...]] = ("quota", "order_id")

    quota: str
    order_id: str
    quantity: int


class RequestWish(Record, frozen=True):
    """What the guest (withdraw) or an operator (confirm, refuse) wants of an open request, or that its device has it (settled)."""

    TABLE: ClassVar[str] = "request_wish"
    KEY: ClassVar[tuple[str, ...]] = ("order_id", "wish")

    order_id: str
    wish: str
    at_ms: int


class Verification(Record, frozen=True):
    """What an order that is or was pending has to prove; see ``tables``. Only ``verdicts`` changes it."""

    TABLE: ClassVar[str] = "verification"
    KEY: ClassVar[tuple[str, ...]] = ("order_id",)

    order_id: str
    device: str
    verify: str
    channel: str
    language: str
    state: str
    waits_for: str
    news: str
    proven: bool
    private: bytes | None
    salt: str
    digest: str
    tries_left: int
    codes: int
    code_at_ms: int
    link_digest: str
    standing_due_ms: int
    standing_tries: int
    refusal: str
    decided_by: str
    received_at_ms: int
    decided_at_ms: int | None


class VerificationWord(Record, frozen=True):
    """What somebody said of a verification: a device, an operator, or a job of the verifier's own."""

    TABLE: ClassVar[str] = "verification_word"
    SERIAL: ClassVar[str | None] = "id"

    order_id: str
    word: str
    detail: str
    private: bytes | None
    at_ms: int
    id: int


class Mail(Record, frozen=True):
    """A mail to a guest that waits, is under way or is over; see ``tables``."""

    TABLE: ClassVar[str] = "mail"
    SERIAL: ClassVar[str | None] = "id"

    order_id: str
    kind: str
    state: str
    reason: str
    attempts: int
    contact_digest: str
    private: bytes | None
    due_at_ms: int
    created_at_ms: int
    changed_at_ms: int
    id: int


class Parked(Record, frozen=True):
    """A fact that cannot be forwarded yet."""

    TABLE: ClassVar[str] = "parked"
    SERIAL: ClassVar[str | None] = "id"

    about: str
    device: str
    body: bytes
    private: bytes | None
    id: int


class Entry(Record, frozen=True):
    """Somebody who waits for tickets; ``place`` is the order of receipt. See ``tables``."""

    TABLE: ClassVar[str] = "waitlist"
    KEY: ClassVar[tuple[str, ...]] = ("place",)
    SERIAL: ClassVar[str | None] = "place"

    entry: str
    quota: str
    device: str
    inc: str
    number: int
    quantity: int
    wishes: str
    joined_at_ms: int
    state: str = "waiting"
    offered: bool = False
    counted: bool = False
    passed: int = 0
    rounds: int = 0
    since_ms: int = 0
    sold_from: int = -1
    entrusted: str = ""
    place: int = 0


class Letter(Record, frozen=True):
    """A message to a device, committed with what caused it and not numbered yet."""

    TABLE: ClassVar[str] = "letter"
    SERIAL: ClassVar[str | None] = "id"

    device: str
    origin: str
    body: bytes
    private: bytes | None
    id: int


class Alarm(Record, frozen=True):
    """Something for a person to look at."""

    TABLE: ClassVar[str] = "alarm"
    KEY: ClassVar[tuple[str, ...]] = ("kind", "subject")

    kind: str
    subject: str
    detail: str
    evidence: bytes | None
    count: int
    first_at_ms: int
    last_at_ms: int


class Contradiction(Record, frozen=True):
    """Tickets or orders that cannot all be right; what was decided about it is none of the reconciler's business."""

    TABLE: ClassVar[str] = "contradiction"
    KEY: ClassVar[tuple[str, ...]] = ("kind", "subject")

    kind: str
    subject: str
    detail: str
    order_id: str
    event_session: str
    tickets: str
    state: str
    count: int
    first_at_ms: int
    last_at_ms: int
    remedy: str = ""
    outcome: str = ""
    decided_by: str = ""
    decided_at_ms: int = 0


class Refund(Record, frozen=True):
    """What is paid back for a ticket."""

    TABLE: ClassVar[str] = "refund"
    KEY: ClassVar[tuple[str, ...]] = ("ticket",)

    ticket: str
    order_id: str
    amount_minor: int
    currency: str
    owed: bool
    since_ms: int


class SessionChange(Record, frozen=True):
    """A session that an operator cancelled or moved."""

    TABLE: ClassVar[str] = "session_change"
    KEY: ClassVar[tuple[str, ...]] = ("event_session",)

    event_session: str
    cancelled: bool
    notice: str
    document: bytes | None
    changed_at_ms: int
    changed_by: str


class Erasure(Record, frozen=True):
    """A request to forget a person."""

    TABLE: ClassVar[str] = "erasure"

    id: str
    order: str
    salt: str
    digest: str
    asked_at_ms: int


class ErasureDevice(Record, frozen=True):
    """What a device that was asked to forget has done."""

    TABLE: ClassVar[str] = "erasure_device"
    KEY: ClassVar[tuple[str, ...]] = ("erasure", "device")

    erasure: str
    device: str
    orders: int | None
    done_at_ms: int | None


class Member(Record, frozen=True):
    """A reconciler and its heartbeats."""

    TABLE: ClassVar[str] = "member"

    id: str
    beat: int


# Written in this order, so that transactions lock rows in one order and do not wait for each other in a circle.
class Conversion(Record, frozen=True):
    """How many phones reached a stage, as one device counted them."""

    TABLE: ClassVar[str] = "conversion"
    KEY: ClassVar[tuple[str, ...]] = ("device", "event", "experiment", "variant", "stage")

    device: str
    event: str
    experiment: str
    variant: str
    stage: str
    phones: int
    counted_at_ms: int


KINDS: tuple[type[Record], ...] = (
    Cloud,
    CatalogueVersion,
    Asset,
    Device,
    Life,
    Key,
    StaffBadge,
    Quota,
    Line,
    Stream,
    Early,
    Applied,
    Order,
    Ticket,
    Payment,
    CheckIn,
    Request,
    Asked,
    RequestWish,
    Verification,
    VerificationWord,
    Mail,
    Parked,
    Entry,
    Letter,
    Alarm,
    Contradiction,
    Refund,
    SessionChange,
    Erasure,
    ErasureDevice,
    Member,
    Conversion,
)
