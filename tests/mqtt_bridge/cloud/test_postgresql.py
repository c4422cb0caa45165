"""The production database: same tables, same rows, and processes that truly run side by side."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from mqtt_bridge import connections
from mqtt_bridge.cloud import tables
from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.incoming import Incoming, Outcome
from mqtt_bridge.cloud.opened import Opened
from mqtt_bridge.cloud.planning import plan_quotas
from mqtt_bridge.cloud.reconcile import Batch
from mqtt_bridge.cloud.records import Cloud, Device
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.cloud.sql import SqlRows, SqlStore
from mqtt_bridge.cloud.store import open_cloud, register_device
from mqtt_bridge.database import Database
from mqtt_bridge.mailbox import tables as mailbox
from mqtt_bridge.protocol.messages import Ack, CheckedIn, PaymentTaken
from tests.mqtt_bridge.cloud import test_waitlist
from tests.mqtt_bridge.cloud.world import ORG, World, import_into
from tests.support import postgresql

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql.running() as started:
        yield started


@pytest.fixture
def world(url: str) -> Iterator[World]:
    """A fresh schema for every test."""
    postgresql.empty(url)
    opened = open_cloud(url)
    made = World(opened)
    import_into(made)
    yield made
    opened.close()


def test_the_migrations_lead_to_the_tables_of_the_code_here_too(world: World) -> None:
    merged = MetaData()
    for table in (*tables.metadata.tables.values(), *mailbox.metadata.tables.values()):
        table.to_metadata(merged)
    with world.database.read() as db:
        context = MigrationContext.configure(db, opts={"version_table": "cloud_version"})
        assert compare_metadata(context, merged) == []


def test_several_processes_may_open_an_empty_database_at_once(world: World, url: str) -> None:
    with world.database.write() as db:
        db.exec_driver_sql("DROP SCHEMA public CASCADE")
        db.exec_driver_sql("CREATE SCHEMA public")
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: open_cloud(url), range(4)))
    assert world.scalar("SELECT count(*) FROM cloud") == 1
    for each in opened:
        each.close()


def test_repeated_and_reordered_messages_count_once(world: World) -> None:
    hall = world.add("hall-1", "hall")
    envelopes = [hall.sell(f"o{k}", 1 + k % 3) for k in range(6)]
    shuffled = envelopes * 3
    random.Random(3).shuffle(shuffled)
    world.tell(hall, *shuffled)
    assert world.totals()["hall-1", hall.epoch].sold == 12
    assert world.acked("hall-1") == Ack("life-1", 6)
    assert world.alarms() == set()


def test_values_that_only_this_database_refuses_do_not_block_the_stream(world: World) -> None:
    """NUL in a text and a number over 64 bits."""
    hall = world.add("hall-1", "hall")
    nul = CheckedIn("c\x001", "refused", "unknown", None, None, "A7", 1)
    huge = PaymentTaken("o1", "p1", "cash", 2**70, "EUR", "A7", True, ())
    world.tell(hall, hall.envelope(nul), hall.envelope(huge), hall.sell("o1"))
    assert world.acked("hall-1") == Ack("life-1", 3)
    assert world.totals()["hall-1", hall.epoch].sold == 1
    assert world.alarms() == {"indigestible"}


def test_reconcilers_in_parallel_count_every_message_once_and_grant_no_ticket_twice(world: World) -> None:
    """Four at once, each with all messages of both devices in another order."""
    register_device(world.database, "yard-1", "yard", 0)
    devices = [world.add("hall-1", "hall"), world.add("yard-1", "yard")]
    messages = [
        Incoming(device.name, "msg", device.sell(f"{device.name}-{k}")) for device in devices for k in range(11)
    ]

    store = SqlStore(world.database)

    def apply(part: list[Incoming], rows: Rows) -> Outcome:
        return Batch(rows, ORG, world.now_ms, Catalogues(), Opened(), store.failures).run(part, Lock.CHANGE)

    def reconcile(seed: int) -> None:
        mine = list(messages)
        random.Random(seed).shuffle(mine)
        for start in range(0, len(mine), 4):
            store.run(partial(apply, mine[start : start + 4]))
            store.run(lambda rows: plan_quotas(rows, ["q"], world.now_ms, Catalogues()))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(reconcile, range(4)))
    totals = world.totals()
    assert [totals[each.name, each.epoch].sold for each in devices] == [11, 11]
    assert world.scalar("SELECT count(*) FROM ticket") == 22
    assert world.pool() >= 0
    assert sum(each.granted for each in totals.values()) <= 25
    assert world.alarms() == set()


@pytest.mark.parametrize(
    "story",
    [
        test_waitlist.test_a_cancel_at_one_venue_serves_who_joined_first_at_another,
        test_waitlist.test_the_replacement_of_a_sealed_device_takes_over_its_people_in_order,
        test_waitlist.test_an_offer_is_counted_once_past_those_before_it,
    ],
    ids=lambda story: story.__name__,
)
def test_the_waitlist_is_one_fair_line_here_too(world: World, story: Callable[[World], None]) -> None:
    story(world)


def test_a_connection_that_the_server_closed_costs_one_transaction_at_most(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of one it is an error of the database; between two, after a pause, nobody notices."""

    def cut_off(db: Connection) -> None:
        _end(world, _pid(db))
        SqlRows(db).gather([(Device, "name", ["hall-1"]), (Cloud, "id", [1])])

    with pytest.raises(SqlStore.failures):
        world.database.run(cut_off)
    known = world.database.run(_pid)
    assert world.database.run(_pid) == known
    monkeypatch.setattr(connections, "TRUSTED_S", 0.0)
    _end(world, known)
    assert world.database.run(_pid) != known


def _pid(db: Connection) -> int:
    return int(db.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def _end(world: World, pid: int) -> None:
    other = Database(world.database.url.render_as_string(hide_password=False))
    with other.read() as db:
        assert db.exec_driver_sql(f"SELECT pg_terminate_backend({pid}, 5000)").scalar_one()
    other.close()
