"""Remedies carried out: stock is conserved, messages go to whom they concern, nobody decides twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection

from mqtt_bridge.cloud import losses, repair
from mqtt_bridge.cloud.alarms import contradict
from mqtt_bridge.cloud.repair import RepairRefused, apply_remedy, apply_rules, dismiss, set_rule
from mqtt_bridge.cloud.session_changes import cancel_session
from mqtt_bridge.cloud.sql import SqlRows
from mqtt_bridge.cloud.store import apply_catalogue
from mqtt_bridge.cloud.work import Work
from mqtt_bridge.protocol.codec import decode
from mqtt_bridge.protocol.messages import (
    AllocationReturned,
    CancelRefused,
    Content,
    OrderRebooked,
    PaymentTaken,
    RefundOwed,
    RefundPaid,
    ReturnAllocation,
    StockCount,
    TicketsVoided,
    TicketsWithdrawn,
    WaitlistEntrusted,
    WaitlistJoined,
    Wish,
)
from mqtt_bridge.protocol.remedies import Kind
from mqtt_bridge.protocol.stock import Totals
from mqtt_bridge.protocol.waitlist import entry_of
from tests.mqtt_bridge.cloud.restored import Restored, heard
from tests.mqtt_bridge.cloud.town import Town, town_in, two_dates
from tests.mqtt_bridge.cloud.world import FakeDevice
from tests.support import postgresql


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql.running() as started:
        yield started


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.system)])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Town]:
    if request.param == "sqlite":
        with town_in(tmp_path / "cloud.db") as made:
            yield made
        return
    url = request.getfixturevalue("url")
    postgresql.empty(url)
    with town_in(url) as made:
        yield made


def listed(town: Town, kind: Kind, order: str, tickets: list[str]) -> int:
    def run(db: Connection) -> None:
        work = Work(SqlRows(db))
        contradict(work, kind, order, "told", town.now_ms, order=order, event_session="s", tickets=tickets)
        work.write()

    town.database.run(run)
    return town.listed()[-1].id


@pytest.fixture
def roomy(town: Town) -> Town:
    """Enough for every pool to have some."""
    apply_catalogue(town.database, two_dates(hall=400, yard=400), {}, town.now_ms)
    town.tick()
    return town


def pool(town: Town, quota: str) -> int:
    (limit, extra) = town.rows(f"SELECT \"limit\", extra FROM quota WHERE id = '{quota}'")[0]
    (out,) = town.rows(f"SELECT sum(granted - returned + confirmed) FROM allocation WHERE quota = '{quota}'")[0]
    return int(str(limit)) + int(str(extra)) - int(str(out))


def test_rebooking_draws_from_the_pool_and_tells_issuer_and_both_doors(roomy: Town) -> None:
    town = roomy
    town.sold("o1")
    number = listed(town, "oversold", "o1", ["o1-0", "o1-1"])
    before = pool(town, "q2")
    done = apply_remedy(town.database, number, "rebook", "ada", town.now_ms, target="s2")
    assert done == "2 rebooked to The Yard, Wed 15 Nov, 23:13"
    assert pool(town, "q2") == before - 2
    town.tick()
    town.tick()
    (mine,) = [each for each in town.bodies("hall-1") if isinstance(each, OrderRebooked)]
    (theirs,) = [each for each in town.bodies("yard-1") if isinstance(each, OrderRebooked)]
    assert mine == theirs
    assert (mine.issuer, mine.signer, mine.payment, len(mine.swaps)) == ("hall-1", "hall-1", "paid", 2)
    new = [swap.new for swap in mine.swaps]
    assert {(each.ticket_type, each.event_session, each.quota, each.price_minor) for each in new} == {
        ("t2", "s2", "q2", 1250)
    }
    state = town.state("hall-1")
    assert next(each.confirmed for each in state.grants if each.quota == "q2") == 2
    assert [(each.quota, each.totals.confirmed) for each in mine.stock] == [("q2", 2)]
    (done_row,) = town.listed("decided")
    assert (done_row.state, done_row.remedy, done_row.decided_by) == ("resolved", "rebook", "ada")
    town.check_stock()


def test_a_rebooking_that_a_backup_had_still_to_deliver_is_told_in_its_own_name(roomy: Town, tmp_path: Path) -> None:
    """A device that has named the new generation takes no tickets from the lost one."""
    town = roomy
    town.sold("o1")
    number = listed(town, "oversold", "o1", ["o1-0", "o1-1"])
    apply_remedy(town.database, number, "rebook", "ada", town.now_ms, target="s2")
    town.tick()
    saved = Restored(town, tmp_path)
    saved.restore()
    for each in (town.hall, town.yard):
        heard(town, each)
    assert losses.confirm_restored(town.database, "op", town.now_ms) == []
    town.tick()
    for name in ("hall-1", "yard-1"):
        told = [decode(each.content, Content) for each in town.sent(name)]
        (again,) = {each.seq for each in told if isinstance(each.body, OrderRebooked) and each.inc == town.inc}
        assert again >= 1
    town.check_stock()


def test_who_came_in_at_the_old_door_keeps_that_ticket_and_the_new_one_is_withdrawn(roomy: Town) -> None:
    town = roomy
    town.sold("o1")
    number = listed(town, "oversold", "o1", ["o1-0", "o1-1"])
    apply_remedy(town.database, number, "rebook", "ada", town.now_ms, target="s2")
    town.tell(town.hall, town.hall.envelope(CancelRefused("o1", ("o1-0",))))
    town.tick()
    rebooked = next(each for each in town.bodies("yard-1") if isinstance(each, OrderRebooked))
    unused = next(swap.new for swap in rebooked.swaps if swap.old.ticket == "o1-0")
    withdrawn = [each for each in town.bodies("yard-1") if isinstance(each, TicketsWithdrawn)]
    assert [each.tickets for each in withdrawn] == [(unused,)]
    assert town.rows("SELECT replaced_by FROM ticket WHERE id = 'o1-0'") == [(None,)]
    town.check_stock()


def test_a_refund_is_owed_once_the_door_has_voided_and_paying_twice_is_listed(town: Town) -> None:
    town.sold("o1")
    number = listed(town, "oversold", "o1", ["o1-0", "o1-1"])
    assert apply_remedy(town.database, number, "refund", "ada", town.now_ms) == "2 withdrawn: 25.00 EUR to pay back"
    town.tick()
    assert [type(each) for each in town.bodies("hall-1")][-1] is TicketsWithdrawn
    town.tell(town.hall, town.hall.envelope(TicketsVoided("o1", ("o1-0",))))
    town.tick()
    assert town.bodies("hall-1")[-1] == RefundOwed("o1", 1250, "EUR", "voided")
    town.tell(town.hall, town.hall.cancel("o1", 2))
    town.tick()
    assert town.bodies("hall-1")[-1] == RefundOwed("o1", 2500, "EUR", "voided")
    assert town.scalar("SELECT status FROM orders") == "cancelled"
    for payment, device in (("r1", town.hall), ("r2", town.yard)):
        town.tell(device, device.envelope(RefundPaid("o1", payment, "cash", 2500, "EUR", "A7")))
    assert [each.kind for each in town.listed()] == ["paid-back-twice"]
    town.check_stock()


def test_money_for_somebody_who_came_in_is_never_owed(town: Town) -> None:
    town.sold("o1")
    number = listed(town, "oversold", "o1", ["o1-0", "o1-1"])
    apply_remedy(town.database, number, "refund", "ada", town.now_ms)
    town.tell(town.hall, town.hall.envelope(CancelRefused("o1", ("o1-0",))))
    town.tell(town.hall, town.hall.envelope(TicketsVoided("o1", ("o1-1",))))
    town.tick()
    assert town.bodies("hall-1")[-1] == RefundOwed("o1", 1250, "EUR", "voided")


def test_overbooking_somebody_inside_takes_the_pool_first_and_buys_the_rest(roomy: Town) -> None:
    town = roomy
    town.sold("o1", 1)
    town.tell(town.hall, town.hall.cancel("o1", 1))
    town.admit("o1-0")
    (row,) = town.listed()
    assert row.kind == "cancelled-and-admitted"
    before = pool(town, "q")
    assert before > 0
    assert apply_remedy(town.database, row.id, "overbook", "ada", town.now_ms) == "1 counted: no place is oversold"
    assert pool(town, "q") == before - 1
    assert town.scalar("SELECT extra FROM quota WHERE id = 'q'") == 0
    town.check_stock()


def test_what_was_bought_survives_the_next_import(town: Town) -> None:
    with town.database.write() as db:
        db.exec_driver_sql("UPDATE quota SET extra = 3 WHERE id = 'q'")
    apply_catalogue(town.database, two_dates(hall=30), {}, town.now_ms)
    assert town.rows("SELECT \"limit\", extra FROM quota WHERE id = 'q'") == [(30, 3)]


def test_of_two_operators_one_is_told_who_was_faster(roomy: Town) -> None:
    town = roomy
    town.sold("o1")
    number = listed(town, "oversold", "o1", ["o1-0", "o1-1"])

    def decide(remedy: str) -> str:
        target = "s2" if remedy == "rebook" else ""
        try:
            return apply_remedy(town.database, number, remedy, remedy, town.now_ms, target=target)
        except RepairRefused as refusal:
            return f"refused: {refusal}"

    with ThreadPoolExecutor(2) as threads:
        said = list(threads.map(decide, ["rebook", "refund"]))
    assert sum(each.startswith("refused: ") for each in said) == 1
    assert any("has decided this already" in each for each in said)
    town.tick()
    kinds = [type(each) for each in town.bodies("hall-1")]
    assert kinds.count(OrderRebooked) + kinds.count(TicketsWithdrawn) == 1
    with pytest.raises(RepairRefused, match="decided this already"):
        dismiss(town.database, number, "cy", town.now_ms)
    town.check_stock()


def test_a_price_that_grew_since_it_was_shown_is_shown_again(town: Town) -> None:
    town.sold("o1", paid=False)
    number = listed(town, "oversold", "o1", ["o1-0", "o1-1"])
    money = PaymentTaken("o1", "p", "cash", 2500, "EUR", "A7", paid=True, tickets=("o1-0", "o1-1"))
    town.tell(town.hall, town.hall.envelope(money))
    with pytest.raises(RepairRefused, match=r"price has grown.*25\.00 EUR"):
        apply_remedy(town.database, number, "refund", "ada", town.now_ms, seen=(0, 0))
    assert [each.id for each in town.listed()] == [number]
    with pytest.raises(RepairRefused, match="not offered"):
        apply_remedy(town.database, number, "rebook", "ada", town.now_ms, target="s")


def test_what_the_pool_lacks_is_called_back_kept_and_then_rebooked(town: Town) -> None:
    town.sold("o1", 5)
    town.sold("o2", 2)
    first = listed(town, "oversold", "o1", [f"o1-{k}" for k in range(5)])
    second = listed(town, "oversold", "o2", ["o2-0", "o2-1"])
    for number in (first, second):
        words = apply_remedy(town.database, number, "rebook", "ada", town.now_ms, target="s2")
        assert words.startswith("waits for")
    assert apply_remedy(town.database, first, "rebook", "bob", town.now_ms, target="s2").startswith("waits for")
    assert town.rows("SELECT kept FROM quota WHERE id = 'q2'") == [(7,)]
    town.tick()
    for device in (town.hall, town.yard):
        asked = [each for each in town.bodies(device.name) if isinstance(each, ReturnAllocation) and each.quota == "q2"]
        if asked:
            told = Totals(granted=asked[-1].returned, returned=asked[-1].returned)
            back = AllocationReturned((StockCount("q2", device.epoch, told),))
            town.tell(device, device.envelope(back))
    town.tick(5_000)
    assert apply_rules(town.database, town.now_ms) == 2
    assert {(each.remedy, each.decided_by) for each in town.listed("decided")} == {("rebook", "ada")}
    assert town.rows("SELECT kept FROM quota WHERE id = 'q2'") == [(0,)]
    town.check_stock()


def test_more_than_anybody_has_is_refused_and_keeps_nothing(town: Town) -> None:
    town.sold("o1", 11)
    town.sold("o2", 11, by=town.yard)
    town.sold("o3", 3)
    numbers = [listed(town, "oversold", order, []) for order in ("o1", "o2", "o3")]
    for number in numbers[:2]:
        apply_remedy(town.database, number, "rebook", "ada", town.now_ms, target="s2")
    apply_remedy(town.database, numbers[2], "rebook", "ada", town.now_ms, target="s2")
    town.sold("o4", 1)
    number = listed(town, "oversold", "o4", [])
    with pytest.raises(RepairRefused, match="nowhere to come back from"):
        apply_remedy(town.database, number, "rebook", "ada", town.now_ms, target="s2")


def test_a_rule_decides_what_waits_and_what_comes_and_no_rule_decides_nothing(town: Town) -> None:
    town.sold("o1")
    town.sold("o2", paid=False)
    cancel_session(town.database, "night/tonight", "ada", town.now_ms)
    assert apply_rules(town.database, town.now_ms) == 0
    with pytest.raises(RepairRefused, match="no automatic choice"):
        set_rule(town.database, "admitted-twice", "refund", "ada", town.now_ms)
    set_rule(town.database, "session-cancelled", "refund", "ada", town.now_ms)
    assert apply_rules(town.database, town.now_ms) == 2
    assert {each.decided_by for each in town.listed("decided")} == {"rule"}
    town.tick()
    assert [each.owed_minor for each in town.bodies("hall-1") if isinstance(each, RefundOwed)] == [2500, 0]
    set_rule(town.database, "session-cancelled", "", "ada", town.now_ms)
    with town.database.read() as db:
        assert repair.rules(db) == {}


def test_a_cancelled_paid_order_is_refunded_at_once_and_a_comped_one_costs_nothing(town: Town) -> None:
    town.sold("o1", paid=False)
    gift = PaymentTaken("o1", "p", "comp", 2500, "EUR", "A7", paid=True, tickets=("o1-0", "o1-1"))
    town.tell(town.hall, town.hall.envelope(gift))
    cancel_session(town.database, "s", "ada", town.now_ms)
    (row,) = town.listed()
    assert apply_remedy(town.database, row.id, "refund", "ada", town.now_ms).endswith("nothing is paid back")
    town.check_stock()


def test_the_waitlist_remedy_puts_the_holder_first_in_line_at_the_device_that_sold(town: Town) -> None:
    town.sold("o1")
    town.tell(town.yard, town.yard.envelope(WaitlistJoined("w1", "q", 1, (Wish("t", 1),), 1)))
    number = listed(town, "oversold", "o1", ["o1-0", "o1-1"])
    done = apply_remedy(town.database, number, "waitlist", "ada", town.now_ms)
    assert done == "2 withdrawn: no promise of a place; 25.00 EUR to pay back; first on the waitlist"
    assert [row[0] for row in town.rows("SELECT entry FROM waitlist ORDER BY place")] == [entry_of("o1", "q"), "w1"]
    town.tick()
    town.tick()
    (given,) = [each for each in town.bodies("hall-1") if isinstance(each, WaitlistEntrusted)]
    assert (given.entry, given.quota, given.wishes) == (entry_of("o1", "q"), "q", (Wish("t", 2),))
    assert given.number < 0
    town.check_stock()


@pytest.fixture
def replaced(town: Town) -> FakeDevice:
    """The hall's device was sealed with two late sales in its drawer, its stock released and sold; hall-2 answers for it."""
    apply_catalogue(town.database, two_dates(yard=400), {}, town.now_ms)
    late = [town.hall.sell(f"late{k}", 1) for k in range(2)]
    losses.replace_device(town.database, "hall-2", "hall", "hall-1", "op", "", town.now_ms, log=None)
    new = FakeDevice("hall-2", "hall")
    new.hello(town)
    town.tick()
    doubt = town.hall.totals.granted
    losses.release_stock(town.database, "q", doubt, "op", town.now_ms)
    town.hall.hello(town)
    town.tell(town.hall, *late)
    for _ in range(3):
        town.tick()
    return new


