"""The box a use case works in (``Box``) and one transaction of it (``Unit``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from appliance.domain.clock import Now
from appliance.domain.errors import Refusal
from appliance.domain.printing import Printable, encode
from appliance.store import codes, documents, jobs, records
from appliance.store.device import DeviceRow
from appliance.store.device import load as load_device
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox import sender
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol import ids
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import Signer
from mqtt_bridge.protocol.messages import HardwareState, Private, Uplink
from mqtt_bridge.protocol.topics import CLOUD

T = TypeVar("T")
_CODE_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this device is, from its settings."""

    org: str
    venue: str
    device: str


class DeviceSigner(Signer, Protocol):
    """Signs receipts and messages, and knows the raw 32-byte public key that verifies them."""

    @property
    def public(self) -> bytes:
        """The public key."""
        ...


class CommitAndRaise(Exception):
    """Ends a use case with a refusal whose own rows (attempts, audit) must stay."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


@dataclass(frozen=True)
class Box:
    """Everything a use case needs, built once by bootstrap.

    ``random(n)`` returns n random bytes; ``wake("bridge" | "desk")`` is called after COMMIT returned; ``has_room`` tells whether the
    disk has room for new promises, ``system`` what image and program run here, where anybody is told of it.
    """

    database: Database
    clock: Callable[[], Now]
    random: Callable[[int], bytes]
    signer: DeviceSigner
    identity: Identity
    wake: Callable[[str], None] = lambda _whom: None
    has_room: Callable[[], bool] = lambda: True
    system: Callable[[Now], HardwareState | None] = lambda _now: None
    documents: documents.Cache = field(default_factory=documents.Cache)

    def run(self, use_case: Callable[[Unit], T]) -> T:
        """Run one use case in one write transaction: returning commits, raising rolls back; wakes follow the COMMIT."""
        units: list[Unit] = []
        deferred: list[Refusal] = []

        def attempt(db: Connection) -> T | None:
            units[:], deferred[:] = [Unit(self, db)], []
            answer = None
            try:
                answer = use_case(units[0])
            except CommitAndRaise as stop:
                deferred.append(stop.refusal)
            units[0].finish()
            return answer

        answer = self.database.run(attempt)
        for whom in sorted(units[0].wakes):
            self.wake(whom)
        if deferred:
            raise deferred[0]
        return answer  # type: ignore[return-value]  # None only where a refusal was raised above

    def look(self, query: Callable[[Unit], T]) -> T:
        """Answer a query from one consistent snapshot; writing raises."""
        with self.database.read() as db:
            return query(Unit(self, db))


class Unit:
    """One transaction, with the time it happens at and the facts every use case needs."""

    def __init__(self, box: Box, db: Connection) -> None:
        self.box = box
        self.db = db
        self.mail = SqlMail(db)
        self.now: Now = box.clock()
        self.identity = box.identity
        self.wakes: set[str] = set()
        # The cloud was asked for more stock in vain: what is provisional may now be requested.
        self.asked = False
        self._last: list[Callable[[Unit], None]] = []
        self.device: DeviceRow = load_device(db)

    @property
    def inc(self) -> str:
        """This life of the device's database."""
        return self.device.inc

    @property
    def catalogue(self) -> Catalogue:
        """What is on sale, decoded once per version and process."""
        return self.box.documents.get(self.db, self.device.catalogue_version)

    def reload(self) -> None:
        """Read the device row again after this transaction changed it."""
        self.device = load_device(self.db)

    def at_end(self, work: Callable[[Unit], None]) -> None:
        """Have ``work`` done once, in this very transaction, after everything else."""
        if work not in self._last:
            self._last.append(work)

    def finish(self) -> None:
        """Do what was put off to the end; ``Box.run`` calls this before COMMIT."""
        while self._last:
            self._last.pop(0)(self)

    def emit(self, body: Uplink, private: Private | None = None) -> int:
        """Put a message for the cloud into the outbox of this very transaction; return its seq."""
        self.wakes.add("bridge")
        return sender.enqueue(
            self.mail,
            CLOUD,
            self.inc,
            body,
            signer=self.box.signer,
            org=self.identity.org,
            sender=self.identity.device,
            origin=self.identity.device,
            wall_ms=self.now.wall_ms,
            private=private,
        )

    def next_seq(self) -> int:
        """The seq the next ``emit`` of this transaction will get."""
        return self.mail.last_seq(CLOUD, self.inc) + 1

    def print(self, kind: str, document: Printable, reprint_of: int | None = None) -> int:
        """Queue a print job; the desk is woken after COMMIT."""
        self.wakes.add("desk")
        return jobs.add(self.db, kind, encode(document), self.now, reprint_of)

    def audit(self, who: str, action: str, subject: str = "", detail: str = "") -> None:
        """Write down who did what; never names, contacts or tokens."""
        records.add_audit(self.db, self.now.wall_ms, who, action, subject, detail)

    def secret(self) -> str:
        """A fresh 128-bit id."""
        return ids.secret(self.box.random(ids.SECRET_BYTES))

    def code(self) -> str:
        """A fresh readable code that no hold, order or ticket here has."""
        for _ in range(_CODE_ATTEMPTS):
            code = ids.code(self.box.random(5))
            if not codes.taken(self.db, code):
                return code
        msg = "no unused code was found; the random source repeats itself"
        raise RuntimeError(msg)
