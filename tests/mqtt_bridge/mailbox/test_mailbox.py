"""Outbox and inbox over a network that loses, repeats and reorders: applied exactly once, in order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.pool import StaticPool

from mqtt_bridge.journal import Journal
from mqtt_bridge.mailbox import receiver, sender, tables
from mqtt_bridge.mailbox.machine import WINDOW
from mqtt_bridge.mailbox.memory import MemoryMail
from mqtt_bridge.mailbox.pump import Pump
from mqtt_bridge.mailbox.rows import Mail
from mqtt_bridge.mailbox.sql import SqlMail
from mqtt_bridge.protocol.codec import decode, digest, encode, key_id, open_envelope, public_key, seal_envelope
from mqtt_bridge.protocol.errors import ProtocolError
from mqtt_bridge.protocol.messages import Ack, CheckInUndone, Content, Envelope, Private
from mqtt_bridge.protocol.privacy import without_private


class Key:
    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()
        self.public = self._key.public_key().public_bytes_raw()
        self.kid = key_id(self.public)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


KEY = Key()
PUBLIC = public_key(KEY.public.hex())


class Tables:
    """Rows in a database in memory; a raised exception rolls back."""

    def __init__(self) -> None:
        self._engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
        event.listen(self._engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
        event.listen(self._engine, "begin", lambda db: db.exec_driver_sql("BEGIN"))
        tables.metadata.create_all(self._engine)

    @contextmanager
    def open(self) -> Iterator[Mail]:
        with self._engine.begin() as db:
            yield SqlMail(db)

    def kept(self) -> int:
        with self._engine.begin() as db:
            counts = [
                db.execute(select(func.count()).select_from(each)).scalar_one()
                for each in (tables.inbox, tables.inbox_early)
            ]
        return sum(counts)

    def close(self) -> None:
        self._engine.dispose()


class Memory:
    """The same in dictionaries."""

    def __init__(self) -> None:
        self._journal = Journal()
        self._mail = MemoryMail(self._journal)

    @contextmanager
    def open(self) -> Iterator[Mail]:
        try:
            yield self._mail
        except BaseException:
            self._journal.roll_back()
            raise
        self._journal.commit()

    def kept(self) -> int:
        return self._mail.received_rows

    def close(self) -> None:
        pass


Rows = Tables | Memory
KINDS = (Tables, Memory)


@pytest.fixture(params=KINDS, ids=["tables", "memory"])
def rows(request: pytest.FixtureRequest) -> Iterator[Rows]:
    made: Rows = request.param()
    yield made
    made.close()


def opened(payload: bytes) -> tuple[Content, Private | None]:
    envelope = decode(payload, Envelope)
    return open_envelope(envelope, PUBLIC), envelope.private


def put(mail: Mail, name: str, inc: str = "life-1", private: Private | None = None) -> int:
    body = CheckInUndone(name, None, "")
    return sender.enqueue(
        mail, "cloud", inc, body, signer=KEY, org="o", sender="venue-1", origin="venue-1", wall_ms=1, private=private
    )


class Network(RuleBasedStateMachine):
    """A sender, a receiver, and envelopes and acks under way that may be lost, repeated and overtake each other."""

    kind: type[Tables | Memory] = Tables

    def __init__(self) -> None:
        super().__init__()
        self.edge, self.cloud = self.kind(), self.kind()
        self.pump = Pump("cloud")
        self.now_ms = 0
        self.emitted: list[str] = []
        self.applied: list[str] = []
        self.envelopes: list[bytes] = []
        self.acks: list[Ack] = []

    def teardown(self) -> None:
        """Let the network be kind for a while: everything arrives."""
        for _ in range(200):
            if self.backlog() == 0:
                break
            self.pass_time(40_000)
            while self.envelopes:
                self.deliver_first()
            while self.acks:
                self.acknowledge(0)
        assert self.applied == self.emitted
        assert self.backlog() == 0
        assert self.cloud.kept() <= 1
        self.edge.close()
        self.cloud.close()

    def backlog(self) -> int:
        with self.edge.open() as mail:
            return mail.backlog("cloud")[0]

    @rule(count=st.integers(1, 5))
    def emit(self, count: int) -> None:
        with self.edge.open() as mail:
            for _ in range(count):
                self.emitted.append(f"fact {len(self.emitted)}")
                put(mail, self.emitted[-1])

    @rule(wait_ms=st.integers(0, 10_000))
    def pass_time(self, wait_ms: int) -> None:
        """The pump sends what is due."""
        self.now_ms += wait_ms
        with self.edge.open() as mail:
            rows = self.pump.due(mail, self.now_ms)
        assert len(rows) <= WINDOW
        for row in rows:
            self.envelopes.append(row.envelope)
            self.pump.sent([row], self.now_ms)

    @rule()
    def reconnect(self) -> None:
        self.pump.restart()

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        """Any envelope under way, before or after the others."""
        self.receive(self.envelopes.pop(data.draw(st.integers(0, len(self.envelopes) - 1))))

    def deliver_first(self) -> None:
        self.receive(self.envelopes.pop(0))

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Delivered, and still under way."""
        self.receive(self.envelopes[data.draw(st.integers(0, len(self.envelopes) - 1))])

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        self.envelopes.pop(data.draw(st.integers(0, len(self.envelopes) - 1)))

    @precondition(lambda self: self.envelopes)
    @rule(data=st.data())
    def crash_while_applying(self, data: st.DataObject) -> None:
        """The receiver's transaction never commits: as if the envelope was lost."""
        envelope = self.envelopes.pop(data.draw(st.integers(0, len(self.envelopes) - 1)))
        before = list(self.applied)
        with pytest.raises(InterruptedError), self.cloud.open() as mail:
            receiver.receive(mail, "venue-1", envelope, opened, self.apply, 1)
            raise InterruptedError
        self.applied = before

    @precondition(lambda self: self.acks)
    @rule(data=st.data(), lost=st.booleans())
    def ack(self, data: st.DataObject, lost: bool) -> None:
        at = data.draw(st.integers(0, len(self.acks) - 1))
        if lost:
            self.acks.pop(at)
        else:
            self.acknowledge(at)

    def acknowledge(self, at: int) -> None:
        with self.edge.open() as mail:
            mail.acknowledge("cloud", self.acks.pop(at), 2)

    def receive(self, envelope: bytes) -> None:
        with self.cloud.open() as mail:
            ack = receiver.receive(mail, "venue-1", envelope, opened, self.apply, 1)
        self.acks.append(ack)

    def apply(self, content: Content, private: Private | None) -> None:
        assert isinstance(content.body, CheckInUndone)
        self.applied.append(content.body.check_in)

    @invariant()
    def what_was_applied_is_a_prefix_of_what_was_emitted(self) -> None:
        assert self.applied == self.emitted[: len(self.applied)]

    @invariant()
    def nothing_leaves_the_backlog_before_it_was_applied(self) -> None:
        assert self.backlog() >= len(self.emitted) - len(self.applied)


