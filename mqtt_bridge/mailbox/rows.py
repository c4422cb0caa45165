"""The rows a mailbox needs of one open transaction; ``sql`` keeps them in tables, ``memory`` in dictionaries.

Every call names one stream: ``peer`` is who is at the other end, ``inc`` the sender's incarnation.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from mqtt_bridge.protocol.messages import Ack


class Outgoing(NamedTuple):
    """A row of the outbox, ready to be published."""

    inc: str
    seq: int
    kind: str
    envelope: bytes
    created_at_ms: int


class Mail(Protocol):
    """Outbox, inbox and early messages of one transaction."""

    # --- outbox: rows stay until the receiver's own ack and their retention

    def next_seq(self, peer: str, inc: str) -> int:
        """Return the number for a message put now; until this transaction ends nobody else can take it."""
        ...

    def last_seq(self, peer: str, inc: str) -> int:
        """Return the highest number ever given within (peer, inc), 0 before the first."""
        ...

    def last_envelope(self, peer: str, inc: str) -> bytes | None:
        """Return the envelope under that number, None before the first."""
        ...

    def put(self, peer: str, row: Outgoing) -> None:
        """Add a row under the number that ``next_seq`` gave."""
        ...

    def streams(self, peer: str) -> dict[str, int]:
        """Return, per incarnation with something unacked, the number before its first unacked message; oldest first.

        A device that began a new incarnation still delivers what the last one left.
        """
        ...

    def incarnations(self, peer: str) -> list[str]:
        """Return every incarnation something was ever put under, acknowledged or not."""
        ...

    def unacked(self, peer: str, inc: str, after_seq: int = 0, limit: int | None = None) -> list[Outgoing]:
        """Return the unacked messages after ``after_seq`` in order, at most ``limit``."""
        ...

    def acknowledge(self, peer: str, ack: Ack, wall_ms: int) -> int:
        """Mark everything up to ``ack.upto`` as committed at the receiver and return how many rows that was new for."""
        ...

    def rewind(self, peer: str, ack: Ack) -> int:
        """Send again what the peer says it no longer has (it lost its database); return how many messages that is."""
        ...

    def backlog(self, peer: str) -> tuple[int, int]:
        """Return how many messages wait for an ack and when the oldest was created (ms since the Unix epoch, 0 if none)."""
        ...

    def prune(self, peer: str, before_ms: int) -> int:
        """Delete messages that were acked before ``before_ms`` and return how many.

        The newest of each incarnation stays, because the next number is counted from it.
        """
        ...

    # --- inbox: how far each stream was applied

    def received(self, peer: str, inc: str) -> int:
        """Return up to which number the stream was applied, 0 before the first."""
        ...

    def lock_stream(self, peer: str, inc: str, wall_ms: int) -> int:
        """Return the same, and keep other consumers of this stream waiting until this transaction ends."""
        ...

    def advance(self, peer: str, ack: Ack, wall_ms: int) -> None:
        """Note that the (locked) stream was applied up to ``ack.upto``; it never goes back."""
        ...

    def newest(self, peer: str) -> Ack:
        """Return how far the stream of ``peer`` that advanced last was applied; an empty incarnation if there is none."""
        ...

    # --- messages that arrived before their predecessors

    def early(self, peer: str, inc: str, seq: int) -> bytes | None:
        """Return the early envelope of this number."""
        ...

    def keep_early(self, peer: str, inc: str, seq: int, envelope: bytes) -> None:
        """Keep an envelope for later; one kept before stays."""
        ...

    def forget_early(self, peer: str, inc: str, upto: int) -> None:
        """Drop what was kept up to this number."""
        ...

    def step(self) -> AbstractContextManager[object]:
        """Give a savepoint: what the caller changes inside, here or in its own rows, is undone if it raises."""
        ...
