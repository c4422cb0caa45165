"""The inbox of a batch in its working set; the outbox goes straight to the rows."""

from __future__ import annotations

from contextlib import AbstractContextManager

from mqtt_bridge.cloud.records import Early, Stream
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.mailbox.rows import Outgoing
from mqtt_bridge.protocol.messages import Ack


class WorkMail:
    """A ``mailbox.rows.Mail``. The caller holds the device's lock, so its streams need none of their own."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._mail = work.rows.mail
        self._streams = work.of(Stream)
        self._early = work.of(Early)

    # --- inbox

    def received(self, peer: str, inc: str) -> int:
        known = self._streams.get(peer, inc)
        return 0 if known is None else known.upto

    def lock_stream(self, peer: str, inc: str, wall_ms: int) -> int:
        known = self._streams.get(peer, inc)
        if known is None:
            known = self._streams.add(Stream(peer, inc, 0, wall_ms))
        return known.upto

    def advance(self, peer: str, ack: Ack, wall_ms: int) -> None:
        known = self._streams.get(peer, ack.inc)
        if known is not None and ack.upto > known.upto:
            self._streams.change(known, upto=ack.upto, updated_at_ms=wall_ms)

    def newest(self, peer: str) -> Ack:
        return self._mail.newest(peer)

    def early(self, peer: str, inc: str, seq: int) -> bytes | None:
        if not self._early.where("peer", peer):
            return None
        known = self._early.peek(peer, inc, seq)
        return None if known is None else known.envelope

    def keep_early(self, peer: str, inc: str, seq: int, envelope: bytes) -> None:
        if self.early(peer, inc, seq) is None:
            self._early.add(Early(peer, inc, seq, envelope))

    def forget_early(self, peer: str, inc: str, upto: int) -> None:
        for each in self._early.where("peer", peer):
            if each.inc == inc and each.seq <= upto:
                self._early.remove(each)

    def step(self) -> AbstractContextManager[object]:
        return self._work.step()

    # --- outbox

    def next_seq(self, peer: str, inc: str) -> int:
        return self._mail.next_seq(peer, inc)

    def last_seq(self, peer: str, inc: str) -> int:
        return self._mail.last_seq(peer, inc)

    def last_envelope(self, peer: str, inc: str) -> bytes | None:
        return self._mail.last_envelope(peer, inc)

    def put(self, peer: str, row: Outgoing) -> None:
        self._mail.put(peer, row)

    def streams(self, peer: str) -> dict[str, int]:
        return self._mail.streams(peer)

    def incarnations(self, peer: str) -> list[str]:
        return self._mail.incarnations(peer)

    def unacked(self, peer: str, inc: str, after_seq: int = 0, limit: int | None = None) -> list[Outgoing]:
        return self._mail.unacked(peer, inc, after_seq, limit)

    def acknowledge(self, peer: str, ack: Ack, wall_ms: int) -> int:
        return self._mail.acknowledge(peer, ack, wall_ms)

    def rewind(self, peer: str, ack: Ack) -> int:
        return self._mail.rewind(peer, ack)

    def backlog(self, peer: str) -> tuple[int, int]:
        return self._mail.backlog(peer)

    def prune(self, peer: str, before_ms: int) -> int:
        return self._mail.prune(peer, before_ms)
