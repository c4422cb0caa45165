"""Tell devices what was decided for them: number their letters and compose their states, one transaction for some devices."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from mqtt_bridge.cloud.letterbox import WorkMail
from mqtt_bridge.cloud.lineup import cut, told_line
from mqtt_bridge.cloud.records import Cloud, Device, Entry, Letter, Life, Line, Quota, Stream
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.mailbox.rows import Outgoing
from mqtt_bridge.mailbox.sender import numbered
from mqtt_bridge.protocol import topics
from mqtt_bridge.protocol.codec import Signer, decode, decode_downlink, encode
from mqtt_bridge.protocol.messages import DeviceState, Granted, InLine, Private
from mqtt_bridge.protocol.topics import CLOUD

# Figures that decide nothing (what is left elsewhere) are told at most this often, and everything at least that often.
CALM_MS = 1_000
REFRESH_MS = 15_000


class Publication(NamedTuple):
    """One message for the broker."""

    topic: str
    payload: bytes
    retain: bool = True


@dataclass(frozen=True)
class Voice:
    """Who speaks: the cloud's organisation and its key."""

    org: str
    signer: Signer


def tell(rows: Rows, voice: Voice, asked: Collection[str], others: Collection[str], wall_ms: int) -> list[Publication]:
    """Number the letters of all these devices and return the states to publish: of those ``asked`` always, of others when due."""
    work = Work(rows)
    names = sorted({*asked, *others})
    work.of(Device).lock("name", names, Lock.CHANGE)
    devices = [found for each in names if (found := work.of(Device).get(each)) is not None]
    _number(work, voice, names, wall_ms)
    told = list(_states(work, voice.org, devices, set(asked), wall_ms))
    work.write()
    return told


def _number(work: Work, voice: Voice, names: list[str], wall_ms: int) -> None:
    """Give each letter its place in its addressee's outbox; the lock on the device keeps others from doing the same."""
    letters = work.of(Letter)
    letters.fetch("device", names)
    waiting = {name: found for name in names if (found := letters.where("device", name))}
    cloud = work.of(Cloud).get(1)
    if not waiting or cloud is None:
        return
    last = work.rows.outboxes.last_seqs(waiting, cloud.inc)
    work.rows.outboxes.post(
        [
            (name, _outgoing(voice, cloud.inc, last[name] + 1 + k, each, wall_ms))
            for name, found in waiting.items()
            for k, each in enumerate(found)
        ]
    )
    for found in waiting.values():
        for each in found:
            letters.remove(each)


def _outgoing(voice: Voice, inc: str, seq: int, letter: Letter, wall_ms: int) -> Outgoing:
    body = decode_downlink(letter.body)
    private = decode(letter.private, Private) if letter.private is not None else None
    names = {"org": voice.org, "sender": CLOUD, "origin": letter.origin}
    return numbered(inc, seq, body, signer=voice.signer, wall_ms=wall_ms, private=private, **names)


def _states(work: Work, org: str, devices: list[Device], asked: set[str], wall_ms: int) -> Iterable[Publication]:
    devices = [each for each in devices if each.inc is not None]
    if not devices:
        return
    names = [each.name for each in devices]
    work.of(Line).fetch("device", names)
    work.of(Stream).fetch_keys((each.name, each.inc) for each in devices)
    stock = _Stock(work, wall_ms)
    cloud = work.of(Cloud).get(1)
    generation = 0 if cloud is None else cloud.generation
    mail = WorkMail(work)
    for device in devices:
        state = _state(device, stock, mail.received(device.name, device.inc or ""), generation, wall_ms)
        if cloud is not None and cloud.restoring and work.of(Life).get(device.name, device.inc) is None:
            state = msgspec.structs.replace(state, grants=())
        urgent, digest = _digests(state)
        if device.name in asked or _due(device, urgent, digest, wall_ms):
            work.of(Device).change(
                device,
                state_revision=state.revision,
                state_urgent=urgent,
                state_digest=digest,
                state_at_ms=wall_ms,
            )
            yield Publication(topics.down(org, device.name, "state"), encode(state))