@pytest.mark.fault(20)
def test_oversold_tickets_of_a_sealed_device_are_rebooked_under_its_replacements_key(
    town: Town, replaced: FakeDevice
) -> None:
    rows = [each for each in town.listed() if each.kind == "oversold"]
    assert {each.order_id for each in rows} == {"late0", "late1"}
    done = apply_remedy(town.database, rows[0].id, "rebook", "ada", town.now_ms, target="s2")
    assert "rebooked" in done
    town.tick()
    (told,) = [each for each in town.bodies("hall-2") if isinstance(each, OrderRebooked)]
    assert (told.issuer, told.signer) == ("hall-1", "hall-2")
    assert not any(isinstance(each, OrderRebooked) for each in town.bodies("hall-1"))
    confirmed = town.rows("SELECT device, confirmed FROM allocation WHERE quota = 'q2' AND confirmed > 0")
    assert confirmed == [("hall-2", 1)]
    town.tell(replaced, replaced.envelope(TicketsVoided(rows[0].order_id, rows[0].tickets)))
    assert town.rows(f"SELECT state FROM ticket WHERE id = '{rows[0].tickets[0]}'") == [("cancelled",)]
    assert apply_remedy(town.database, rows[1].id, "overbook", "ada", town.now_ms).endswith("raises the oversell by 1")
    assert town.listed() == ()
    town.check_stock()


def test_a_refund_for_a_sealed_device_is_owed_and_counted_on_the_replacements_word(
    town: Town, replaced: FakeDevice
) -> None:
    row = next(each for each in town.listed() if each.kind == "oversold")
    before = town.rows("SELECT sum(cancelled) FROM allocation WHERE device = 'hall-1' AND quota = 'q'")[0][0]
    apply_remedy(town.database, row.id, "refund", "ada", town.now_ms)
    town.tick()
    assert any(isinstance(each, TicketsWithdrawn) for each in town.bodies("hall-2"))
    for _ in range(2):
        town.tell(replaced, replaced.envelope(TicketsVoided(row.order_id, row.tickets)))
    after = town.rows("SELECT sum(cancelled) FROM allocation WHERE device = 'hall-1' AND quota = 'q'")[0][0]
    assert int(str(after)) == int(str(before)) + 1
    assert town.rows(f"SELECT status FROM orders WHERE id = '{row.order_id}'") == [("cancelled",)]
    town.check_stock()
