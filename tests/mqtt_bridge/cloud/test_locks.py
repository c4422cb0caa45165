"""Who waits for whom on the production database: a device's sales for nobody, and what the server interrupts is repeated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from mqtt_bridge.cloud.catalogues import Catalogues
from mqtt_bridge.cloud.incoming import Incoming, Outcome
from mqtt_bridge.cloud.opened import Opened
from mqtt_bridge.cloud.planning import Overtaken, plan_quotas
from mqtt_bridge.cloud.reconcile import Batch
from mqtt_bridge.cloud.rows import Lock, Rows
from mqtt_bridge.cloud.session_changes import cancel_session
from mqtt_bridge.cloud.sql import SqlRows, SqlStore
from mqtt_bridge.cloud.store import open_cloud, register_device
from mqtt_bridge.protocol.messages import Ack, AllocationReturned
from mqtt_bridge.protocol.stock import Totals
from tests.mqtt_bridge.cloud.world import ORG, FakeDevice, World, import_into
from tests.support import postgresql

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql.running() as started:
        yield started


@pytest.fixture
def world(url: str) -> Iterator[World]:
    with made(url) as world:
        yield world


@contextmanager
def made(url: str) -> Iterator[World]:
    """A fresh schema."""
    postgresql.empty(url)
    opened = open_cloud(url)
    world = World(opened)
    import_into(world)
    yield world
    opened.close()


def batch(world: World, rows: Rows) -> Batch:
    return Batch(rows, ORG, world.now_ms, Catalogues(), Opened(), SqlStore.failures)


def far(outcome: Outcome) -> dict[tuple[str, str], int]:
    """How far each stream was applied."""
    return {stream: ack.upto for stream, ack in outcome.acks.items()}


def apply(world: World, db: Connection, device: FakeDevice, *envelopes: bytes) -> Outcome:
    """Apply messages in an open transaction that waits for no lock."""
    db.exec_driver_sql("SET LOCAL lock_timeout = '1ms'")
    return batch(world, SqlRows(db)).run([Incoming(device.name, "msg", each) for each in envelopes], Lock.CHANGE)


def test_sales_and_returns_wait_neither_for_a_quota_nor_for_another_device(world: World) -> None:
    """Three transactions at once: one holds the quota and the cloud, two apply what devices with that quota sold."""
    register_device(world.database, "yard-1", "yard", 0)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    hall_sale, yard_sale = hall.sell("o1", 2), yard.sell("o2", 3)
    yard.totals = Totals(yard.totals.granted, returned=1, sold=3)
    given_back = yard.envelope(AllocationReturned((yard.count(),)))
    with world.database.write() as third, world.database.write() as first, world.database.write() as second:
        third.execute(sa.text("SELECT * FROM quota FOR UPDATE"))
        third.execute(sa.text("SELECT * FROM cloud FOR UPDATE"))
        assert far(apply(world, first, hall, hall_sale)) == {("hall-1", "life-1"): 1}
        # Also a sale that the hall's door must hear of: its outbox gets a number later, under its own lock.
        assert far(apply(world, second, yard, yard_sale, given_back)) == {("yard-1", "life-1"): 2}
        waiting = third.execute(sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one()
    assert waiting == 0
    totals = world.totals()
    assert (totals["hall-1", hall.epoch].sold, totals["yard-1", yard.epoch].sold) == (2, 3)
    assert totals["yard-1", yard.epoch].returned == 1


def test_a_second_reconciler_with_the_same_messages_waits_for_the_first_and_changes_nothing(world: World) -> None:
    hall = world.add("hall-1", "hall")
    sale = hall.sell("o1", 2)
    with ThreadPoolExecutor(1) as other:
        with world.database.write() as first:
            apply(world, first, hall, sale)
            again = other.submit(
                SqlStore(world.database).run,
                lambda rows: batch(world, rows).run([Incoming("hall-1", "msg", sale)], Lock.CHANGE),
            )
            with pytest.raises(TimeoutError):
                again.result(0.3)
        assert far(again.result(10)) == {("hall-1", "life-1"): 1}
    assert world.totals()["hall-1", hall.epoch].sold == 2
    assert world.scalar("SELECT count(*) FROM orders") == 1


def test_what_meets_the_row_that_another_adds_at_that_instant_is_tried_again_and_applied(world: World) -> None:
    """Two devices sell for a date that no catalogue names; whoever commits second finds the alarm of the first."""
    register_device(world.database, "yard-1", "yard", 0)
    hall, yard = world.add("hall-1", "hall"), world.add("yard-1", "yard")
    first_sale, second_sale = hall.sell("o1", session="nowhere"), yard.sell("o2", session="nowhere")
    with ThreadPoolExecutor(1) as other:
        with world.database.write() as first:
            apply(world, first, hall, first_sale)
            told = other.submit(world.tell, yard, second_sale)
            with pytest.raises(TimeoutError):
                told.result(0.3)
        told.result(10)
    assert world.alarms() == {"unknown-session"}
    assert world.scalar("SELECT count FROM alarm") == 2
    assert world.scalar("SELECT count(*) FROM orders") == 2
    assert world.totals()["yard-1", yard.epoch].sold == 1


def test_a_sale_that_is_applied_while_its_date_is_cancelled_is_listed(world: World) -> None:
    hall = world.add("hall-1", "hall")
    with ThreadPoolExecutor(1) as operator:
        with world.database.write() as first:
            apply(world, first, hall, hall.sell("o1", 2))
            cancelled = operator.submit(cancel_session, world.database, "s", "op", world.now_ms)
            with pytest.raises(TimeoutError):
                cancelled.result(0.3)
        assert "2 tickets of 1 booking listed for repair" in cancelled.result(10)
    world.tell(hall, hall.sell("o2"))
    assert world.rows("SELECT order_id FROM contradiction ORDER BY id") == [("o1",), ("o2",)]


def test_nothing_is_granted_to_a_life_that_ends_meanwhile(world: World) -> None:
    hall = world.add("hall-1", "hall")
    world.tell(hall, hall.sell("o1", hall.totals.granted))
    import_into(world, limit=100)
    with world.database.write() as db:
        db.execute(sa.text("UPDATE allocation SET wanted_to = 60, wanted_at_ms = :now"), {"now": world.now_ms})
    old = world.totals()
    with ThreadPoolExecutor(1) as planner:
        with world.database.write() as db:
            db.execute(sa.text("SELECT * FROM device WHERE name = 'hall-1' FOR UPDATE"))
            db.execute(sa.text("UPDATE device SET epoch = epoch + 1, inc = 'life-2'"))
            planned = planner.submit(
                SqlStore(world.database).run, lambda rows: plan_quotas(rows, ["q"], world.now_ms, Catalogues())
            )
            with pytest.raises(TimeoutError):
                planned.result(0.3)
        with pytest.raises(Overtaken):
            planned.result(10)
    assert world.totals() == old


HICCUP = """
CREATE SEQUENCE hiccup;
CREATE FUNCTION hiccup() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF nextval('hiccup') <= 3 THEN RAISE EXCEPTION 'restart transaction' USING ERRCODE = '{code}'; END IF;
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER hiccup AFTER INSERT ON {table} {when} FOR EACH ROW EXECUTE FUNCTION hiccup();
"""


@pytest.mark.parametrize("code", ["40001", "40P01"])
@pytest.mark.parametrize("when", ["NOT DEFERRABLE", "DEFERRABLE INITIALLY DEFERRED"])
@pytest.mark.parametrize("table", ["orders", "applied"])
def test_what_the_server_asks_to_repeat_is_repeated(world: World, code: str, when: str, table: str) -> None:
    """Serialization failures and deadlocks, in a statement and at COMMIT: a cluster raises them at any time."""
    hall = world.add("hall-1", "hall")
    with world.database.write() as db:
        db.exec_driver_sql(HICCUP.format(code=code, when=when, table=table))
    world.tell(hall, hall.sell("o1", 2))
    assert world.acked("hall-1") == Ack("life-1", 1)
    assert world.totals()["hall-1", hall.epoch].sold == 2
    assert world.scalar("SELECT last_value FROM hiccup") == 4
    assert world.alarms() == set()


def test_everything_holds_under_serializable_isolation_too(url: str) -> None:
    """Three reconcilers at once, each with all messages of three devices in another order, planning as they go."""
    with made(f"{url}&isolation=serializable") as world:
        with world.database.write() as db:
            assert db.execute(sa.text("SHOW transaction_isolation")).scalar_one() == "serializable"
        _three_at_once(world)


def _three_at_once(world: World) -> None:
    names = (("hall-1", "hall"), ("yard-1", "yard"), ("yard-2", "yard"))
    for name, venue in names:
        register_device(world.database, name, venue, 0)
    devices = [world.add(name, venue) for name, venue in names]
    messages = [Incoming(each.name, "msg", each.sell(f"{each.name}-{k}")) for each in devices for k in range(7)]
    store = SqlStore(world.database)

    def take(part: list[Incoming], rows: Rows) -> Outcome:
        return batch(world, rows).run(part, Lock.CHANGE)

    def reconcile(seed: int) -> None:
        mine = list(messages)
        random.Random(seed).shuffle(mine)
        for start in range(0, len(mine), 3):
            store.run(partial(take, mine[start : start + 3]))
            store.run(lambda rows: plan_quotas(rows, ["q"], world.now_ms, Catalogues()))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(reconcile, range(3)))
    totals = world.totals()
    assert [totals[each.name, each.epoch].sold for each in devices] == [7, 7, 7]
    assert world.scalar("SELECT count(*) FROM ticket") == 21
    assert sum(each.granted for each in totals.values()) <= 25
    assert world.pool() >= 0
    assert world.alarms() == set()
