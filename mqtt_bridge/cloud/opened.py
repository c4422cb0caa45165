"""Envelopes taken apart and verified, each once: the latest ones are remembered, and a signature vouches for what went before.

Each message carries the hash of the one before it in its stream. Where a batch brings both, the signature of the later proves the
earlier as well, so a backlog costs one verification per batch and device, and not one per message. A message that nothing
in the batch follows, or whose follower names another hash, is verified by its own signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from mqtt_bridge.protocol.codec import (
    Verifier,
    check_private,
    check_signature,
    content_hash,
    decode,
    public_key,
    read_content,
)
from mqtt_bridge.protocol.errors import BadSignature, ProtocolError
from mqtt_bridge.protocol.messages import Content, Envelope

MOST_OPENED = 2_000


class Read(msgspec.Struct, eq=False, gc=False):
    """A message taken apart. Nothing in it is to be believed unless ``proven`` is the right public key (hex).

    ``content`` is None if what was signed is no content of this version; ``text`` are the signed bytes, ``hash`` is theirs.
    """

    envelope: Envelope
    text: bytes
    hash: str
    content: Content | None
    proven: str = ""


class Opened:
    """Envelopes read lately, so that a repeated transaction does not verify them again. Which key is right, rows say."""

    def __init__(self, key_of: Callable[[str], Verifier] = public_key) -> None:
        self._key_of = key_of
        self._reads: dict[bytes, Read] = {}
        self._before: dict[bytes, Read] = {}

    def read(self, payload: bytes) -> Read:
        """Return the message taken apart; raises ``ProtocolError`` if it is no envelope."""
        read = self._reads.get(payload) or self._before.get(payload)
        if read is None:
            if len(self._reads) >= MOST_OPENED:  # what the batch under way has read stays
                self._before, self._reads = self._reads, {}
            read = self._reads[payload] = _take_apart(payload)
        return read

    def open(self, read: Read, public: str) -> Content:
        """Return the content if it is proven or its signature is good; raises as ``codec.open_envelope``."""
        if read.proven != public:
            check_signature(read.envelope, self._key_of(public))
        content = read.content
        if content is None:
            content = read_content(read.envelope.content)
        if read.proven != public:
            check_private(read.envelope, content)
            read.proven = public
        return content

    def prove(self, reads: Iterable[Read], public: str) -> None:
        """Verify messages of one device under one key, with as few signatures as will do; the bad ones are left unproven."""
        told = {each.hash: (each, each.content) for each in reads if each.content is not None}
        for read, content in sorted(told.values(), key=lambda each: each[1].seq, reverse=True):
            try:
                self.open(read, public)
            except ProtocolError:
                continue
            before = told.get(content.follows)
            while before is not None and before[0].proven != public and _is_whole(*before):
                before[0].proven = public
                before = told.get(before[1].follows)

    def unfollowed(self, payloads: Iterable[bytes]) -> list[Read]:
        """Return the messages that no other of these vouches for, if it is good itself."""
        reads = []
        for each in payloads:
            try:
                reads.append(self.read(each))
            except ProtocolError:
                continue  # listed when it is applied
        followed = {each.content.follows for each in reads if each.content is not None}
        return [each for each in reads if each.hash not in followed]


def _is_whole(read: Read, content: Content) -> bool:
    """Whether the personal part, which a later message says nothing of, is that which was signed."""
    try:
        check_private(read.envelope, content)
    except BadSignature:
        return False
    return True


def _take_apart(payload: bytes) -> Read:
    envelope = decode(payload, Envelope)
    try:
        text = envelope.content.encode()
        content = read_content(envelope.content)
    except (ProtocolError, UnicodeError):
        return Read(envelope, b"", "", None)
    return Read(envelope, text, content_hash(text), content)
