"""The outboxes of all devices at once, in memory, on SQLite and on the production database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mqtt_bridge.cloud.memory import MemoryStore
from mqtt_bridge.cloud.records import Device
from mqtt_bridge.cloud.rows import Head, Rows, Store, Want
from mqtt_bridge.cloud.sql import SqlStore
from mqtt_bridge.cloud.store import open_cloud
from mqtt_bridge.mailbox.rows import Outgoing
from mqtt_bridge.protocol.messages import Ack
from tests.support import postgresql


@contextmanager
def in_memory(_folder: Path) -> Iterator[Store]:
    yield MemoryStore()


@contextmanager
def on_sqlite(folder: Path) -> Iterator[Store]:
    opened = open_cloud(folder / "cloud.db")
    yield SqlStore(opened)
    opened.close()


@contextmanager
def on_postgresql(_folder: Path) -> Iterator[Store]:
    with postgresql.running() as url:
        opened = open_cloud(url)
        yield SqlStore(opened)
        opened.close()


@pytest.fixture(params=[in_memory, on_sqlite, pytest.param(on_postgresql, marks=pytest.mark.system)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with request.param(tmp_path) as made:
        made.run(lambda rows: rows.insert([device("hall"), device("loft"), device("yard", link_up=False)]))
        yield made


def device(name: str, *, link_up: bool = True) -> Device:
    return Device(name, name, "live", True, 0, link_up=link_up)


def row(inc: str, seq: int, at_ms: int = 0) -> Outgoing:
    return Outgoing(inc, seq, "TestMessage", b'\x00\\"{' + bytes([seq]), at_ms)


def post(store: Store, *rows: tuple[str, Outgoing]) -> None:
    store.run(lambda found: found.outboxes.post(rows))


def look(store: Store, query: Callable[[Rows], object]) -> object:
    return store.look(query)


def test_each_stream_stands_at_its_first_unacknowledged_message_and_a_devices_oldest_comes_first(store: Store) -> None:
    post(store, *[("hall", row("2.new", seq, 500 + seq)) for seq in (1, 2)])
    post(store, *[("hall", row("9.old", seq, 100 + seq)) for seq in (1, 2, 3)])
    post(store, ("loft", row("2.new", 1, 7)), ("yard", row("2.new", 1, 8)))
    store.run(lambda rows: rows.mail.acknowledge("hall", Ack("9.old", 1), 900))
    heads = [Head("hall", "9.old", 2, 102), Head("hall", "2.new", 1, 501), Head("loft", "2.new", 1, 7)]
    assert look(store, lambda rows: rows.outboxes.heads()) == heads, "yard is not linked"
    store.run(lambda rows: rows.mail.acknowledge("loft", Ack("2.new", 1), 900))
    assert look(store, lambda rows: rows.outboxes.heads()) == heads[:2]


def test_only_what_is_unacknowledged_after_a_number_and_has_room_is_given_in_the_order_asked_for(store: Store) -> None:
    post(store, *[("hall", row("a", seq)) for seq in range(1, 6)], *[("loft", row("a", seq)) for seq in range(1, 4)])
    store.run(lambda rows: rows.mail.acknowledge("hall", Ack("a", 2), 900))
    wants = [Want("loft", "a", 1, 5), Want("hall", "a", 0, 2), Want("hall", "b", 0, 9)]
    assert look(store, lambda rows: rows.outboxes.unacked(wants)) == [
        ("loft", row("a", 2)),
        ("loft", row("a", 3)),
        ("hall", row("a", 3)),
        ("hall", row("a", 4)),
    ]
    assert look(store, lambda rows: rows.outboxes.unacked([])) == []


def test_acks_count_for_their_own_streams_and_a_number_beyond_the_last_means_all(store: Store) -> None:
    post(store, *[("hall", row("a", seq)) for seq in (1, 2, 3)], *[("loft", row("a", seq)) for seq in (1, 2)])
    acks = [("hall", Ack("a", 2)), ("loft", Ack("a", 2**62)), ("loft", Ack("b", 1)), ("yard", Ack("a", 1))]
    store.run(lambda rows: rows.outboxes.acknowledge(acks, 900))
    assert look(store, lambda rows: rows.outboxes.heads()) == [Head("hall", "a", 3, 0)]
    assert look(store, lambda rows: rows.mail.backlog("loft")) == (0, 0)
    store.run(lambda rows: rows.outboxes.acknowledge([], 900))


def test_who_owes_an_ack_of_a_kind_of_message_is_known(store: Store) -> None:
    post(store, ("hall", row("a", 1)), ("hall", row("a", 2)), ("loft", row("a", 1)), ("yard", row("a", 1)))
    store.run(lambda rows: rows.outboxes.acknowledge([("loft", Ack("a", 1))], 900))
    assert look(store, lambda rows: rows.outboxes.owing(["hall", "loft"], "TestMessage")) == {"hall"}
    assert look(store, lambda rows: rows.outboxes.owing(["hall", "yard"], "Other")) == set()


def test_numbers_go_on_after_the_last_one_also_where_all_of_it_is_acknowledged(store: Store) -> None:
    post(store, ("hall", row("a", 1)), ("hall", row("a", 2)), ("loft", row("b", 9)))
    store.run(lambda rows: rows.mail.acknowledge("hall", Ack("a", 2), 900))
    assert look(store, lambda rows: rows.outboxes.last_seqs(["hall", "loft"], "a")) == {"hall": 2, "loft": 0}
