"""Apply what devices say to a working set: prefetch, decide, write; one transaction per batch and no lock but the devices' own.

Nothing a device says can stop its stream: what is unknown, impossible or contradictory goes to the ``alarm`` table together with
the message, and the next message is applied. Only failures of the database itself pass through, and then nothing counts.
How a kind of message is applied, and how to add one: ``kinds``. Stock is granted elsewhere, in ``planning``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import ClassVar, get_args

import msgspec
import structlog

from mqtt_bridge.cloud import (
    aftermath,
    conversions,
    facts,
    forgetting,
    kinds,
    payments,
    preenrolments,
    remarks,
    requests,
    scans,
    stand_ins,
    waiting,
)
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.greetings import ONE_TOO_MANY, take_hello
from mqtt_bridge.cloud.hearing import Hearing
from mqtt_bridge.cloud.incoming import Incoming, NotIntroduced, Outcome
from mqtt_bridge.cloud.introductions import (
    keys_of,
    lives,
    pin_key,
    public_of,
    retire_key,
)
from mqtt_bridge.cloud.opened import Opened, Read
from mqtt_bridge.cloud.reading import ReadAhead
from mqtt_bridge.cloud.records import (
    Applied,
    Device,
    Quota,
)
from mqtt_bridge.cloud.routing import is_fact
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.mailbox import receiver
from mqtt_bridge.protocol.codec import encode
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError, UnknownIssuer
from mqtt_bridge.protocol.messages import (
    Ack,
    Content,
    KeyPublished,
    OrderRequested,
    Private,
    Sold,
    Uplink,
)

log = structlog.get_logger("marquee.reconciler")

# What a broker may still hold of a device that nobody knows any more is no news.
RETAINED = frozenset({"link", "health", "state"})
# A hello may begin a life, which nobody may grant to meanwhile: these have their devices alone.
INTRODUCTIONS = frozenset({"hello", "state"})
# What is still heard of a sealed device: who it is, what it did before it knew, and how far it got our words.
UPLINKS = frozenset(get_args(Uplink))
EVIDENCE = frozenset({"hello", "msg", "status", "ack", "link", "health"})


class _AnotherHistory(Exception):
    """A message of a life that is over follows another one than was applied."""

    def __init__(self, what: str, content: Content) -> None:
        super().__init__(what)
        self.content = content


class Batch(Hearing):
    """Messages applied within one transaction: ``run`` once, then do what ``outcome`` says after COMMIT.

    ``indigestible`` are messages whose values the database refused: they are listed instead of applied.
    """

    def __init__(
        self,
        rows: Rows,
        org: str,
        wall_ms: int,
        catalogues: Catalogues,
        opened: Opened,
        failures: tuple[type[Exception], ...] = (),
        *,
        indigestible: bool = False,
    ) -> None:
        super().__init__(rows, org, wall_ms, catalogues, failures)
        self.forwarder = Forwarder(self.work, self.hosts.venue_of)
        self._opened = opened
        self._indigestible = indigestible
        self._reads: dict[tuple[str, str, int], Read] = {}

    def run(self, messages: Collection[Incoming], how: Lock) -> Outcome:
        """Apply the messages in this order and write everything; ``how`` their devices are locked."""
        ahead = ReadAhead(self.work, self.mail, self._opened, self.hosts)
        ahead.lock(messages, how)
        ahead.read(messages, needs=not self._indigestible)
        for message in messages:
            self._take(message)
        self.outcome.acks = {key: self._named(key[0], ack) for key, ack in self.outcome.acks.items()}
        self.work.write()
        self._acknowledge()
        if self.outcome.keys_changed:
            self.work.rows.bump_keys()
        if self.freezes:
            self._freeze_everything()
        self.outcome.waiting |= self.counts.waiting
        self.outcome.moved |= self.counts.moved
        self.outcome.addressees |= self.forwarder.addressees
        return self.outcome

    def _named(self, device: str, ack: Ack) -> Ack:
        """Say which message has the number that is acknowledged: another one may have it at a copy of the card."""
        known = self.work.of(Applied).get(device, ack.inc, ack.upto) if ack.upto else None
        return Ack(ack.inc, ack.upto, "" if known is None else known.sha256[:16], self.cloud.generation)

    def _take(self, incoming: Incoming) -> None:
        """Apply one publication, or list why not."""
        name, leaf, payload = incoming.name, incoming.leaf, incoming.payload
        device = self.work.of(Device).get(name)
        if device is None or (device.status == "sealed" and leaf not in EVIDENCE):
            if leaf not in RETAINED and payload:
                kind = "unregistered" if device is None else "sealed"
                self.alarm(kind, name[:64], f"says {leaf!r} but may not speak; register it if it is yours", payload)
            return
        handler = self._HANDLERS.get(leaf)
        if handler is None:
            self.alarm("malformed", name, f"unknown topic {leaf!r}", payload)
        elif self._indigestible and leaf != "msg":
            self.alarm("indigestible", name, f"the database takes no such {leaf!r}", payload)
        elif payload or leaf == "link":
            self.guarded(name, payload, lambda: handler(self, device, payload))

    # --- what devices say

    def _message(self, device: Device, payload: bytes) -> None:
        opened, apply = partial(self._open, device), partial(self._apply, device.name)
        try:
            ack = receiver.receive(self.mail, device.name, payload, opened, apply, self.wall_ms)
        except NotIntroduced:
            return
        except _AnotherHistory as error:
            # The number before it, named by what is here: who has another message there begins anew, and tells all of it again.
            told, device = error.content, self.seen(device, error.content.inc)
            self._list_fork(device.name, told)
            self._two_histories(device, told, payload, str(error))
            self.outcome.acks[device.name, told.inc] = Ack(told.inc, self.mail.received(device.name, told.inc))
            return
        except (UnknownIssuer, BadSignature) as error:
            self.alarm("strange-key", device.name, str(error), payload)
            return
        device = self.seen(self.device_named(device.name), ack.inc)
        read = self._opened.read(payload)
        if read.content is not None:
            device = self._compare(device, read.content, read.hash, payload, ack.upto)
        if device.stopped and ack.inc == device.inc:
            # An ack counts up to a number, whichever history has it; unacknowledged, all of it comes again in the next life.
            self.outcome.acks.pop((device.name, ack.inc), None)
        else:
            self.outcome.acks[device.name, ack.inc] = ack

    def _open(self, device: Device, payload: bytes) -> tuple[Content, Private | None]:
        read = self._opened.read(payload)
        public = public_of(self.work, device.name, read.envelope.kid)
        if public is None:
            if not keys_of(self.work, device.name):
                raise NotIntroduced("no hello yet")
            raise UnknownIssuer(f"{read.envelope.kid[:32]!r} is no key of {device.name}")
        content = self._opened.open(read, public)
        if content.org != self.org or type(content.body) not in UPLINKS:
            raise ProtocolError(f"{type(content.body).__name__} for {content.org!r} is not for this cloud")
        if content.inc != device.inc and content.inc not in lives(self.work, device.name):
            raise NotIntroduced("no hello of this life yet")
        self._reads[device.name, content.inc, content.seq] = read
        return content, read.envelope.private

    def _compare(self, device: Device, content: Content, digest: str, payload: bytes, upto: int) -> Device:
        """A second message under a number that was applied or is kept is another history: a copied or restored card."""
        name = device.name
        if content.seq > upto:
            kept = self.mail.early(name, content.inc, content.seq)
            other = None if kept is None else self._opened.read(kept)
            if other is None or other.hash == digest:
                return device
            # Neither is in the books, and whether the one that was kept ever will be is up to those before it.
            if other.content is not None:
                self._list_fork(name, other.content)
        else:
            known = self.work.of(Applied).get(name, content.inc, content.seq)
            if known is None or known.sha256 == digest:
                return device
        self._list_fork(name, content)
        return self._two_histories(
            device, content, payload, f"another {type(content.body).__name__} under the same number"
        )

    def _follow(self, device: str, content: Content, told: bytes) -> None:
        """A message says which one it follows. If that is not the one here, its history has one that is not here.

        Unacknowledged, both come again in the next life; an ack of this number would have its device forget the other one. A life
        that is over is not the one that is stopped: there it is not applied either. Raises ``_AnotherHistory``.
        """
        before = self.work.of(Applied).get(device, content.inc, content.seq - 1) if content.follows else None
        if before is None or before.sha256 == content.follows:
            return
        what, known = f"does not follow the {before.kind} before it", self.device_named(device)
        if content.inc != known.inc and known.status != "sealed":
            raise _AnotherHistory(what, content)
        self._two_histories(known, content, told, what)

    def _two_histories(self, device: Device, content: Content, payload: bytes, what: str) -> Device:
        """List it, and stop the life that it is about if that goes on."""
        subject = f"{device.name} {content.inc} {content.seq}"
        self.alarm("second-history", subject, f"{what}; {ONE_TOO_MANY}", payload)
        if content.inc == device.inc and not device.stopped:
            return self.stop(device, f"tells two histories from message {content.seq} on: copied or restored")
        return device

    def _list_fork(self, device: str, content: Content) -> None:
        """Somebody holds the tickets of a sale, whichever of the two cards comes back."""
        body = content.body
        if not isinstance(body, Sold) or self._indigestible:
            return
        subject = f"{device} {content.inc} {content.seq} {body.order}"
        detail = f"{len(body.tickets)} tickets of booking {body.code} were sold by {device} under a number of another message"
        tickets = [each.ticket for each in body.tickets]
        session = body.tickets[0].event_session if body.tickets else ""
        where = {"order": body.order, "event_session": session}
        contradict(self.work, "fork", subject, detail, self.wall_ms, tickets=tickets, **where)

    def _apply(self, device: str, content: Content, private: Private | None) -> None:
        """Apply one content; its failure is listed and its number counts as applied, so that the next one is not blocked."""
        read = self._reads[device, content.inc, content.seq]
        told, name = read.text, type(content.body).__name__
        self._follow(device, content, told)
        self.work.of(Applied).add(Applied(device, content.inc, content.seq, read.hash, name, self.wall_ms, told))
        if self._indigestible:
            self.alarm("indigestible", device, f"the database takes no such {name}", told)
        else:
            self.guarded(device, told, lambda: self._apply_body(device, content.body, private))

    def _apply_body(self, device: str, body: object, private: Private | None) -> None:
        if isinstance(body, KeyPublished):
            self._key_published(device, body)
            return
        at = kinds.Telling(self.work, device, self.wall_ms, self.counts, private)
        if not is_fact(body):
            kinds.apply(at, body)
            return
        body = stand_ins.named(self.work, body)
        kinds.apply(at, body)
        order = body.order if isinstance(body, (Sold, OrderRequested)) else ""
        self.forwarder.forward(device, body, _of_doors(forgetting.allowed(self.work, order, private)))
        aftermath.follow(self.work, body, self.wall_ms)
        if isinstance(body, Sold):
            aftermath.sold(self.work, self.catalogue, device, body, self.wall_ms)
            self.forwarder.release(body.order, tuple(each.ticket for each in body.tickets))

    def _key_published(self, device: str, body: KeyPublished) -> None:
        if not pin_key(self.work, device, body.kid, body.public, self.wall_ms):
            self.alarm("strange-key", device, f"announced an unusable key {body.kid[:32]!r}", encode(body))
            return
        if body.retires is not None:
            retire_key(self.work, device, body.retires)
        self.outcome.keys_changed = True

    def _acknowledge(self) -> None:
        acks = [(name, Ack(inc, upto)) for (name, inc), upto in sorted(self.acked.items())]
        self.work.rows.outboxes.acknowledge(acks, self.wall_ms)

    def _freeze_everything(self) -> None:
        """Whoever plans a quota now ends before this commits, and whoever plans later sees it."""
        quotas = {each.id for each in self.work.of(Quota).fetch_all()}
        self.work.rows.lock(Quota, ("id",), [(each,) for each in quotas], Lock.ALONE)

    # Functions, not bound methods: a batch that refers to itself, and all its records, would wait for the garbage collector.
    _HANDLERS: ClassVar[dict[str, Callable[[Batch, Device, bytes], None]]] = {
        "hello": take_hello,
        "msg": _message,
        "status": remarks.take_status,
        "need": remarks.take_need,
        "ack": remarks.take_ack,
        "link": remarks.take_link,
        "health": remarks.take_health,
        "state": remarks.take_state,
    }


def _of_doors(private: Private | None) -> Private | None:
    """What a door is told of a person: who they are and how to reach them, not which number they are a member under."""
    return None if private is None else msgspec.structs.replace(private, member="")


# Registers what is done with each kind of message, as ``aftermath`` and ``forgetting`` do.
_ = (conversions, facts, payments, preenrolments, requests, scans, stand_ins, waiting)
