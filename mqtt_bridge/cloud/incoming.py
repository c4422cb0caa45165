"""What comes in and what goes out of one batch, and the little that can be said of a publication before its device is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import Ack, Envelope
from mqtt_bridge.protocol.topics import ROOT, parse_up

LONGEST_EVIDENCE = 64 * 1024
_PERSONAL = b'"private"'


class NotIntroduced(ProtocolError):
    """A message of a life we have had no hello from; it comes again after the hello."""


class Incoming(NamedTuple):
    """One publication from the broker: ``name`` and ``leaf`` are the device and the last part of its topic."""

    name: str
    leaf: str
    payload: bytes


@dataclass
class Outcome:
    """What is left to do after COMMIT; all of it is harmless to repeat and found again if it is lost."""

    acks: dict[tuple[str, str], Ack] = field(default_factory=dict)  # by (device, inc): how far its stream was applied
    answered: set[str] = field(default_factory=set)  # devices that wait for a state
    restarted: set[str] = field(default_factory=set)  # devices whose downlink begins at its first unacked message again
    addressees: set[str] = field(default_factory=set)  # devices with letters to be numbered
    waiting: set[str] = field(default_factory=set)  # quotas that somebody waits for
    moved: set[str] = field(default_factory=set)  # quotas that changed enough for another look
    keys_changed: bool = False
    planned: dict[str, int] = field(default_factory=dict)  # how many allocations the quotas have that were planned

    def add(self, other: Outcome) -> None:
        """Take over what another transaction left."""
        self.acks.update(other.acks)
        self.answered |= other.answered
        self.restarted |= other.restarted
        self.addressees |= other.addressees
        self.waiting |= other.waiting
        self.moved |= other.moved
        self.keys_changed |= other.keys_changed


def incoming(topic: str, payload: bytes, org: str) -> Iterable[Incoming]:
    """Return what a publication brings: a ``batch`` is a JSON list of envelopes, each as if it had come alone."""
    name, leaf = parse_up(topic, org) or (whose_state(topic, org), "state")
    if leaf != "batch":
        return (Incoming(name, leaf, payload),)
    try:
        envelopes = msgspec.json.decode(payload, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return (Incoming(name, "msg", payload),)  # listed as malformed there
    return [Incoming(name, "msg", bytes(each)) for each in envelopes]


def whose_state(topic: str, org: str) -> str:
    """The device a ``dn/state`` topic belongs to; empty for any other topic."""
    prefix, suffix = f"{ROOT}/{org}/d/", "/dn/state"
    return (
        topic.removeprefix(prefix).removesuffix(suffix) if topic.startswith(prefix) and topic.endswith(suffix) else ""
    )


def without_private(payload: bytes) -> bytes:
    """What is kept as evidence: the signed part of an envelope, never the personal part.

    Of what is no envelope and may have such a part (a torn batch, another version's message) nothing is kept: nobody could
    find a person in it when it has to be erased.
    """
    try:
        envelope = decode(payload, Envelope)
    except ProtocolError:
        return b"" if _PERSONAL in payload else payload[:LONGEST_EVIDENCE]
    return encode(msgspec.structs.replace(envelope, private=None))[:LONGEST_EVIDENCE]
