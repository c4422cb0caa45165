"""The mailbox's rows in dictionaries: for tests and the simulator, where a crash undoes and a cloned card copies them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NamedTuple

from mqtt_bridge.journal import Journal, Table
from mqtt_bridge.mailbox.rows import Outgoing
from mqtt_bridge.protocol.messages import Ack


class _Kept(NamedTuple):
    row: Outgoing
    acked_at_ms: int | None


class _Span(NamedTuple):
    """The numbers of one outgoing stream: ``first`` not yet pruned, all up to ``acked`` acknowledged, ``last`` given."""

    first: int = 1
    acked: int = 0
    last: int = 0


class _Applied(NamedTuple):
    upto: int
    updated_at_ms: int


Stream = tuple[str, str]


class MemoryMail:
    """A ``Mail`` without a database; ``journal`` belongs to whoever opens and ends transactions."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._out: Table[tuple[str, str, int], _Kept] = Table(journal)
        self._spans: Table[Stream, _Span] = Table(journal)
        self._in: Table[Stream, _Applied] = Table(journal)
        self._early: Table[tuple[str, str, int], bytes] = Table(journal)

    def copy(self, journal: Journal) -> MemoryMail:
        """Return an independent copy, as a cloned card would hold it."""
        twin = MemoryMail(journal)
        for mine, other in zip(self._tables(), twin._tables(), strict=True):
            other.rows.update(mine.rows)
        return twin

    def _tables(self) -> tuple[Table[tuple[str, ...], object], ...]:
        return (self._out, self._spans, self._in, self._early)  # type: ignore[return-value]  # copied pairwise

    @property
    def size(self) -> int:
        """How many rows there are."""
        return sum(len(each.rows) for each in self._tables())

    @property
    def addressees(self) -> set[str]:
        """To whom something is unacknowledged."""
        return {peer for (peer, _), span in self._spans.rows.items() if span.acked < span.last}

    @property
    def received_rows(self) -> int:
        """How many rows streams and early messages of others take."""
        return len(self._in.rows) + len(self._early.rows)

    # --- outbox

    def next_seq(self, peer: str, inc: str) -> int:
        return self.last_seq(peer, inc) + 1

    def last_seq(self, peer: str, inc: str) -> int:
        return self._span(peer, inc).last

    def last_envelope(self, peer: str, inc: str) -> bytes | None:
        kept = self._out.get((peer, inc, self.last_seq(peer, inc)))
        return None if kept is None else kept.row.envelope

    def put(self, peer: str, row: Outgoing) -> None:
        span = self._span(peer, row.inc)
        self._out.put((peer, row.inc, row.seq), _Kept(row, None))
        self._spans.put((peer, row.inc), span._replace(last=row.seq))

    def streams(self, peer: str) -> dict[str, int]:
        waiting = [
            (self._out.rows[peer, inc, span.acked + 1].row.created_at_ms, inc, span.acked)
            for (to, inc), span in self._spans.rows.items()
            if to == peer and span.acked < span.last
        ]
        return {inc: acked for _, inc, acked in sorted(waiting)}

    def incarnations(self, peer: str) -> list[str]:
        return sorted(inc for to, inc in self._spans.rows if to == peer)

    def unacked(self, peer: str, inc: str, after_seq: int = 0, limit: int | None = None) -> list[Outgoing]:
        span = self._span(peer, inc)
        start = max(span.acked, after_seq) + 1
        end = span.last if limit is None else min(span.last, start + limit - 1)
        return [self._out.rows[peer, inc, seq].row for seq in range(start, end + 1)]

    def acknowledge(self, peer: str, ack: Ack, wall_ms: int) -> int:
        span = self._span(peer, ack.inc)
        upto = min(ack.upto, span.last)
        if upto <= span.acked:
            return 0
        self._mark(peer, ack.inc, span.acked + 1, upto, wall_ms)
        self._spans.put((peer, ack.inc), span._replace(acked=upto))
        return upto - span.acked

    def rewind(self, peer: str, ack: Ack) -> int:
        span = self._span(peer, ack.inc)
        upto = max(ack.upto, span.first - 1)
        if upto >= span.acked:
            return 0
        self._mark(peer, ack.inc, upto + 1, span.acked, None)
        self._spans.put((peer, ack.inc), span._replace(acked=upto))
        return span.acked - upto

    def backlog(self, peer: str) -> tuple[int, int]:
        streams = self.streams(peer)
        count = sum(self._span(peer, inc).last - acked for inc, acked in streams.items())
        oldest = [self._out.rows[peer, inc, acked + 1].row.created_at_ms for inc, acked in streams.items()]
        return count, min(oldest, default=0)

    def prune(self, peer: str, before_ms: int) -> int:
        count = 0
        for (to, inc), span in list(self._spans.rows.items()):
            first = span.first
            while to == peer and first < span.last and self._acked_before(peer, inc, first, before_ms):
                self._out.drop((peer, inc, first))
                first += 1
            if first != span.first:
                self._spans.put((peer, inc), span._replace(first=first))
            count += first - span.first
        return count

    def _span(self, peer: str, inc: str) -> _Span:
        return self._spans.get((peer, inc), _Span())

    def _mark(self, peer: str, inc: str, first: int, last: int, acked_at_ms: int | None) -> None:
        for seq in range(first, last + 1):
            self._out.put((peer, inc, seq), self._out.rows[peer, inc, seq]._replace(acked_at_ms=acked_at_ms))

    def _acked_before(self, peer: str, inc: str, seq: int, before_ms: int) -> bool:
        acked_at_ms = self._out.rows[peer, inc, seq].acked_at_ms
        return acked_at_ms is not None and acked_at_ms < before_ms

    # --- inbox

    def received(self, peer: str, inc: str) -> int:
        return self._in.get((peer, inc), _Applied(0, 0)).upto

    def lock_stream(self, peer: str, inc: str, wall_ms: int) -> int:
        if self._in.get((peer, inc)) is None:
            self._in.put((peer, inc), _Applied(0, wall_ms))
        return self.received(peer, inc)

    def advance(self, peer: str, ack: Ack, wall_ms: int) -> None:
        if ack.upto > self.received(peer, ack.inc):
            self._in.put((peer, ack.inc), _Applied(ack.upto, wall_ms))

    def newest(self, peer: str) -> Ack:
        theirs = [(row.updated_at_ms, inc, row.upto) for (of, inc), row in self._in.rows.items() if of == peer]
        _, inc, upto = max(theirs, default=(0, "", 0))
        return Ack(inc, upto)

    def early(self, peer: str, inc: str, seq: int) -> bytes | None:
        return self._early.get((peer, inc, seq))

    def keep_early(self, peer: str, inc: str, seq: int, envelope: bytes) -> None:
        if self.early(peer, inc, seq) is None:
            self._early.put((peer, inc, seq), envelope)

    def forget_early(self, peer: str, inc: str, upto: int) -> None:
        for key in [key for key in self._early.rows if key[:2] == (peer, inc) and key[2] <= upto]:
            self._early.drop(key)

    def step(self) -> AbstractContextManager[object]:
        return self._journal.step()
