"""What comes in and what goes out of one batch, and the little that can be said of a publication before its device is known."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from mqtt_bridge.protocol.codec import decode, encode
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import Ack, Envelope
from mqtt_bridge.protocol.topics import ROOT

LONGEST_EVIDENCE = 64 * 1024


class NotIntroduced(ProtocolError):
    """A message of a life we have had no hello from; it comes again after the hello."""


@dataclass(frozen=True)
class Incoming:
    """One publication from the broker."""

    topic: str
    payload: bytes


@dataclass
class Outcome:
    """What has to be published after COMMIT; device states are added from the rows."""

    acks: dict[str, Ack] = field(default_factory=dict)  # by device: how far its stream was applied
    answered: set[str] = field(default_factory=set)  # devices that wait for a state
    restarted: set[str] = field(default_factory=set)  # devices whose downlink begins at its first unacked message again
    versions: tuple[int, int] | None = None  # catalogue and keys published with it


def whose_state(topic: str, org: str) -> str:
    """The device a ``dn/state`` topic belongs to; empty for any other topic."""
    prefix, suffix = f"{ROOT}/{org}/d/", "/dn/state"
    return (
        topic.removeprefix(prefix).removesuffix(suffix) if topic.startswith(prefix) and topic.endswith(suffix) else ""
    )


def without_private(payload: bytes) -> bytes:
    """What is kept as evidence: the signed part of an envelope, never the personal part."""
    try:
        envelope = decode(payload, Envelope)
    except ProtocolError:
        return payload[:LONGEST_EVIDENCE]
    return encode(msgspec.structs.replace(envelope, private=None))[:LONGEST_EVIDENCE]