class NetworkInMemory(Network):
    kind = Memory


TestNetwork = Network.TestCase
TestNetwork.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
TestNetworkInMemory = NetworkInMemory.TestCase
TestNetworkInMemory.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)


def envelopes_of(rows: Rows) -> list[bytes]:
    with rows.open() as mail:
        return [row.envelope for row in mail.unacked("cloud", "life-1")]


def test_numbers_are_contiguous_per_peer_and_incarnation(rows: Rows) -> None:
    with rows.open() as mail:
        assert [put(mail, "a"), put(mail, "b"), put(mail, "c", "life-2"), put(mail, "d")] == [1, 2, 1, 3]


def test_a_rolled_back_message_leaves_no_gap(rows: Rows) -> None:
    with pytest.raises(InterruptedError), rows.open() as mail:
        put(mail, "never")
        raise InterruptedError
    with rows.open() as mail:
        assert put(mail, "a") == 1


def test_pruning_keeps_the_count(rows: Rows) -> None:
    """Acknowledged rows go after their retention; the next number still follows the last."""
    with rows.open() as mail:
        for name in "abc":
            put(mail, name)
        assert mail.acknowledge("cloud", Ack("life-1", 3), 10) == 3
        assert mail.prune("cloud", 10) == 0
        assert mail.prune("cloud", 11) == 2
        assert put(mail, "d") == 4


def test_an_ack_of_another_life_acknowledges_nothing(rows: Rows) -> None:
    with rows.open() as mail:
        put(mail, "a")
        assert mail.acknowledge("cloud", Ack("life-0", 9), 10) == 0
        assert mail.backlog("cloud") == (1, 1)


def test_a_peer_that_lost_its_rows_gets_them_again(rows: Rows) -> None:
    with rows.open() as mail:
        for name in "abc":
            put(mail, name)
        mail.acknowledge("cloud", Ack("life-1", 3), 10)
        assert mail.rewind("cloud", Ack("life-1", 1)) == 2
        assert [row.seq for row in mail.unacked("cloud", "life-1")] == [2, 3]


def test_each_message_names_the_one_before_it_also_after_that_was_pruned(rows: Rows) -> None:
    """The hash of its signed part, so that taking the personal part out breaks nothing; lives do not follow each other."""
    with rows.open() as mail:
        put(mail, "a", private=Private("salt", "Ada"))
        put(mail, "b")
        first, second = (row.envelope for row in mail.unacked("cloud", "life-1"))
        mail.acknowledge("cloud", Ack("life-1", 2), 5)
        mail.prune("cloud", 6)
        put(mail, "c")
        put(mail, "x", "life-2")
        third, other = (mail.unacked("cloud", inc)[0].envelope for inc in ("life-1", "life-2"))
    told = [opened(each)[0].follows for each in (first, second, third, other)]
    assert told == ["", sender.hash_of(without_private(first)), sender.hash_of(second), ""]


