"""Apply what devices say to a working set: prefetch, decide, write; one transaction per batch and no lock but the devices' own.

Nothing a device says can stop its stream: what is unknown, impossible or contradictory goes to the ``alarm`` table together with
the message, and the next message is applied. Only failures of the database itself pass through, and then nothing counts.
How a kind of message is applied, and how to add one: ``kinds``. Stock is granted elsewhere, in ``planning``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from functools import partial
from typing import ClassVar, get_args

import msgspec
import structlog

from mqtt_bridge.cloud import aftermath, conversions, facts, forgetting, kinds, preenrolments, requests, scans, waiting
from mqtt_bridge.cloud.alarms import LONGEST_SUBJECT, contradict, raise_alarm
from mqtt_bridge.cloud.catalogues import Catalogues, Hosts
from mqtt_bridge.cloud.catching_up import expect, give_again
from mqtt_bridge.cloud.counts import Counts
from mqtt_bridge.cloud.forwarding import Forwarder
from mqtt_bridge.cloud.incoming import Incoming, NotIntroduced, Outcome, without_private
from mqtt_bridge.cloud.introductions import (
    begin_life,
    introduce_earlier,
    keys_of,
    lives,
    pin_key,
    public_of,
    retire_key,
)
from mqtt_bridge.cloud.letterbox import WorkMail
from mqtt_bridge.cloud.opened import Opened, Read
from mqtt_bridge.cloud.reading import ReadAhead
from mqtt_bridge.cloud.records import (
    SILENT_MS,
    Applied,
    Cloud,
    Device,
    Line,
    Quota,
    outage_columns,
)
from mqtt_bridge.cloud.restoring import forgotten_life, hear_again, lost_epoch, named_by_status, remember
from mqtt_bridge.cloud.retelling import retell
from mqtt_bridge.cloud.routing import is_fact
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.mailbox import receiver
from mqtt_bridge.protocol.catalogue import Catalogue
from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError, UnknownIssuer
from mqtt_bridge.protocol.messages import (
    Ack,
    Content,
    DeviceState,
    HardwareReport,
    Hello,
    KeyPublished,
    Need,
    OrderRequested,
    Private,
    Sold,
    Status,
    Uplink,
)

log = structlog.get_logger("marquee.reconciler")

_ONE_TOO_MANY = "if two cards are in use, seal this name and provision both under new ones"
LARGEST_COUNT = 2**31 - 1
# A status sent this long before the last one was not overtaken: its device's clock was set back, and on that no stock depends.
OVERTAKEN_MS = 60_000
LONGEST_HARDWARE = 4000
LONGEST_REPORT = 16_000
# What a broker may still hold of a device that nobody knows any more is no news.
RETAINED = frozenset({"link", "health", "state"})
# A hello may begin a life, which nobody may grant to meanwhile: these have their devices alone.
INTRODUCTIONS = frozenset({"hello", "state"})
# What is still heard of a sealed device: who it is, what it did before it knew, and how far it got our words.
UPLINKS = frozenset(get_args(Uplink))
EVIDENCE = frozenset({"hello", "msg", "status", "ack", "link", "health"})


class Batch:
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
        self.work = Work(rows)
        self.org = org
        self.wall_ms = wall_ms
        self.outcome = Outcome()
        self.mail = WorkMail(self.work)
        self.counts = Counts(self.work, wall_ms)
        self._hosts = Hosts(self.work, catalogues, wall_ms)
        self.forwarder = Forwarder(self.work, self._hosts.venue_of)
        self._opened = opened
        self._failures = failures
        self._indigestible = indigestible
        self._acked: dict[tuple[str, str], int] = {}
        self._frozen = False
        self._reads: dict[tuple[str, str, int], Read] = {}
        self._applied_now: set[tuple[str, str, int, str]] = set()

    def run(self, messages: Collection[Incoming], how: Lock) -> Outcome:
        """Apply the messages in this order and write everything; ``how`` their devices are locked."""
        ahead = ReadAhead(self.work, self.mail, self._opened, self._hosts)
        ahead.lock(messages, how)
        ahead.read(messages, needs=not self._indigestible)
        for message in messages:
            self._take(message)
        self.outcome.acks = {key: self._named(key[0], ack) for key, ack in self.outcome.acks.items()}
        self.work.write()
        self._acknowledge()
        if self.outcome.keys_changed:
            self.work.rows.bump_keys()
        if self._frozen:
            self._freeze_everything()
        self.outcome.waiting |= self.counts.waiting
        self.outcome.moved |= self.counts.moved
        self.outcome.addressees |= self.forwarder.addressees
        return self.outcome

    def _named(self, device: str, ack: Ack) -> Ack:
        """Say which message has the number that is acknowledged: another one may have it at a copy of the card."""
        known = self.work.of(Applied).get(device, ack.inc, ack.upto) if ack.upto else None
        return Ack(ack.inc, ack.upto, "" if known is None else known.sha256[:16], self.cloud.generation)

    @property
    def cloud(self) -> Cloud:
        """The cloud's row."""
        found = self.work.of(Cloud).get(1)
        if found is None:
            raise LookupError("this database was never opened as a cloud")
        return found

    @property
    def catalogue(self) -> Catalogue:
        """What is on sale, as of this transaction."""
        return self._hosts.catalogue

    def _take(self, incoming: Incoming) -> None:
        """Apply one publication, or list why not."""
        name, leaf, payload = incoming.name, incoming.leaf, incoming.payload
        device = self.work.of(Device).get(name)
        if device is None or (device.status == "sealed" and leaf not in EVIDENCE):
            if leaf not in RETAINED and payload:
                kind = "unregistered" if device is None else "sealed"
                self._alarm(kind, name[:64], f"says {leaf!r} but may not speak; register it if it is yours", payload)
            return
        handler = self._HANDLERS.get(leaf)
        if handler is None:
            self._alarm("malformed", name, f"unknown topic {leaf!r}", payload)
        elif self._indigestible and leaf != "msg":
            self._alarm("indigestible", name, f"the database takes no such {leaf!r}", payload)
        elif payload or leaf == "link":
            self._guarded(name, payload, lambda: handler(self, device, payload))

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
        status = "sealed" if device.status == "sealed" else "live"
        device = self._seen(device, status=status, status_sent_ms=hello.sent_at_ms)
        self.outcome.answered.add(device.name)
        if status == "sealed":
            detail = "a sealed device is back: it is told to stop, and what it says is read as evidence"
            self._alarm("sealed", device.name, detail, None)
        known = lives(self.work, device.name)
        introduced = hello.inc in known
        if introduced and hello.inc != device.inc:
            if not named_by_status(self.work, device) or known[hello.inc] != device.epoch:
                detail = f"a copy in the earlier incarnation {hello.inc} is running; {_ONE_TOO_MANY}"
                self._alarm("old-life", device.name, detail, None)
                return
            device = self.work.of(Device).change(device, inc=hello.inc)
        if not introduced:
            if hello.began == "went_back":
                detail = f"remembered less of {device.inc} than arrived here: an old copy of its card, now {hello.inc}"
                self._alarm("went-back", f"{device.name} {device.inc}", detail, None)
            followed = device.inc is not None
            device = begin_life(
                self.work, device, hello.inc, self.cloud, self.wall_ms, epoch=lost_epoch(self.cloud, hello)
            )
            if followed and status == "live":
                retell(self.work, self.catalogue, device.name)
                self.outcome.addressees.add(device.name)
            log.info("device.life", device=device.name, inc=hello.inc, epoch=device.epoch)
        self._welcome(device, hello, new_life=not introduced)

    def _welcome(self, device: Device, hello: Hello, *, new_life: bool) -> None:
        """Say how far this life got, merge what it counts and begin its downlink at the first message it does not have.

        A hello that remembers less than arrived may have been overtaken; a device whose database went back in time sees it in
        the state it gets, and begins another life.
        """
        applied = self.mail.received(device.name, hello.inc)
        if not device.stopped:
            self.outcome.acks[device.name, hello.inc] = Ack(hello.inc, applied)
        introduce_earlier(self.work, device, hello.earlier, self.wall_ms)
        before, device = device.generation, hear_again(self.work, device, hello)
        first = self.cloud.restoring and device.generation != before
        if new_life or hello.generation == self.cloud.generation:  # an older hello may have been overtaken
            expect(self.work, device, hello, new_life=new_life, first=first)
        for count in hello.stock:
            self.counts.report(device.name, count, now=count.epoch == device.epoch)
        started = {each.quota for each in self.work.of(Line).where("device", device.name) if each.epoch == device.epoch}
        self.outcome.waiting |= self.catalogue.quota.keys() - started
        self.outcome.moved |= started
        inc = self.cloud.inc
        got = Ack(inc, max(0, hello.downlink.upto) if hello.downlink.inc == inc else 0)
        self.mail.rewind(device.name, got)
        self._acknowledged(device, got)
        self.outcome.restarted.add(device.name)

    def _stop(self, device: Device, detail: str) -> Device:
        """The device must begin a new life before it sells again; its present stock stays in doubt."""
        self.outcome.answered.add(device.name)
        self._alarm("went-back", f"{device.name} {device.inc}", detail, None)
        return self.work.of(Device).change(device, told_to_stop=device.inc)

    def _known_key(self, device: Device, hello: Hello) -> bool:
        """The first key a registered device shows is its own from then on."""
        if not keys_of(self.work, device.name) and pin_key(
            self.work, device.name, hello.kid, hello.public, self.wall_ms
        ):
            self.outcome.keys_changed = True
        return keys_of(self.work, device.name).get(hello.kid) == hello.public.lower()

    def _message(self, device: Device, payload: bytes) -> None:
        opened, apply = partial(self._open, device), partial(self._apply, device.name)
        try:
            ack = receiver.receive(self.mail, device.name, payload, opened, apply, self.wall_ms)
        except NotIntroduced:
            return
        except (UnknownIssuer, BadSignature) as error:
            self._alarm("strange-key", device.name, str(error), payload)
            return
        device = self._seen(self._device(device.name))
        told = self._opened.read(payload).content
        if told is not None and told.seq <= ack.upto:
            device = self._compare(device, told, payload)
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

    def _compare(self, device: Device, content: Content, payload: bytes) -> Device:
        """A second message under an applied number is another history: a copied or restored card."""
        digest = self._reads[device.name, content.inc, content.seq].hash
        if (device.name, content.inc, content.seq, digest) in self._applied_now:
            return device
        known = self.work.of(Applied).get(device.name, content.inc, content.seq)
        if known is None or known.sha256 == digest:
            return device
        subject = f"{device.name} {content.inc} {content.seq}"
        self._alarm(
            "second-history",
            subject,
            f"another {type(content.body).__name__} under the same number; {_ONE_TOO_MANY}",
            payload,
        )
        if isinstance(content.body, Sold):
            self._list_fork(device.name, subject, content.body)
        if content.inc == device.inc and not device.stopped:
            return self._stop(device, f"tells two histories from message {content.seq} on: copied or restored")
        return device

    def _list_fork(self, device: str, subject: str, body: Sold) -> None:
        """Somebody holds these tickets, whichever of the two cards comes back."""
        detail = f"{len(body.tickets)} tickets of booking {body.code} were sold by {device} under a number of another message"
        tickets = [each.ticket for each in body.tickets]
        session = body.tickets[0].event_session if body.tickets else ""
        where = {"order": body.order, "event_session": session}
        contradict(self.work, "fork", subject, detail, self.wall_ms, tickets=tickets, **where)

    def _apply(self, device: str, content: Content, private: Private | None) -> None:
        """Apply one content; its failure is listed and its number counts as applied, so that the next one is not blocked."""
        read = self._reads[device, content.inc, content.seq]
        told, name = read.text, type(content.body).__name__
        self._applied_now.add((device, content.inc, content.seq, read.hash))
        self.work.of(Applied).add(Applied(device, content.inc, content.seq, read.hash, name, self.wall_ms, told))
        if self._indigestible:
            self._alarm("indigestible", device, f"the database takes no such {name}", told)
        else:
            self._guarded(device, told, lambda: self._apply_body(device, content.body, private))

    def _apply_body(self, device: str, body: object, private: Private | None) -> None:
        if isinstance(body, KeyPublished):
            self._key_published(device, body)
            return
        at = kinds.Telling(self.work, device, self.wall_ms, self.counts, private)
        if not is_fact(body):
            kinds.apply(at, body)
            return
        body = facts.named(self.work, body)
        kinds.apply(at, body)
        order = body.order if isinstance(body, (Sold, OrderRequested)) else ""
        self.forwarder.forward(device, body, _of_doors(forgetting.allowed(self.work, order, private)))
        aftermath.follow(self.work, body, self.wall_ms)
        if isinstance(body, Sold):
            aftermath.sold(self.work, self.catalogue, device, body, self.wall_ms)
            self.forwarder.release(body.order, tuple(each.ticket for each in body.tickets))

    def _key_published(self, device: str, body: KeyPublished) -> None:
        if not pin_key(self.work, device, body.kid, body.public, self.wall_ms):
            self._alarm("strange-key", device, f"announced an unusable key {body.kid[:32]!r}", encode(body))
            return
        if body.retires is not None:
            retire_key(self.work, device, body.retires)
        self.outcome.keys_changed = True

    def _status(self, device: Device, payload: bytes) -> None:
        status = decode(payload, Status)
        if status.device == device.name and status.inc != device.inc and self.cloud.restoring:
            device = forgotten_life(self.work, device, status.inc)
            self.outcome.answered.add(device.name)
        overtaken = 0 < device.status_sent_ms - status.sent_at_ms <= OVERTAKEN_MS
        if status.device != device.name or status.inc != device.inc or overtaken:
            return
        hardware = json.dumps(status.hardware, sort_keys=True)
        self._seen(
            device,
            status_sent_ms=status.sent_at_ms,
            unsynced=min(max(0, status.unsynced), LARGEST_COUNT),
            oldest_unsynced_ms=max(0, status.oldest_unsynced_ms),
            clock_trusted=status.clock_trusted,
            hardware=hardware if len(hardware) <= LONGEST_HARDWARE else "{}",
        )
        for count in status.stock:
            self.counts.report(device.name, count, now=True)

    def _need(self, device: Device, payload: bytes) -> None:
        need = decode(payload, Need)
        if need.device != device.name or need.inc != device.inc:
            return
        self._seen(device)
        for each in need.needs:
            self.counts.ask(device.name, device.epoch, each)
        self.outcome.answered.add(device.name)

    def _ack(self, device: Device, payload: bytes) -> None:
        # Also of what this cloud sent before it was restored: its backup may not know that it arrived.
        ack = decode(payload, Ack)
        self._acknowledged(device, ack)
        if ack.inc != self.cloud.inc and 0 <= ack.upto < self.mail.streams(device.name).get(ack.inc, 0):
            # No hello says this of it: a card that went back in time too lacks what precedes, and waits for it in vain.
            self.mail.rewind(device.name, ack)
            give_again(self.work, device.name, ack)
            self.outcome.addressees.add(device.name)

    def _acknowledged(self, device: Device, ack: Ack) -> None:
        self._acked[device.name, ack.inc] = max(ack.upto, self._acked.get((device.name, ack.inc), 0))

    def _acknowledge(self) -> None:
        acks = [(name, Ack(inc, upto)) for (name, inc), upto in sorted(self._acked.items())]
        self.work.rows.outboxes.acknowledge(acks, self.wall_ms)

    def _freeze_everything(self) -> None:
        """Whoever plans a quota now ends before this commits, and whoever plans later sees it."""
        quotas = {each.id for each in self.work.of(Quota).fetch_all()}
        self.work.rows.lock(Quota, ("id",), [(each,) for each in quotas], Lock.ALONE)

    def _link(self, device: Device, payload: bytes) -> None:
        up = bool(payload) and decode(payload, dict[str, bool]).get("up", False)
        if up != device.link_up:
            outages = device.outage_memory.link(self.wall_ms, up=up)
            self.work.of(Device).change(device, link_up=up, **outage_columns(outages))

    def _health(self, device: Device, payload: bytes) -> None:
        report = decode(payload, HardwareReport)
        known = device.hardware_report()
        overtaken = known is not None and 0 < known.sent_at_ms - report.sent_at_ms <= OVERTAKEN_MS
        if report.device == device.name and len(payload) <= LONGEST_REPORT and not overtaken:
            self.work.of(Device).change(device, health=payload.decode())

    def _own_state(self, device: Device, payload: bytes) -> None:
        """A state that this cloud published: if it says more than our rows, the rows are an old copy."""
        state = decode(payload, DeviceState)
        if self.cloud.restoring and state.generation < self.cloud.generation:
            remember(self.work, state)
            return
        ahead = state.revision > device.state_revision
        for grant in state.grants:
            line = self.work.of(Line).get(grant.quota, device.name, grant.epoch)
            ahead = ahead or grant.granted > (0 if line is None else line.granted)
        if ahead:
            reason = f"the broker holds a newer state of {device.name} than these rows: restored from an old copy?"
            self._alarm("granted-ahead", device.name, reason, payload)
            self.work.of(Cloud).change(self.cloud, frozen=reason)
            self._frozen = True

    # --- small things

    def _device(self, name: str) -> Device:
        found = self.work.of(Device).get(name)
        if found is None:
            raise LookupError(name)
        return found

    def _seen(self, device: Device, **values: object) -> Device:
        if not values and device.link_up and device.last_seen_ms == self.wall_ms:
            return device
        outages = device.outage_memory
        if device.link_up and device.last_seen_ms is not None and self.wall_ms - device.last_seen_ms >= SILENT_MS:
            outages = outages.link(device.last_seen_ms, up=False)  # the broker has not noticed
        memory = outage_columns(outages.link(self.wall_ms, up=True))
        return self.work.of(Device).change(device, link_up=True, last_seen_ms=self.wall_ms, **memory, **values)

    def _alarm(self, kind: str, subject: str, detail: str, evidence: bytes | None) -> None:
        log.warning("alarm", kind=kind, subject=subject)
        kept = without_private(evidence) if evidence else None
        raise_alarm(self.work, kind, subject[:LONGEST_SUBJECT], detail, self.wall_ms, kept)

    def _guarded(self, device: str, evidence: bytes, action: Callable[[], None]) -> None:
        """Run ``action`` as a step; whatever it cannot digest becomes an alarm, a failing database does not."""
        try:
            with self.work.step():
                action()
        except ProtocolError as error:
            self._alarm("malformed", device, str(error), evidence)
        except self._failures:
            raise
        except Exception as error:  # noqa: BLE001  one message must not stop a stream
            # An error's text may repeat the values of a person, so only its kind is kept.
            self._alarm("indigestible", device, type(error).__name__, evidence)

    # Functions, not bound methods: a batch that refers to itself, and all its records, would wait for the garbage collector.
    _HANDLERS: ClassVar[dict[str, Callable[[Batch, Device, bytes], None]]] = {
        "hello": _hello,
        "msg": _message,
        "status": _status,
        "need": _need,
        "ack": _ack,
        "link": _link,
        "health": _health,
        "state": _own_state,
    }


def _of_doors(private: Private | None) -> Private | None:
    """What a door is told of a person: who they are and how to reach them, not which number they are a member under."""
    return None if private is None else msgspec.structs.replace(private, member="")


# Registers what is done with each kind of message, as ``aftermath`` and ``forgetting`` do.
_ = (conversions, facts, preenrolments, requests, scans, waiting)
