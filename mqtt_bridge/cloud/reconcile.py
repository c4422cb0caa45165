"""Apply what devices say to the rows, in one transaction per batch.

Nothing a device says can stop its stream: what is unknown, impossible or contradictory goes to the ``alarm`` table together with
the message, and the next message is applied. Only failures of the database itself pass through, and then nothing counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import sqlalchemy as sa
import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from mqtt_bridge.cloud import directory, erasures, facts, publish
from mqtt_bridge.cloud import tables as t
from mqtt_bridge.cloud.alarms import raise_alarm
from mqtt_bridge.cloud.catalogue import current_catalogue
from mqtt_bridge.cloud.directory import CLOUD, Device, Devices
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.incoming import Incoming, NotIntroduced, Outcome, whose_state, without_private
from mqtt_bridge.cloud.ledger import Ledger
from mqtt_bridge.cloud.publish import Publication
from mqtt_bridge.cloud.routing import Fact
from mqtt_bridge.mailbox import receiver
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import Signer, decode, encode, open_envelope, public_key
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError, UnknownIssuer
from mqtt_bridge.protocol.messages import (
    Ack,
    AllocationReturned,
    Content,
    DeviceState,
    Envelope,
    ErasePersonalData,
    Hello,
    KeyPublished,
    Need,
    OfferMade,
    OfferWithdrawn,
    OrderConfirmed,
    PersonalDataErased,
    Private,
    Status,
    StockCount,
    Uplink,
    WaitlistJoined,
    WaitlistLeft,
)
from mqtt_bridge.protocol.topics import parse_up

log = structlog.get_logger("marquee.reconciler")

LARGEST_COUNT = 2**31 - 1
LONGEST_HARDWARE = 4000


class Batch:
    """Messages applied within one transaction: ``take`` each, then ``settle`` once."""

    def __init__(
        self, db: Connection, signer: Signer, org: str, wall_ms: int, catalogues: dict[int, Catalogue]
    ) -> None:
        self.db = db
        self.mail = SqlMail(db)
        self.org = org
        self.wall_ms = wall_ms
        self.cloud = directory.lock(db)
        self.devices = Devices(db)
        self.ledger = Ledger(db, wall_ms, self.cloud.frozen)
        self.outcome = Outcome()
        self.forwarder = Forwarder(db, signer, org, self.cloud.inc, wall_ms, self.devices.doors, self._venue_of)
        self._catalogues = catalogues
        self._keys: dict[str, dict[str, str]] = {}
        self._lives: dict[str, dict[str, int]] = {}
        self._digests: dict[tuple[str, str, int], str] = {}
        self._erased: list[ErasePersonalData] | None = None
        self._applied_now: set[tuple[str, str, int, str]] = set()
        self._handlers: dict[str, Callable[[Device, bytes], None]] = {
            "hello": self._hello,
            "msg": self._message,
            "status": self._status,
            "need": self._need,
            "ack": self._ack,
            "link": self._link,
            "state": self._own_state,
        }

    @property
    def catalogue(self) -> Catalogue:
        """The current catalogue, decoded once per version."""
        version = self.cloud.catalogue_version
        if version not in self._catalogues:
            self._catalogues.clear()
            self._catalogues[version] = current_catalogue(self.db)
        return self._catalogues[version]

    def take(self, incoming: Incoming) -> None:
        """Apply one publication, or list why not."""
        name, leaf = parse_up(incoming.topic, self.org) or (whose_state(incoming.topic, self.org), "state")
        device = self.devices.get(name)
        if device is None or device.status == "sealed":
            if leaf not in {"link", "state"} and incoming.payload:
                kind = "unregistered" if device is None else "sealed"
                self._alarm(
                    kind, name[:64], f"says {leaf!r} but may not speak; register it if it is yours", incoming.payload
                )
            return
        handler = self._handlers.get(leaf)
        if handler is None:
            self._alarm("malformed", name, f"unknown topic {leaf!r}", incoming.payload)
            return
        if incoming.payload or leaf == "link":
            self._guarded(device, incoming.payload, lambda: handler(device, incoming.payload))

    def touch_everything(self, *, introduce: bool) -> None:
        """Have all quotas planned and doors opened; with ``introduce`` every device is told its state."""
        self.ledger.touch(book.id for book in self.ledger.books())
        self.forwarder.open_doors()
        if introduce:
            self.outcome.answered |= self.devices.keys()

    def settle(self, *, everyone: bool) -> tuple[Outcome, list[Publication]]:
        """Plan every touched quota, put recalls into outboxes, write all rows; return what to publish after COMMIT.

        ``everyone`` looks at the state of each device, otherwise only of those that were granted or wait for an answer.
        """
        settled = self.ledger.settle(self.devices)
        for name, recall in settled.recalls:
            self.forwarder.send(name, CLOUD, recall)
        self.outcome.answered |= settled.granted
        told: list[Publication] = []
        if everyone or self.outcome.answered:
            told = list(
                publish.states(self.db, self.org, self.devices, self.ledger, self.outcome.answered, self.wall_ms)
            )
        self.ledger.write()
        if self.ledger.frozen != self.cloud.frozen:
            self.db.execute(sa.update(t.cloud).values(frozen=self.ledger.frozen))
        self.devices.write()
        return self.outcome, told

    def keys_revision(self) -> int:
        """The directory's revision, changes of this batch included."""
        return int(self.db.execute(sa.select(t.cloud.c.keys_revision)).scalar_one())

    # --- what devices say

    def _hello(self, device: Device, payload: bytes) -> None:
        hello = decode(payload, Hello)
        if (hello.device, hello.venue) != (device.name, device.venue):
            self._alarm("wrong-identity", device.name, f"says it is {hello.device} at {hello.venue}"[:200], payload)
            return
        if not self._known_key(device, hello):
            detail = "said hello with a key that was never pinned; forget its keys if its card was replaced"
            self._alarm("strange-key", device.name, detail, payload)
            return
        self._seen(device)
        device.status = "live"
        device.status_sent_ms = hello.sent_at_ms
        self.outcome.answered.add(device.name)
        if not self._welcome(device, hello):
            return
        for count in hello.stock:
            self.ledger.report(device.name, count, now=count.epoch == device.epoch)
        self.ledger.touch(self.catalogue.quota)
        got = hello.downlink.upto if hello.downlink.inc == self.cloud.inc else 0
        self.mail.rewind(device.name, Ack(self.cloud.inc, max(0, got)))
        self._acknowledged(device, Ack(self.cloud.inc, got))
        self.outcome.restarted.add(device.name)

    def _welcome(self, device: Device, hello: Hello) -> bool:
        """Decide which life this is; False if it may not go on as it is."""
        if hello.inc != device.inc:
            if hello.inc in self._lives_of(device):
                self._alarm("old-life", device.name, f"a copy in the earlier incarnation {hello.inc} is running", None)
                return False
            directory.begin_life(self.db, device, hello.inc, self.cloud.generation, self.wall_ms)
            self._lives.pop(device.name, None)
            log.info("device.life", device=device.name, inc=hello.inc, epoch=device.epoch)
        applied = self.mail.received(device.name, hello.inc)
        if hello.last_seq < applied:
            self._stop(device, f"has sent {applied} messages but remembers {hello.last_seq}: an old copy of its card")
        if not device.stopped:
            self.outcome.acks[device.name] = Ack(hello.inc, applied)
        return True

    def _stop(self, device: Device, detail: str) -> None:
        """The device must begin a new life before it sells again; its present stock stays in doubt."""
        device.told_to_stop = device.inc
        self.outcome.answered.add(device.name)
        self._alarm("went-back", f"{device.name} {device.inc}", detail, None)

    def _known_key(self, device: Device, hello: Hello) -> bool:
        """The first key a registered device shows is its own from then on."""
        keys = self._keys_of(device)
        if not keys and directory.pin_key(self.db, device.name, hello.kid, hello.public, self.wall_ms):
            self._keys.pop(device.name)
            keys = self._keys_of(device)
        return keys.get(hello.kid) == hello.public.lower()

    def _message(self, device: Device, payload: bytes) -> None:
        last: list[Content] = []

        def verified(envelope: Envelope) -> Content:
            last.append(self._open(device, envelope))
            return last[-1]

        try:
            ack = receiver.receive(
                self.mail,
                device.name,
                payload,
                verified,
                lambda content, private: self._apply(device, content, private),
                self.wall_ms,
            )
        except NotIntroduced:
            return
        except (UnknownIssuer, BadSignature) as error:
            self._alarm("strange-key", device.name, str(error), payload)
            return
        self._seen(device)
        if last[0].seq <= ack.upto:
            self._compare(device, last[0], payload)
        if device.stopped and last[0].inc == device.inc:
            # An ack counts up to a number, whichever history has it; unacknowledged, all of it comes again in the next life.
            self.outcome.acks.pop(device.name, None)
        else:
            self.outcome.acks[device.name] = ack

    def _open(self, device: Device, envelope: Envelope) -> Content:
        public = self._keys_of(device).get(envelope.kid)
        if public is None:
            if not self._keys_of(device):
                raise NotIntroduced("no hello yet")
            raise UnknownIssuer(f"{envelope.kid[:32]!r} is no key of {device.name}")
        content = open_envelope(envelope, public_key(public))
        if content.org != self.org or not isinstance(content.body, Uplink):
            raise ProtocolError(f"{type(content.body).__name__} for {content.org!r} is not for this cloud")
        if content.inc not in self._lives_of(device):
            raise NotIntroduced("no hello of this life yet")
        digest = hashlib.sha256(envelope.content.encode()).hexdigest()
        self._digests[device.name, content.inc, content.seq] = digest
        return content

    def _compare(self, device: Device, content: Content, payload: bytes) -> None:
        """A second message under an applied number is another history: a copied or restored card."""
        digest = self._digests[device.name, content.inc, content.seq]
        if (device.name, content.inc, content.seq, digest) in self._applied_now:
            return
        c = t.applied.c
        row = (c.device == device.name, c.inc == content.inc, c.seq == content.seq)
        known = self.db.execute(sa.select(c.sha256).where(*row)).scalar()
        if known is None or known == digest:
            return
        subject = f"{device.name} {content.inc} {content.seq}"
        self._alarm("second-history", subject, f"another {type(content.body).__name__} under the same number", payload)
        if content.inc == device.inc and not device.stopped:
            self._stop(device, f"tells two histories from message {content.seq} on: copied or restored")

    def _apply(self, device: Device, content: Content, private: Private | None) -> None:
        """Apply one content; its failure is listed and its number counts as applied, so that the next one is not blocked."""
        key = {"device": device.name, "inc": content.inc, "seq": content.seq}
        digest = self._digests[device.name, content.inc, content.seq]
        self._applied_now.add((device.name, content.inc, content.seq, digest))
        told = encode(content)
        row = {"sha256": digest, "kind": type(content.body).__name__, "at_ms": self.wall_ms, "content": told}
        self.db.execute(sa.insert(t.applied).values(**key, **row))
        self._guarded(device, told, lambda: self._apply_body(device, content, private))

    def _apply_body(self, device: Device, content: Content, private: Private | None) -> None:
        body = content.body
        if isinstance(body, KeyPublished):
            self._key_published(device, body)
        elif isinstance(body, AllocationReturned | WaitlistJoined | OfferMade | OfferWithdrawn | WaitlistLeft):
            self._report(device, getattr(body, "stock", ()))
        elif isinstance(body, PersonalDataErased):
            erasures.done(self.db, device.name, body.erasure, body.orders, self.wall_ms)
        elif isinstance(body, Fact):
            self._report(device, getattr(body, "stock", ()))
            facts.record(facts.Telling(self.db, device.name, self.wall_ms), body)
            order = body.order if isinstance(body, OrderConfirmed) else ""
            self.forwarder.forward(device.name, body, erasures.allowed(self._erasures(), order, private))
            if isinstance(body, OrderConfirmed):
                self.forwarder.release(body.order, tuple(each.ticket for each in body.tickets))

    def _erasures(self) -> list[ErasePersonalData]:
        if self._erased is None:
            self._erased = erasures.remembered(self.db)
        return self._erased

    def _report(self, device: Device, stock: tuple[StockCount, ...]) -> None:
        for count in stock:
            self.ledger.report(device.name, count)

    def _key_published(self, device: Device, body: KeyPublished) -> None:
        if not directory.pin_key(self.db, device.name, body.kid, body.public, self.wall_ms):
            self._alarm("strange-key", device.name, f"announced an unusable key {body.kid[:32]!r}", encode(body))
            return
        if body.retires is not None:
            directory.retire_key(self.db, device.name, body.retires)
        self._keys.pop(device.name, None)

    def _status(self, device: Device, payload: bytes) -> None:
        status = decode(payload, Status)
        if status.device != device.name or status.inc != device.inc or status.sent_at_ms < device.status_sent_ms:
            return
        self._seen(device)
        device.status_sent_ms = status.sent_at_ms
        device.unsynced = min(max(0, status.unsynced), LARGEST_COUNT)
        device.oldest_unsynced_ms = max(0, status.oldest_unsynced_ms)
        device.clock_trusted = status.clock_trusted
        hardware = json.dumps(status.hardware, sort_keys=True)
        device.hardware = hardware if len(hardware) <= LONGEST_HARDWARE else "{}"
        for count in status.stock:
            self.ledger.report(device.name, count, now=True)

    def _need(self, device: Device, payload: bytes) -> None:
        need = decode(payload, Need)
        if need.device != device.name or need.inc != device.inc:
            return
        self._seen(device)
        for each in need.needs:
            self.ledger.ask(device.name, device.epoch, each)
        self.outcome.answered.add(device.name)

    def _ack(self, device: Device, payload: bytes) -> None:
        ack = decode(payload, Ack)
        if ack.inc == self.cloud.inc:
            self._acknowledged(device, ack)

    def _acknowledged(self, device: Device, ack: Ack) -> None:
        ack = Ack(ack.inc, min(ack.upto, self.mail.last_seq(device.name, ack.inc)))
        self.mail.acknowledge(device.name, ack, self.wall_ms)

    def _link(self, device: Device, payload: bytes) -> None:
        device.link_up = bool(payload) and decode(payload, dict[str, bool]).get("up", False)

    def _own_state(self, device: Device, payload: bytes) -> None:
        """A state that this cloud published: if it says more than our rows, the rows are an old copy."""
        state = decode(payload, DeviceState)
        ahead = state.revision > device.state_revision
        for grant in state.grants:
            book = self.ledger.book(grant.quota)
            line = book.line(device.name, grant.epoch) if book else None
            ahead = ahead or (book is not None and grant.granted > (line.totals.granted if line else 0))
        if ahead:
            self.ledger.frozen = (
                f"the broker holds a newer state of {device.name} than these rows: restored from an old copy?"
            )
            self._alarm("granted-ahead", device.name, self.ledger.frozen, payload)

    def _venue_of(self, event_session: str) -> str | None:
        found = self.catalogue.event_session.get(event_session)
        if found is None:
            self._alarm(
                "unknown-session", event_session[:64], "tickets were sold for a session that no catalogue names", None
            )
            return None
        return found[1].venue

    # --- small things

    def _seen(self, device: Device) -> None:
        device.link_up = True
        device.last_seen_ms = self.wall_ms

    def _keys_of(self, device: Device) -> dict[str, str]:
        if device.name not in self._keys:
            self._keys[device.name] = directory.keys_of(self.db, device.name)
        return self._keys[device.name]

    def _lives_of(self, device: Device) -> dict[str, int]:
        if device.name not in self._lives:
            self._lives[device.name] = directory.lives(self.db, device.name)
        return self._lives[device.name]

    def _alarm(self, kind: str, subject: str, detail: str, evidence: bytes | None) -> None:
        log.warning("alarm", kind=kind, subject=subject)
        raise_alarm(self.db, kind, subject, detail, self.wall_ms, without_private(evidence) if evidence else None)

    def _guarded(self, device: Device, evidence: bytes, action: Callable[[], None]) -> None:
        """Run ``action`` in a savepoint; whatever it cannot digest becomes an alarm, a failing database does not."""
        step, before = self.db.begin_nested(), dict(vars(device))

        def undo() -> None:
            step.rollback()
            vars(device).update(before)
            self._keys.pop(device.name, None)
            self._lives.pop(device.name, None)

        try:
            action()
        except ProtocolError as error:
            undo()
            self._alarm("malformed", device.name, str(error), evidence)
        except Exception as error:
            undo()
            if isinstance(error, DBAPIError) and not isinstance(error, DataError | IntegrityError):
                raise
            # An error's text may repeat the values of a person, so only its kind is kept.
            self._alarm("indigestible", device.name, type(error).__name__, evidence)
        else:
            step.commit()