class _Stock:
    """What is left of every quota, and what a device has of it."""

    def __init__(self, work: Work, wall_ms: int) -> None:
        self._work = work
        self.quotas = work.of(Quota).fetch_all()
        self._figures = {each.quota: each for each in work.rows.figures()}
        self._entries: dict[str, list[Entry]] = {}
        for entry in work.of(Entry).where("state", "waiting"):
            self._entries.setdefault(entry.quota, []).append(entry)
        joined = {each.device for entries in self._entries.values() for each in entries}
        work.of(Device).fetch("name", joined)
        self._devices = {name: device for name in joined if (device := work.of(Device).get(name)) is not None}
        self._wall_ms = wall_ms

    def line(self, quota: str, device: str) -> tuple[InLine, ...]:
        """The waitlist of a quota as a device is told it."""
        return told_line(self._entries.get(quota, ()), self._devices, device, self._wall_ms)

    def lines(self, device: str) -> dict[str, list[Line]]:
        found: dict[str, list[Line]] = {}
        for line in self._work.of(Line).where("device", device):
            found.setdefault(line.quota, []).append(line)
        return found

    def elsewhere(self, quota: Quota, own: list[Line]) -> int:
        """Pool plus what all other devices still own, less what requests wait for: zero means sold out everywhere."""
        figures = self._figures.get(quota.id)
        pool = quota.limit + quota.extra - (figures.out if figures else 0)
        unsold = (figures.unsold if figures else 0) - sum(max(0, each.unsold) for each in own)
        return max(0, max(0, pool) + max(0, unsold) - (figures.asked if figures else 0))


def _state(device: Device, stock: _Stock, upto: int, generation: int, wall_ms: int) -> DeviceState:
    lines = stock.lines(device.name)
    grants = []
    for quota in stock.quotas if device.status != "sealed" else ():
        own = lines.get(quota.id, [])
        line = next((each for each in own if each.epoch == device.epoch), None)
        if line is not None or not quota.retired:
            waits = stock.line(quota.id, device.name)
            grants.append(_granted(quota, device.epoch, line, stock.elsewhere(quota, own), waits))
    return DeviceState(
        device=device.name,
        inc=device.inc or "",
        revision=device.state_revision + 1,
        upto=upto,
        grants=tuple(grants),
        door=device.door,
        stop=device.stopped,
        as_of_ms=wall_ms,
        sealed=device.status == "sealed",
        generation=generation,
        heard=device.generation,
        known=device.lost_upto if device.lost_inc == device.inc and device.lost_upto > upto else 0,
    )


def _granted(quota: Quota, epoch: int, line: Line | None, elsewhere: int, waits: tuple[InLine, ...]) -> Granted:
    granted, confirmed = (line.granted, line.confirmed) if line is not None else (0, 0)
    return Granted(quota.id, epoch, granted, confirmed, elsewhere, quota.limit, *cut(waits))


def _due(device: Device, urgent: str, digest: str, wall_ms: int) -> bool:
    age_ms = wall_ms - device.state_at_ms
    # An age below zero is a clock that was set back; then everything is told again.
    old = not 0 <= age_ms < REFRESH_MS
    return urgent != device.state_urgent or (digest != device.state_digest and age_ms >= CALM_MS) or old


def _digests(state: DeviceState) -> tuple[str, str]:
    """Return (what the device acts on, everything but the time and revision) as short hashes."""
    acts_on = [(each.quota, each.epoch, each.granted, each.confirmed, each.limit) for each in state.grants]
    urgent = _short((state.inc, state.stop, state.door, state.sealed, state.generation, state.known, acts_on))
    return urgent, _short((urgent, [(each.elsewhere, each.line, each.longer) for each in state.grants]))


def _short(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value)).hexdigest()[:16]