def test_what_an_old_life_left_is_told_by_the_new_one(rows: Rows) -> None:
    """Order, body and personal data stay; numbers, incarnation and signature are new."""
    private = Private("salt", "Ada")
    with rows.open() as mail:
        put(mail, "acked")
        put(mail, "a", private=private)
        put(mail, "b")
        mail.acknowledge("cloud", Ack("life-1", 1), 5)
        put(mail, "new", "life-2")
        assert sender.carry_over(mail, "cloud", "life-1", "life-2", signer=KEY, wall_ms=9) == 2
        assert mail.unacked("cloud", "life-1") == []
        left = mail.unacked("cloud", "life-2")
    told = [opened(row.envelope) for row in left]
    assert [(c.inc, c.seq, c.body.check_in, p) for c, p in told if isinstance(c.body, CheckInUndone)] == [
        ("life-2", 1, "new", None),
        ("life-2", 2, "a", private),
        ("life-2", 3, "b", None),
    ]


def test_an_early_message_that_cannot_be_applied_does_not_undo_those_before_it(rows: Rows) -> None:
    """It is forgotten, so that its repetition fails where the caller sees it; the stream before it is acknowledged."""
    with rows.open() as mail:
        for name in ("a", "b", "c"):
            put(mail, name)
    one, two, three = envelopes_of(rows)
    seen: list[int] = []

    def apply(content: Content, _: Private | None) -> None:
        if content.seq == 2:
            raise RuntimeError("poison")
        seen.append(content.seq)

    def receive(envelope: bytes) -> Ack:
        with rows.open() as mail:
            return receiver.receive(mail, "venue-1", envelope, opened, apply, 1)

    assert receive(two).upto == receive(three).upto == 0
    assert receive(one).upto == 1
    with pytest.raises(RuntimeError, match="poison"):
        receive(two)
    assert seen == [1]
    with rows.open() as mail:
        healed = receiver.receive(mail, "venue-1", two, opened, lambda content, _: seen.append(content.seq), 1)
    assert healed.upto == 3
    assert seen == [1, 2, 3]


def test_a_message_for_somebody_elses_stream_changes_nothing(rows: Rows) -> None:
    """A valid signature of another device, number zero, another signature, too many bytes: refused, no row written."""
    zero = Content(1, "o", "venue-1", "venue-1", "life-1", 0, CheckInUndone("x", None, ""), 1)
    with rows.open() as mail:
        put(mail, "a")
    (good,) = envelopes_of(rows)
    bad = good.replace(b'"sig":"', b'"sig":"00')
    for peer, envelope in [
        ("venue-2", good),
        ("venue-1", encode(seal_envelope(zero, KEY))),
        ("venue-1", bad),
        ("venue-1", good + b" " * receiver.MAX_ENVELOPE_BYTES),
        ("venue-1", b"{}"),
    ]:
        with pytest.raises(ProtocolError), rows.open() as mail:
            receiver.receive(mail, peer, envelope, opened, lambda *_: pytest.fail("applied"), 1)
    assert rows.kept() == 0


def test_numbers_far_ahead_are_not_kept(rows: Rows) -> None:
    """A device cannot fill the receiver's table by skipping numbers."""
    far = Content(1, "o", "venue-1", "venue-1", "life-1", 5_000, CheckInUndone("x", None, ""), 1)
    with rows.open() as mail:
        ack = receiver.receive(mail, "venue-1", encode(seal_envelope(far, KEY)), opened, lambda *_: None, 1)
        assert ack.upto == 0
    assert rows.kept() == 1


def test_streams_of_two_lives_are_sent_side_by_side(rows: Rows) -> None:
    pump = Pump("cloud")
    with rows.open() as mail:
        put(mail, "a")
        put(mail, "b", "life-2")
        due = pump.due(mail, 0)
        assert [(row.inc, row.seq) for row in due] == [("life-1", 1), ("life-2", 1)]
        for row in due:
            pump.sent([row], 0)
        mail.acknowledge("cloud", Ack("life-2", 1), 1)
        assert pump.due(mail, 10) == []
        assert [(row.inc, row.seq) for row in pump.due(mail, 4_000)] == [("life-1", 1)]


def test_an_ack_that_names_another_message_acknowledges_nothing(rows: Rows) -> None:
    """A card that went back in time used numbers again, or has not come to them yet; its own messages it recognises."""
    with rows.open() as mail:
        put(mail, "a")
        put(mail, "b")
        second = digest(decode(mail.unacked("cloud", "life-1")[1].envelope, Envelope).content)
        assert not sender.settle(mail, "cloud", Ack("life-1", 1, second), 5)
        assert not sender.settle(mail, "cloud", Ack("life-1", 3, second), 5)
        assert mail.backlog("cloud")[0] == 2
        assert sender.settle(mail, "cloud", Ack("life-1", 2, second), 5)
        assert mail.backlog("cloud")[0] == 0
        assert sender.settle(mail, "cloud", Ack("life-1", 1, "acknowledged before"), 5)
